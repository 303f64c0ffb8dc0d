//! The content of a planned tensor -> fills with places in the tensor, or the tensor's bytes.

use seedbed::program::Placement;
use seedbed::{Init, Key, Region};
use seedbed_model::{Content, Keys, Maker, Result, Segment, Source, Tensor, float, unit_size};

/// The most fills that write one tensor. The host makes tensors of more pieces.
const MAX_FILLS: u64 = 1024;

/// A fill of a part of a tensor.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The place. The offset counts from the tensor's first byte.
    pub(crate) placement: Placement<'static>,
    pub(crate) init: Init,
    pub(crate) key: Key,
}

/// The fills that make up a tensor. `None`: the host makes the tensor.
pub(crate) fn fills(tensor: &Tensor, key: Key) -> Option<Vec<Part>> {
    let dtype = float(tensor.dtype)?;
    let Content { sources, outer, runs } = &tensor.content;
    let period: u64 = runs.iter().map(|run| run.len).sum();
    let mut fills = Vec::new();
    // The run's first element in the tensor.
    let mut at = 0;
    for run in runs.iter().filter(|run| run.len > 0 && *outer > 0) {
        let source = sources.get(run.source)?;
        let Source::Init { init, shape, stream } = source else { return None };
        let region = Region::new(shape.clone());
        let mut push = |at: u64, row_pitch, region| {
            let placement = Placement { offset: at * dtype.size(), row_pitch, region, dtype };
            fills.push(Part { placement, init: *init, key: key.named(stream) });
        };
        let in_order = *outer == 1 || run.stride == run.len;
        let is_whole = run.first == 0 && in_order && source.elements().ok()? == run.len * outer;
        if is_whole && (*outer == 1 || period == run.len) {
            push(at, None, region);
        } else if is_whole && shape.last() == Some(&run.len) {
            // Columns: each row of the source is a part of a row of the tensor.
            push(at, Some(period * dtype.size()), region);
        } else if source.is_whole() || *outer > MAX_FILLS {
            return None;
        } else {
            for repetition in 0..*outer {
                let first = run.first + repetition * run.stride;
                push(at + repetition * period, None, region.clone().elements(first..first + run.len));
            }
        }
        at += run.len;
        if fills.len() as u64 > MAX_FILLS {
            return None;
        }
    }
    Some(fills)
}

/// The bytes of a tensor, made on the host.
pub(crate) fn bytes(tensor: &Tensor, key: Key) -> Result<Vec<u8>> {
    let mut maker = Maker::with_keys(Keys::Named(key), None);
    let mut bytes = vec![0; tensor.bytes()? as usize];
    let mut at = 0;
    for Segment { source, elements } in tensor.content.segments() {
        let end = at + ((elements.end - elements.start) * unit_size(tensor.dtype)) as usize;
        maker.make(tensor, source, elements, &mut bytes[at..end])?;
        at = end;
    }
    Ok(bytes)
}

/// A name that the tensor, or a tensor whose norms it holds, is copied from.
pub(crate) fn copied(tensor: &Tensor) -> Option<&str> {
    tensor.content.sources.iter().find_map(|source| match source {
        Source::Copy { name, .. } => Some(name.as_str()),
        Source::Norm { of, .. } => copied(of),
        Source::Init { .. } | Source::Formula { .. } => None,
    })
}

#[cfg(test)]
mod tests {
    use seedbed::host;
    use seedbed_model::{Dtype, Model, Parameter, Plan, Rules};

    use super::*;

    fn planned(shape: &[u64], dtype: Dtype, rule: &str) -> Tensor {
        let parameter = Parameter { name: "w".into(), shape: shape.into(), dtype };
        let model = Model::of_parameters(vec![parameter]).unwrap();
        let rules = Rules::parse(&format!("[[rule]]\nmatch = \"w\"\n{rule}"), "rules").unwrap();
        let plan = Plan::new(&model, None, &rules, None).unwrap();
        plan.check().unwrap();
        plan.tensors().next().unwrap().clone()
    }

