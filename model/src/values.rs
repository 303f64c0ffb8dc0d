//! The bytes of tensors, made on the host: fills by the library, copies, formulas, norms.

use std::collections::HashMap;
use std::ops::Range;

use half::{bf16, f16};
use safetensors::tensor::Dtype;
use seedbed::{DType, Init, Key, Region, host};

use crate::error::{At, Error, Result, bail, ensure};
use crate::expression::Expression;
use crate::input::{Data, Model};
use crate::parameter::{float, unit_size};
use crate::tensor::{Segment, Source, Tensor};

/// The elements of a formula or a norm that are computed at a time.
const CHUNK: u64 = 1 << 16;

/// The keys of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Each stream has the key that its name derives from this one.
    Named(Key),
    /// All streams have this key.
    Only(Key),
}

impl Keys {
    /// The key of a stream.
    pub fn of(self, stream: &str) -> Key {
        match self {
            Self::Named(key) => key.named(stream),
            Self::Only(key) => key,
        }
    }
}

/// The elements of a formula that are checked before anything is made, at the beginning and at the end.
const CHECKED: u64 = 1 << 12;

/// Makes elements of tensors on the host.
///
/// Sources that can only be made as a whole are kept until another tensor is asked for.
#[derive(Debug)]
pub struct Maker<'a> {
    keys: Keys,
    data: Option<(&'a Model, Data<'a>)>,
    /// The whole sources of the tensor of this name.
    kept: (String, HashMap<usize, Vec<u8>>),
}

impl<'a> Maker<'a> {
    /// A maker for the seed. `source` has the data of copied parameters.
    pub fn new(seed: u64, source: Option<&'a Model>) -> Self {
        Self::with_keys(Keys::Named(Key::new(seed)), source)
    }

    /// A maker with these keys.
    pub fn with_keys(keys: Keys, source: Option<&'a Model>) -> Self {
        Self { keys, data: source.map(|model| (model, model.data())), kept: Default::default() }
    }

    /// Writes elements of one source of a tensor to `destination`, in the tensor's element type and this machine's byte
    /// order, which is that of safetensors: little endian.
    ///
    /// # Errors
    /// A file that can't be read, an element of a formula that the type does not have.
    pub fn make(
        &mut self,
        tensor: &Tensor,
        source: usize,
        elements: Range<u64>,
        destination: &mut [u8],
    ) -> Result<()> {
        let Some(from) = tensor.content.sources.get(source) else { bail!("there is no source {source}") };
        let all = from.elements()?;
        ensure!(elements.start <= elements.end && elements.end <= all, "elements {elements:?} of {all}");
        if from.is_whole() && elements != (0..all) {
            let size = unit_size(tensor.dtype);
            let whole = self.whole(tensor, source, all * size)?;
            let bytes = (elements.start * size) as usize..(elements.end * size) as usize;
            ensure!(destination.len() == bytes.len(), "a destination of another length");
            destination.copy_from_slice(&whole[bytes]);
            return Ok(());
        }
        match from {
            Source::Init { init, shape, stream } => {
                let Some(dtype) = float(tensor.dtype) else { bail!("no fill makes {}", tensor.dtype) };
                let region = Region::new(&shape[..]).elements(elements);
                host::fill_bytes(destination, dtype, region, init, self.keys.of(stream))?;
                Ok(())
            }
            Source::Copy { name, .. } => {
                let Some((model, data)) = &mut self.data else { bail!("{name:?} is copied from no source") };
                let Some(index) = model.position(name) else { bail!("the source has no parameter {name:?}") };
                let start = elements.start * unit_size(tensor.dtype);
                data.read(index, start, destination)
            }
            Source::Formula { text, variables, shape, stream } => {
                let formula = Formula::new(text, variables, shape)?;
                formula.fill(tensor.dtype, elements, self.keys.of(stream), destination)
            }
            Source::Norm { of, axis } => self.norms(of, *axis, tensor.dtype, destination),
        }
    }

    /// Whether elements of this source are made by the library alone, so that a GPU can make them too.
    pub fn is_fill(tensor: &Tensor, source: usize) -> bool {
        matches!(tensor.content.sources.get(source), Some(Source::Init { .. }))
            && float(tensor.dtype).is_some()
    }

