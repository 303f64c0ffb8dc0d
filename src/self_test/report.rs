//! The report: the extent of a self-test, and its results.

use std::fmt;

use super::hint::Hint;
use crate::dtype::DType;
use crate::error::Error;

/// The extent of a self-test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Extent {
    /// Normals in f32, by one kernel: some milliseconds, for a program that checks a device before each fill.
    /// If normals differ, the self-test compares raw words too.
    Short,
    /// Every initialiser, generator, element type, store path and addressing: some seconds, mostly for the
    /// driver to compile kernels.
    Full,
}

/// The result of a self-test.
///
/// The textual form of a passed test is a sentence such as `passed: 62 checks of 3155962 elements`. The
/// textual form of a failed test has the number of failed checks, and the name and the outcome of the first
/// one. If no check could run, the textual form says so.
///
/// The feature `serde` serialises a report as an object with `extent`, `passed`, `elements` and `checks`. A
/// check has `name`, `elements`, and the `outcome` in [one word](Outcome::word). A check that did not pass
/// also has the outcome as a sentence in `text`. A check that differs has the fields of [`Difference`] in
/// `difference`. Bits are strings of hexadecimal digits.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SelfTest {
    /// The extent.
    pub extent: Extent,
    /// The checks, in their order.
    pub checks: Vec<Check>,
}

impl SelfTest {
    /// Whether every check passed, except those that the device can't run. A test in which no check ran has
    /// not passed.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none() && self.checks.iter().any(|check| check.outcome == Outcome::Passed)
    }

    /// The checks that did not pass, without those that the device can't run.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Differs(_) | Outcome::Failed(_)))
    }

    /// The differences, each with the name of its check.
    pub fn differences(&self) -> impl Iterator<Item = (&str, &Difference)> {
        self.checks.iter().filter_map(|check| match &check.outcome {
            Outcome::Differs(difference) => Some((&*check.name, difference)),
            _ => None,
        })
    }

    /// The number of elements that were compared.
    pub fn elements(&self) -> u64 {
        let compared = |check: &&Check| matches!(check.outcome, Outcome::Passed | Outcome::Differs(_));
        self.checks.iter().filter(compared).map(|check| check.elements).sum()
    }
}

impl fmt::Display for SelfTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unsupported =
            self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Unsupported(_))).count();
        let count = self.checks.len() - unsupported;
        let checks = if count == 1 { "check" } else { "checks" };
        match self.failures().next() {
            None if !self.passed() => f.write_str("no check could run on this device"),
            None => {
                write!(f, "passed: {count} {checks} of {} elements", self.elements())?;
                match unsupported {
                    0 => Ok(()),
                    _ => write!(f, "; the device's limits rule {unsupported} out"),
                }
            }
            Some(first) => {
                let failed = self.failures().count();
                write!(f, "{failed} of {count} {checks} failed; {}: {}", first.name, first.outcome)
            }
        }
    }
}

/// A check of a self-test: fills of one kind.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Check {
    /// The name, such as `normal: any place, in one list`.
    pub name: String,
    /// The number of elements that the fills write.
    pub elements: u64,
    /// The outcome.
    pub outcome: Outcome,
}

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// Every byte of the buffer is that of the host.
    Passed,
    /// At least one byte of the buffer differs from that of the host.
    Differs(Difference),
    /// The device refused a kernel or a buffer, or was lost.
    Failed(Error),
    /// The device's limits rule the fills out. A fill of this kind returns the same error.
    Unsupported(Error),
}

impl Outcome {
    /// The outcome in one word: `passed`, `differs`, `failed` or `unsupported`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Differs(_) => "differs",
            Self::Failed(_) => "failed",
            Self::Unsupported(_) => "unsupported",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Differs(difference) => write!(f, "{difference}"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Unsupported(error) => write!(f, "not run: {error}"),
        }
    }
}

