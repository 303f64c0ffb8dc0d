//! The report for programs that read it.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::report::{Check, Difference, Extent, Outcome, SelfTest};

impl Serialize for SelfTest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("SelfTest", 4)?;
        object.serialize_field(
            "extent",
            match self.extent {
                Extent::Short => "short",
                Extent::Full => "full",
            },
        )?;
        object.serialize_field("passed", &self.passed())?;
        object.serialize_field("elements", &self.elements())?;
        object.serialize_field("checks", &self.checks)?;
        object.end()
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Check", 5)?;
        object.serialize_field("name", &self.name)?;
        object.serialize_field("elements", &self.elements)?;
        object.serialize_field("outcome", self.outcome.word())?;
        if self.outcome == Outcome::Passed {
            object.skip_field("text")?;
        } else {
            object.serialize_field("text", &self.outcome.to_string())?;
        }
        match &self.outcome {
            Outcome::Differs(difference) => object.serialize_field("difference", difference)?,
            _ => object.skip_field("difference")?,
        }
        object.end()
    }
}

impl Serialize for Difference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = match self.element {
            Some(_) => 2 * self.dtype.size() as usize,
            // A byte.
            None => 2,
        };
        let bits = |bits: u32| format!("{bits:#0width$x}", width = 2 + digits);
        let mut object = serializer.serialize_struct("Difference", 9)?;
        object.serialize_field("fill", &self.fill)?;
        object.serialize_field("element", &self.element)?;
        object.serialize_field("byte_offset", &self.offset)?;
        object.serialize_field("dtype", &self.dtype)?;
        object.serialize_field("expected", &bits(self.expected))?;
        object.serialize_field("found", &bits(self.found))?;
        object.serialize_field("differing", &self.differing)?;
        object.serialize_field("hint", self.hint.name())?;
        object.serialize_field("hint_text", &self.hint.to_string())?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;
    use crate::dtype::DType;
    use crate::self_test::hint::Hint;

    #[test]
    fn reports_say_everything() {
        let difference = Difference {
            fill: "normal(mean=0,std=1) (f16, [8, 8])".into(),
            element: Some(3),
            offset: 28,
            dtype: DType::F16,
            expected: 1,
            found: 0,
            differing: 1,
            hint: Hint::FlushedSubnormals,
        };
        let check = |name: &str, outcome| Check { name: name.into(), elements: 64, outcome };
        let checks = vec![check("a", Outcome::Passed), check("b", Outcome::Differs(difference))];
        let report = SelfTest { extent: Extent::Full, checks };
        let expected = json!({
            "extent": "full",
            "passed": false,
            "elements": 128,
            "checks": [
                { "name": "a", "elements": 64, "outcome": "passed" },
                {
                    "name": "b",
                    "elements": 64,
                    "outcome": "differs",
                    "text": report.checks[1].outcome.to_string(),
                    "difference": {
                        "fill": "normal(mean=0,std=1) (f16, [8, 8])",
                        "element": 3,
                        "byte_offset": 28,
                        "dtype": "f16",
                        "expected": "0x0001",
                        "found": "0x0000",
                        "differing": 1,
                        "hint": "flushed_subnormals",
                        "hint_text": "the device flushes subnormal results to zero",
                    },
                },
            ],
        });
        assert_eq!(to_value(&report).unwrap(), expected);
    }
}