    fn whole(&mut self, tensor: &Tensor, source: usize, bytes: u64) -> Result<&[u8]> {
        if self.kept.0 != tensor.name {
            // The memory of the previous tensor is freed first.
            self.kept = (tensor.name.clone(), HashMap::new());
        }
        if !self.kept.1.contains_key(&source) {
            if tensor.content.outer == 1 {
                // The sources come one after the other, so those before are done.
                self.kept.1.clear();
            }
            let mut whole = Vec::new();
            let room = usize::try_from(bytes).ok().filter(|&bytes| whole.try_reserve_exact(bytes).is_ok());
            let Some(room) = room else { bail!("there is no memory for {bytes} bytes") };
            whole.resize(room, 0);
            let all = tensor.content.sources[source].elements()?;
            self.make(tensor, source, 0..all, &mut whole)?;
            self.kept.1.insert(source, whole);
        }
        Ok(self.kept.1.get(&source).map_or(&[], |whole| whole))
    }

    /// The 2-norms over all dimensions but one. Squares are added in the order of the elements.
    fn norms(&mut self, of: &Tensor, axis: usize, dtype: Dtype, destination: &mut [u8]) -> Result<()> {
        let Some(from) = float(of.dtype) else { bail!("a norm of {}", of.dtype) };
        let units = of.shape[axis];
        // The product can't overflow, except beside a dimension of size 0.
        let inner = of.shape[axis + 1..].iter().fold(1_u64, |inner, &size| inner.saturating_mul(size));
        let mut sums: Vec<f64> = Vec::new();
        let room = usize::try_from(units).ok().filter(|&units| sums.try_reserve_exact(units).is_ok());
        let Some(room) = room else { bail!("there is no memory for {units} norms") };
        sums.resize(room, 0.0);
        let mut at = 0;
        let mut buffer = Vec::new();
        // A maker of its own: the sources kept for this tensor stay.
        let mut maker = Maker {
            keys: self.keys,
            data: self.data.as_ref().map(|(m, _)| (*m, m.data())),
            kept: Default::default(),
        };
        for Segment { source, elements } in of.content.segments() {
            let mut start = elements.start;
            while start < elements.end {
                let end = (start + CHUNK).min(elements.end);
                buffer.resize(((end - start) * from.size()) as usize, 0);
                maker.make(of, source, start..end, &mut buffer)?;
                for value in floats(from, &buffer) {
                    sums[(at / inner % units) as usize] += value * value;
                    at += 1;
                }
                start = end;
            }
        }
        for (element, sum) in destination.chunks_exact_mut(dtype.bitsize() / 8).zip(sums) {
            write(libm::sqrt(sum), dtype, element)?;
        }
        Ok(())
    }
}

/// The elements as f64.
fn floats(dtype: DType, bytes: &[u8]) -> Box<dyn Iterator<Item = f64> + '_> {
    match dtype {
        DType::F16 => Box::new(bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f64())),
        DType::BF16 => Box::new(bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f64())),
        _ => Box::new(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b).into())),
    }
}

/// A formula, ready to be evaluated at each element.
struct Formula<'a> {
    expression: Expression,
    shape: &'a [u64],
    /// Whether the formula uses the element's uniform, or its normal.
    random: Option<Init>,
    /// Whether elements may be infinite or NaN.
    names_infinity: bool,
}

impl<'a> Formula<'a> {
    fn new(text: &str, variables: &[(String, f64)], shape: &'a [u64]) -> Result<Self> {
        let expression = Expression::parse(text)?;
        let used = expression.variables();
        let random = match (used.contains(&"u"), used.contains(&"n")) {
            (true, true) => bail!("a formula uses u or n, not both"),
            (true, false) => Some(Init::uniform(0.0, 1.0)),
            (false, true) => Some(Init::normal(0.0, 1.0)),
            (false, false) => None,
        };
        let indices = (0..shape.len()).map(|i| format!("i{i}"));
        let slots: Vec<String> = ["i", "u", "n"].map(str::to_owned).into_iter().chain(indices).collect();
        let value = |name: &str| variables.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
        let expression = expression.bind(&slots, &value)?;
        let names_infinity = text.contains("inf") || text.contains("nan");
        Ok(Self { expression, shape, random, names_infinity })
    }