/// The difference of a check: its first wrong element, the number of wrong ones, and a hint at the cause.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// The fill of the first wrong element. Empty if a byte changed that no fill writes.
    pub fill: String,
    /// The index of the first wrong element among the elements of its fill, row-major. `None` if a byte
    /// changed that no fill writes.
    pub element: Option<u64>,
    /// The byte offset of the first wrong element, or of the first changed byte, in the buffer of the check.
    pub offset: u64,
    /// The element type. [`DType::U32`] for raw words and for bytes that no fill writes.
    pub dtype: DType,
    /// The expected bits of the element or byte.
    pub expected: u32,
    /// The found bits of the element or byte.
    pub found: u32,
    /// The number of wrong elements in all fills of the check, or the number of changed bytes.
    pub differing: u64,
    /// The likely cause.
    pub hint: Hint,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fill, element, offset, dtype, expected, found, differing, hint } = self;
        match element {
            Some(element) => {
                let (expected, found) = (value(*dtype, *expected), value(*dtype, *found));
                let differ = if *differing == 1 { "element differs" } else { "elements differ" };
                write!(
                    f,
                    "element {element} of {fill}, at byte {offset}, is {found} instead of {expected}; \
                     {differing} {differ}: {hint}"
                )
            }
            None => {
                let bytes = if *differing == 1 { "byte" } else { "bytes" };
                write!(
                    f,
                    "byte {offset}, which no fill writes, is {found:#04x} instead of {expected:#04x}; \
                     {differing} {bytes} changed: {hint}"
                )
            }
        }
    }
}

/// The bits of an element, and its value with the nine digits that tell any two f32 apart.
fn value(dtype: DType, bits: u32) -> String {
    let value: f64 = match dtype {
        DType::F32 => f32::from_bits(bits).into(),
        DType::F16 => half::f16::from_bits(bits as u16).into(),
        DType::BF16 => half::bf16::from_bits(bits as u16).into(),
        DType::U32 => return format!("{bits:#010x}"),
    };
    let width = 2 + 2 * dtype.size() as usize;
    format!("{bits:#0width$x} ({value:.8e})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::self_test::hint::Direction;

    fn check(outcome: Outcome) -> Check {
        Check { name: "normal".into(), elements: 64, outcome }
    }

    #[test]
    fn sentences() {
        let difference = Difference {
            fill: "normal(mean=0,std=1) (f32, [8, 8])".into(),
            element: Some(3),
            offset: 28,
            dtype: DType::F32,
            expected: 0x3F80_0000,
            found: 0x3F7F_FFFF,
            differing: 12,
            hint: Hint::RoundingDirection(Direction::TowardZero),
        };
        let outside = Difference {
            fill: String::new(),
            element: None,
            offset: 16,
            dtype: DType::U32,
            expected: 0xA5,
            found: 0,
            differing: 1,
            hint: Hint::OutOfRangeWrite,
        };
        let mut report = SelfTest {
            extent: Extent::Short,
            checks: vec![check(Outcome::Passed), check(Outcome::Unsupported(Error::NoCompute))],
        };
        assert!(report.passed());
        let nothing =
            SelfTest { extent: Extent::Full, checks: vec![check(Outcome::Unsupported(Error::NoCompute))] };
        assert!(!nothing.passed());
        assert_eq!(nothing.to_string(), "no check could run on this device");
        assert_eq!(report.to_string(), "passed: 1 check of 64 elements; the device's limits rule 1 out");
        report.checks.insert(1, check(Outcome::Differs(difference)));
        assert!(!report.passed());
        assert_eq!(
            report.to_string(),
            "1 of 2 checks failed; normal: element 3 of normal(mean=0,std=1) (f32, [8, 8]), at byte 28, is \
             0x3f7fffff (9.99999940e-1) instead of 0x3f800000 (1.00000000e0); 12 elements differ: the device rounds towards \
             zero instead of to nearest even"
        );
        assert_eq!(
            outside.to_string(),
            "byte 16, which no fill writes, is 0x00 instead of 0xa5; 1 byte changed: a kernel writes outside of \
             its range"
        );
    }
}