    #[test]
    fn fills_write_the_bytes_that_the_host_makes() {
        let normal = "init = \"normal(std=0.5)\"\n";
        let xavier = "init = \"xavier_uniform()\"\n";
        let orthogonal = "init = \"orthogonal()\"\n";
        for (shape, rule, count) in [
            (&[6, 9][..], normal.to_owned(), Some(1)),
            (&[], normal.into(), Some(1)),
            (&[6, 0], normal.into(), Some(0)),
            // Rows, columns, and a dimension between others.
            (&[6, 9], format!("{xavier}split = {{ axis = 0, sizes = [1, 3, 2] }}"), Some(3)),
            (&[6, 9], format!("{xavier}split = {{ axis = 1, sizes = [4, 0, 5] }}"), Some(2)),
            (&[4, 6, 5], format!("{xavier}split = {{ axis = 1, into = 3 }}"), Some(12)),
            (&[4, 6, 6], format!("{xavier}split = {{ axis = 2, into = 3 }}"), Some(3)),
            (&[1, 6, 5], format!("{xavier}split = {{ axis = 1, into = 3 }}"), Some(3)),
            (&[3, 4, 5], format!("{xavier}unstack = 0"), Some(3)),
            (&[4, 3, 5], format!("{xavier}unstack = 1"), Some(3)),
            (&[4, 5, 3], format!("{xavier}unstack = 2"), Some(60)),
            (&[20, 70, 3], format!("{xavier}unstack = 2"), None),
            (&[1025, 2], format!("{normal}split = {{ axis = 0, into = 1025 }}"), None),
            // Replaced rows.
            (&[6, 9], format!("{normal}rows = {{ 1 = \"zeros()\", -1 = \"ones()\" }}"), Some(4)),
            (&[6, 9], format!("{normal}rows = {{ 0 = 'formula(\"i\")' }}"), None),
            // An orthogonal matrix is made as a whole.
            (&[6, 9], orthogonal.into(), Some(1)),
            (&[6, 9], format!("{orthogonal}split = {{ axis = 0, into = 2 }}"), Some(2)),
            (&[6, 9], format!("{orthogonal}split = {{ axis = 1, into = 3 }}"), Some(3)),
            (&[4, 6, 5], format!("{orthogonal}split = {{ axis = 1, into = 3 }}"), None),
            (&[6, 9], format!("{orthogonal}rows = {{ 0 = \"zeros()\" }}"), None),
            (&[6, 9], "init = 'formula(\"i0 + i1\")'".into(), None),
        ] {
            for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
                let tensor = planned(shape, dtype, &rule);
                let fills = fills(&tensor, Key::new(42));
                assert_eq!(fills.as_ref().map(Vec::len), count, "{shape:?} {rule}");
                let expected = bytes(&tensor, Key::new(42)).unwrap();
                let Some(fills) = fills else { continue };
                let mut made = vec![0xA5; expected.len()];
                for Part { placement, init, key } in fills {
                    host::fill_buffer(&mut made, &placement, &init, key).unwrap();
                }
                assert_eq!(made, expected, "{shape:?} {dtype} {rule}");
            }
        }
    }

    #[test]
    fn copies_are_found_in_norms_too() {
        let copy = |name: &str| Tensor {
            name: name.into(),
            shape: vec![2, 3],
            dtype: Dtype::F32,
            content: Content::whole(Source::Copy { name: name.into(), shape: vec![2, 3] }).unwrap(),
        };
        let norm = Source::Norm { of: Box::new(copy("v")), axis: 0 };
        let norms = Tensor { shape: vec![2], content: Content::whole(norm).unwrap(), ..copy("g") };
        assert_eq!((copied(&copy("w")), copied(&norms)), (Some("w"), Some("v")));
        assert_eq!(copied(&planned(&[2, 3], Dtype::F32, "init = \"zeros()\"")), None);
    }
}