    fn fill(&self, dtype: Dtype, elements: Range<u64>, key: Key, destination: &mut [u8]) -> Result<()> {
        let size = dtype.bitsize() / 8;
        let mut values = vec![0.0; 3 + self.shape.len()];
        let mut numbers = Vec::new();
        let mut start = elements.start;
        for chunk in destination.chunks_mut(CHUNK as usize * size) {
            let count = (chunk.len() / size) as u64;
            if let Some(init) = &self.random {
                numbers.resize(count as usize, 0.0_f32);
                let region = Region::new(self.shape).elements(start..start + count);
                host::fill(&mut numbers, region, init, key)?;
            }
            for (index, element) in (start..).zip(chunk.chunks_exact_mut(size)) {
                values[0] = index as f64;
                if let Some(&number) = numbers.get((index - start) as usize) {
                    (values[1], values[2]) = (number.into(), number.into());
                }
                let mut rest = index;
                for (dimension, &len) in self.shape.iter().enumerate().rev() {
                    values[3 + dimension] = (rest % len.max(1)) as f64;
                    rest /= len.max(1);
                }
                let value = self.expression.with(&values);
                if !value.is_finite() && !self.names_infinity {
                    bail!("element {index} of {:?}: {value} is not finite", self.expression);
                }
                write(value, dtype, element).at(|| format!("element {index} of {:?}", self.expression))?;
            }
            start += count;
        }
        Ok(())
    }
}

/// Checks the first and the last elements of a formula, whatever the seed.
pub(crate) fn check_formula(
    text: &str,
    variables: &[(String, f64)],
    shape: &[u64],
    dtype: Dtype,
) -> Result<()> {
    let formula = Formula::new(text, variables, shape)?;
    let all = crate::parameter::elements(shape)?;
    let mut bytes = vec![0; (all.min(CHECKED) * unit_size(dtype)) as usize];
    for start in [0, all.saturating_sub(CHECKED)] {
        formula.fill(dtype, start..start + all.min(CHECKED), Key::new(0), &mut bytes)?;
        if all <= CHECKED {
            break;
        }
    }
    Ok(())
}

