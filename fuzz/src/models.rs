//! What every model, plan and record must satisfy.

use seedbed::DType;
use seedbed_model::{
    Error, Maker, Model, Parameter, Plan, Record, Rules, Segment, Source, Tensor, unit_size,
};

use super::{accepted, one_line};

/// The most elements of a plan that are made.
const MAX_MADE: u64 = 2_000;
/// The most runs of a plan that is recorded and made.
const MAX_RUNS: usize = 1_000;
/// The most segments that are looked at where the elements are too many.
const MAX_SEGMENTS: usize = 1_000;

/// Checks that sizes are known or errors, and that each parameter is found.
pub fn check(model: &Model) {
    for (index, parameter) in model.parameters.iter().enumerate() {
        accepted(parameter.elements());
        accepted(parameter.bytes());
        assert_eq!(model.position(&parameter.name), Some(index), "a parameter is lost");
    }
    model.warnings.iter().for_each(one_line);
}

/// Reads a record, and the tensors that it has.
pub fn read_record(metadata: &[(String, String)], parameters: &[Parameter]) {
    let Some(Some(record)) = accepted(Record::read(metadata)) else { return };
    let again = Record::read(&record.metadata()).expect("a written record").expect("a record");
    assert_eq!(format!("{again:?}"), format!("{record:?}"));
    for parameter in parameters {
        let Some(Some(tensor)) = accepted(record.tensor(parameter)) else { continue };
        if cost(&tensor) < MAX_MADE && !copies(&tensor) {
            // A record of another program may say anything, such as a formula that can't be parsed.
            make(&mut Maker::new(1, None), &tensor, &mut |_| ());
        } else {
            tensor.content.segments().take(MAX_SEGMENTS).for_each(drop);
        }
        tensor.moments();
    }
}

/// Plans, describes, records and makes all parameters.
pub fn plan(model: &Model, source: Option<&Model>, rules: &Rules, dtype: Option<DType>) {
    let Some(plan) = accepted(Plan::new(model, source, rules, dtype)) else { return };
    plan.warnings.iter().for_each(one_line);
    for entry in &plan.entries {
        one_line(entry.description());
        if let Some(tensor) = entry.outcome.tensor() {
            tensor.check().expect("a planned tensor");
            tensor.moments();
            tensor.content.counts();
        }
    }
    accepted(plan.check());
    // The tensors of parameters without a mistake hold what a right plan holds.
    let tensors: Vec<&Tensor> = plan.tensors().collect();
    let runs: usize = tensors.iter().map(|tensor| tensor.content.runs.len()).sum();
    if runs < MAX_RUNS {
        recorded(&tensors);
    }
    let total = tensors.iter().fold(0_u64, |sum, tensor| sum.saturating_add(cost(tensor)));
    if total < MAX_MADE && runs < MAX_RUNS {
        let mut maker = Maker::new(3, source);
        for tensor in &tensors {
            make(&mut maker, tensor, &mut |error| {
                // Elements of a formula are known when they are made.
                let text = error.to_string();
                let is_element = text.contains("is no value of") || text.contains("too large for");
                assert!(is_element, "what is planned can't be made: {tensor:?}: {text}");
            });
        }
    } else {
        tensors.iter().for_each(|tensor| tensor.content.segments().take(MAX_SEGMENTS).for_each(drop));
    }
}

/// The tensors are those of their record.
fn recorded(tensors: &[&Tensor]) {
    let metadata = Record::new(3, tensors.iter().copied()).metadata();
    let record = Record::read(&metadata).expect("a written record").expect("a record");
    for &tensor in tensors {
        let Tensor { name, shape, dtype, .. } = tensor.clone();
        let read = record.tensor(&Parameter { name, shape, dtype });
        let read = read.unwrap_or_else(|error| panic!("{tensor:?}: {error}")).expect("a recorded tensor");
        // A stride that is never taken is not recorded. NaN is as large as itself here.
        let held = |tensor: &Tensor| {
            let segments: Vec<_> = tensor.content.segments().take(MAX_SEGMENTS).collect();
            format!("{:?} {segments:?}", tensor.content.sources)
        };
        // A tensor without elements has no content worth a record.
        if tensor.elements() != Ok(0) {
            assert_eq!(held(&read), held(tensor), "a record differs from its tensor");
        }
    }
}

/// The elements to compute.
fn cost(tensor: &Tensor) -> u64 {
    let elements = |tensor: &Tensor| tensor.elements().unwrap_or(u64::MAX);
    let norms = tensor.content.sources.iter().map(|source| match source {
        Source::Norm { of, .. } => elements(of),
        _ => 0,
    });
    norms.fold(elements(tensor), u64::saturating_add)
}

fn copies(tensor: &Tensor) -> bool {
    tensor.content.sources.iter().any(|source| match source {
        Source::Copy { .. } => true,
        Source::Norm { of, .. } => copies(of),
        _ => false,
    })
}

/// Makes all elements, at once and in two pieces. Each byte must be written. `failed` takes an error, which ends the tensor.
pub fn make(maker: &mut Maker<'_>, tensor: &Tensor, failed: &mut dyn FnMut(Error)) {
    let size = unit_size(tensor.dtype);
    let mut total = 0;
    for Segment { source, elements } in tensor.content.segments() {
        let (start, end) = (elements.start, elements.end);
        let bytes = ((end - start) * size) as usize;
        total += bytes as u64;
        let (mut once, mut twice) = (vec![0xA5; bytes], vec![0x5A; bytes]);
        let middle = start + (end - start) / 3;
        let (first, second) = twice.split_at_mut(((middle - start) * size) as usize);
        for (range, piece) in [(start..end, &mut once[..]), (start..middle, first), (middle..end, second)] {
            if let Err(error) = maker.make(tensor, source, range, piece) {
                one_line(&error);
                return failed(error);
            }
        }
        assert_eq!(once, twice, "two pieces are not the whole: {tensor:?}");
    }
    assert_eq!(tensor.bytes(), Ok(total), "the segments are not the tensor: {tensor:?}");
}