/// Writes a value, rounded once to the type, to nearest even.
fn write(value: f64, dtype: Dtype, element: &mut [u8]) -> Result<()> {
    let none = || Error::new(format_args!("{value} is no value of {dtype}"));
    // A cast saturates, so a value that does not come back is none of the type. 2^63 would come back as itself.
    macro_rules! integer {
        ($integer:ty) => {{
            let integer = value as $integer;
            let limit = 2_f64.powi(<$integer>::BITS as i32 - i32::from(<$integer>::MIN != 0));
            if integer as f64 != value || value >= limit {
                return Err(none());
            }
            element.copy_from_slice(&integer.to_le_bytes());
        }};
    }
    match dtype {
        Dtype::F32 => {
            let rounded = value as f32;
            ensure!(rounded.is_finite() || !value.is_finite(), "{value:?} is too large for F32");
            element.copy_from_slice(&rounded.to_le_bytes());
        }
        Dtype::F16 => {
            let rounded = f16::from_f64(value);
            ensure!(rounded.is_finite() || !value.is_finite(), "{value:?} is too large for F16");
            element.copy_from_slice(&rounded.to_le_bytes());
        }
        Dtype::BF16 => {
            let rounded = bf16::from_f64(value);
            ensure!(rounded.is_finite() || !value.is_finite(), "{value:?} is too large for BF16");
            element.copy_from_slice(&rounded.to_le_bytes());
        }
        Dtype::BOOL => {
            ensure!(value == 0.0 || value == 1.0, "{value} is no value of BOOL, which has 0 and 1");
            element.copy_from_slice(&[value as u8]);
        }
        Dtype::U8 => integer!(u8),
        Dtype::I8 => integer!(i8),
        Dtype::U16 => integer!(u16),
        Dtype::I16 => integer!(i16),
        Dtype::U32 => integer!(u32),
        Dtype::I32 => integer!(i32),
        Dtype::U64 => integer!(u64),
        Dtype::I64 => integer!(i64),
        _ => return Err(none()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Content, Run};

    fn tensor(dtype: Dtype, shape: &[u64], source: Source) -> Tensor {
        Tensor { name: "t".into(), shape: shape.into(), dtype, content: Content::whole(source).unwrap() }
    }

    fn formula(text: &str, shape: &[u64]) -> Source {
        Source::Formula {
            text: text.into(),
            variables: vec![("d0".into(), 2.0)],
            shape: shape.into(),
            stream: "t".into(),
        }
    }

    fn all(tensor: &Tensor, seed: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut maker = Maker::new(seed, None);
        for Segment { source, elements } in tensor.content.segments() {
            let mut part = vec![0; (elements.end - elements.start) as usize * tensor.dtype.bitsize() / 8];
            maker.make(tensor, source, elements, &mut part)?;
            bytes.extend(part);
        }
        Ok(bytes)
    }

    #[test]
    fn formulas_know_indices_and_streams() {
        let counted = tensor(Dtype::I64, &[2, 3], formula("10*i0 + i1 + 100*d0", &[2, 3]));
        let values: Vec<i64> =
            all(&counted, 0).unwrap().as_chunks().0.iter().map(|&b| i64::from_le_bytes(b)).collect();
        assert_eq!(values, [200, 201, 202, 210, 211, 212]);
        // n is the normal that a fill writes.
        let normal = tensor(Dtype::F32, &[5, 7], formula("0.5*n", &[5, 7]));
        let init = Source::Init { init: Init::normal(0.0, 0.5), shape: vec![5, 7], stream: "t".into() };
        assert_eq!(all(&normal, 3).unwrap(), all(&tensor(Dtype::F32, &[5, 7], init), 3).unwrap());
        let uniform = tensor(Dtype::BF16, &[300, 700], formula("u", &[300, 700]));
        let made = all(&uniform, 3).unwrap();
        assert!(floats(DType::BF16, &made).all(|u| (0.0..=1.0).contains(&u)));
    }

    #[test]
    fn elements_that_a_type_does_not_have_are_named() {
        for (text, dtype, message) in [
            ("100*i", Dtype::U8, "element 3 of \"100*i\": 300 is no value of U8"),
            ("-i", Dtype::U32, "element 1 of \"-i\": -1 is no value"),
            ("i/2", Dtype::I32, "element 1 of \"i/2\": 0.5 is no value"),
            ("i", Dtype::BOOL, "element 2 of \"i\": 2 is no value of BOOL"),
            ("9223372036854775808+0*i", Dtype::I64, "is no value of I64"),
            ("1e6", Dtype::F16, "too large for F16"),
        ] {
            let error = all(&tensor(dtype, &[4], formula(text, &[4])), 0).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn norms_are_over_all_dimensions_but_one() {
        let of = tensor(Dtype::F32, &[2, 3], formula("i+1", &[2, 3]));
        let norm = |axis, units: u64| {
            let source = Source::Norm { of: Box::new(of.clone()), axis };
            let made = all(&tensor(Dtype::F32, &[units], source), 0).unwrap();
            floats(DType::F32, &made).collect::<Vec<_>>()
        };
        let root = |n: f64| f64::from(n.sqrt() as f32);
        assert_eq!(norm(0, 2), [root(14.0), root(77.0)]);
        assert_eq!(norm(1, 3), [root(17.0), root(29.0), root(45.0)]);
    }

    #[test]
    fn parts_of_a_matrix_are_those_of_the_whole() {
        let init = Source::Init { init: Init::orthogonal(), shape: vec![3, 4], stream: "t".into() };
        let whole = all(&tensor(Dtype::F32, &[3, 4], init.clone()), 1).unwrap();
        let run = |first| Run { source: 0, first, stride: 4, len: 2 };
        let columns = Content { sources: vec![init], outer: 3, runs: vec![run(0), run(2)] };
        let cut = Tensor { content: columns, ..tensor(Dtype::F32, &[3, 4], formula("0", &[0])) };
        assert_eq!(all(&cut, 1).unwrap(), whole);
    }
}
