//! The class `Filler`: what a fill writes, and the writing.

use std::sync::Arc;

use numpy::PyArray1;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use rayon::prelude::*;
use seedbed::program::Placement;
use seedbed::{Init, Key, host};
use seedbed_model::{Dtype, Keys, Maker, Segment, Source, Tensor, float, unit_size};

use crate::init::PyInit;
use crate::key::PyKey;
use crate::memory::with_bytes;
use crate::numbers::unsigned;
use crate::region::PyRegion;
use crate::{pool, refused};

/// What a fill writes: an initialiser and its key, or the content of a model's parameter.
#[pyclass(module = "seedbed._native", frozen)]
pub(crate) struct Filler {
    what: What,
}

enum What {
    Init(Init, Key),
    /// The text of an initialiser that follows from the shape and the element type.
    Text(String, Key),
    Tensor(Arc<Tensor>, Keys),
}

/// What a fill of one shape and element type writes.
enum Resolved {
    Init(Init, Key),
    Tensor(Arc<Tensor>, Keys),
}

impl Filler {
    pub(crate) fn of_tensor(tensor: Arc<Tensor>, keys: Keys) -> Self {
        Self { what: What::Tensor(tensor, keys) }
    }

    fn resolve(&self, shape: &[u64], dtype: Dtype) -> PyResult<Resolved> {
        let (tensor, keys) = match &self.what {
            What::Init(init, key) if float(dtype).is_some() => return Ok(Resolved::Init(*init, *key)),
            What::Init(init, key) => (of_text(&init.to_string(), shape, dtype)?, Keys::Only(*key)),
            What::Text(text, key) => (of_text(text, shape, dtype)?, Keys::Only(*key)),
            What::Tensor(tensor, keys) => {
                if tensor.shape != shape {
                    let (name, of_plan) = (&tensor.name, &tensor.shape);
                    return Err(refused(format_args!(
                        "{name:?} has the shape {of_plan:?} in the manifest, and {shape:?} here"
                    )));
                }
                if tensor.dtype != dtype {
                    let (name, of_plan) = (&tensor.name, tensor.dtype);
                    return Err(refused(format_args!(
                        "{name:?} is {of_plan} in the manifest, and {dtype} here"
                    )));
                }
                (tensor.clone(), *keys)
            }
        };
        match tensor.content.single() {
            Some(Source::Init { init, shape: of_source, stream })
                if of_source == shape && float(dtype).is_some() =>
            {
                Ok(Resolved::Init(*init, keys.of(stream)))
            }
            _ => Ok(Resolved::Tensor(tensor, keys)),
        }
    }
}

fn of_text(text: &str, shape: &[u64], dtype: Dtype) -> PyResult<Arc<Tensor>> {
    let content = seedbed_model::content(text, shape, dtype, "").map_err(refused)?;
    Ok(Arc::new(Tensor { name: text.to_owned(), shape: shape.to_vec(), dtype, content }))
}

/// The exception for an element type that is not made.
pub(crate) fn unsupported(dtype: &str) -> PyErr {
    refused(format_args!("the type {dtype} is not supported; float32, float16 and bfloat16 are"))
}

/// The element type by numpy's name.
pub(crate) fn dtype_of(name: &str) -> PyResult<Dtype> {
    Ok(match name {
        "float32" => Dtype::F32,
        "float16" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        "bool" => Dtype::BOOL,
        "int8" => Dtype::I8,
        "int16" => Dtype::I16,
        "int32" => Dtype::I32,
        "int64" => Dtype::I64,
        "uint8" => Dtype::U8,
        "uint16" => Dtype::U16,
        "uint32" => Dtype::U32,
        "uint64" => Dtype::U64,
        "float64" => {
            return Err(refused("the type float64 is not supported; fill float32 and convert the values"));
        }
        _ => return Err(unsupported(name)),
    })
}

impl Resolved {
    /// Checks everything but the memory.
    fn check(&self, region: &PyRegion, dtype: Dtype) -> PyResult<()> {
        region.library().element_count().map_err(refused)?;
        match self {
            Self::Init(init, _) => {
                let Some(dtype) = float(dtype) else { return Err(refused("an initialiser makes floats")) };
                host::check(init, dtype, region.shape()).map_err(refused)
            }
            Self::Tensor(tensor, _) => {
                if tensor.content.sources.iter().any(Source::is_copied) {
                    let name = &tensor.name;
                    return Err(refused(format_args!(
                        "{name:?} is copied from another model, which is not here"
                    )));
                }
                tensor.check().map_err(refused)
            }
        }
    }

    fn is_whole(&self) -> bool {
        match self {
            Self::Init(init, _) => matches!(init, Init::Orthogonal { .. }),
            Self::Tensor(tensor, _) => tensor.content.sources.iter().any(Source::is_whole),
        }
    }

    /// Makes the elements of formulas and writes none. The element type may not have such an element.
    fn check_elements(&self, region: &PyRegion) -> Result<(), String> {
        match self {
            Self::Tensor(tensor, keys)
                if tensor.content.sources.iter().any(|source| matches!(source, Source::Formula { .. })) =>
            {
                make(tensor, *keys, None, region, None)
            }
            _ => Ok(()),
        }
    }

    fn write(
        &self,
        memory: &mut [u8],
        region: &PyRegion,
        dtype: Dtype,
        row_pitch: Option<u64>,
    ) -> Result<(), String> {
        match self {
            Self::Init(init, key) => {
                let Some(dtype) = float(dtype) else { return Err("an initialiser makes floats".to_owned()) };
                let placement = Placement { row_pitch, ..Placement::new(dtype, region.library()) };
                host::fill_buffer(memory, &placement, init, *key).map_err(|error| error.to_string())
            }
            Self::Tensor(tensor, keys) => make(tensor, *keys, Some(memory), region, row_pitch),
        }
    }
}

/// The number of elements that a thread makes at a time.
const PART: u64 = 1 << 16;

/// Makes the elements of a region of a tensor with any content, on all threads. Without memory, no element is written.
fn make(
    tensor: &Tensor,
    keys: Keys,
    memory: Option<&mut [u8]>,
    region: &PyRegion,
    row_pitch: Option<u64>,
) -> Result<(), String> {
    let size = unit_size(tensor.dtype);
    let local = region.local();
    let count: u64 = local.iter().product();
    if count == 0 {
        return Ok(());
    }
    // Without gaps, all elements are one row.
    let row = local.last().copied().unwrap_or(1);
    let (row, pitch) = match row_pitch {
        Some(pitch) if pitch < row * size => {
            return Err(format!("the row pitch is {pitch} bytes, and a row has {}", row * size));
        }
        Some(pitch) if pitch > row * size && count > row => (row, pitch),
        _ => (count, count * size),
    };
    let (content, layout) = (Periodic::of(tensor), region.layout());
    let elements = |maker: &mut Maker<'_>, first: u64, memory: &mut [u8]| -> Result<(), String> {
        let (mut at, mut rest) = (first, memory);
        while !rest.is_empty() {
            let (element, neighbours) = layout.run(at);
            let len = neighbours.min(rest.len() as u64 / size);
            let Segment { source, elements } = content.at(element, len);
            let len = elements.end - elements.start;
            let (now, later) = rest.split_at_mut((len * size) as usize);
            maker.make(tensor, source, elements, now).map_err(|error| error.to_string())?;
            (at, rest) = (at + len, later);
        }
        Ok(())
    };
    // A source that is made as a whole is made once, by one maker, whose arithmetic runs on all threads.
    let is_whole = tensor.content.sources.iter().any(Source::is_whole);
    let part = if is_whole { count } else { PART };
    let Some(memory) = memory else {
        return (0..count.div_ceil(part)).into_par_iter().try_for_each(|index| {
            let first = index * part;
            let mut scratch = vec![0; (part.min(count - first) * size) as usize];
            elements(&mut Maker::with_keys(keys, None), first, &mut scratch)
        });
    };
    let span = (count / row - 1).checked_mul(pitch).and_then(|rows| rows.checked_add(row * size));
    let memory = span.and_then(|span| memory.get_mut(..usize::try_from(span).ok()?));
    let memory = memory.ok_or("the memory is smaller than the region")?;
    if row == count {
        return memory.par_chunks_mut((part * size) as usize).enumerate().try_for_each(
            |(index, part_of_memory)| {
                elements(&mut Maker::with_keys(keys, None), index as u64 * part, part_of_memory)
            },
        );
    }
    let rows = (part / row).max(1);
    memory.par_chunks_mut((rows * pitch) as usize).enumerate().try_for_each(|(index, part)| {
        let mut maker = Maker::with_keys(keys, None);
        for (i, padded) in part.chunks_mut(pitch as usize).enumerate() {
            let first = (index as u64 * rows + i as u64) * row;
            elements(&mut maker, first, &mut padded[..(row * size) as usize])?;
        }
        Ok(())
    })
}

/// The runs of a content, with the element of the tensor where each begins.
struct Periodic<'a> {
    tensor: &'a Tensor,
    starts: Vec<u64>,
    period: u64,
}

impl<'a> Periodic<'a> {
    fn of(tensor: &'a Tensor) -> Self {
        let mut period = 0;
        let starts = tensor.content.runs.iter().map(|run| {
            let start = period;
            period += run.len;
            start
        });
        Self { starts: starts.collect(), tensor, period }
    }

    /// The longest segment that begins at element `at` of the tensor and has `max` elements or fewer.
    fn at(&self, at: u64, max: u64) -> Segment {
        let (repetition, within) = (at / self.period, at % self.period);
        let index = self.starts.partition_point(|&start| start <= within) - 1;
        let run = &self.tensor.content.runs[index];
        let skipped = within - self.starts[index];
        let start = run.first + repetition * run.stride + skipped;
        let len = (run.len - skipped).min(max);
        Segment { source: run.source, elements: start..start + len }
    }
}

#[pymethods]
impl Filler {
    #[new]
    fn new(init: &PyInit, key: &PyKey) -> Self {
        let what = match init.fixed() {
            Some(fixed) => What::Init(fixed, key.0),
            None => What::Text(init.text().to_owned(), key.0),
        };
        Self { what }
    }

    /// Checks everything but the memory, also each element of a formula. Returns whether each element depends on the whole
    /// tensor, so that a part costs as much as the whole.
    fn check(&self, py: Python<'_>, dtype: &str, region: &PyRegion) -> PyResult<bool> {
        let dtype = dtype_of(dtype)?;
        let resolved = self.resolve(region.shape(), dtype)?;
        py.detach(|| resolved.check(region, dtype))?;
        let pool = pool::of_this_process(py)?;
        py.detach(|| pool.install(|| resolved.check_elements(region))).map_err(refused)?;
        Ok(resolved.is_whole())
    }

    /// Writes the elements of a region to bytes, whose rows begin every `row_pitch` bytes. Call `check` first: an element
    /// that the type does not have is an error, after which other elements are written.
    #[pyo3(signature = (memory, dtype, region, row_pitch = None))]
    fn fill(
        &self,
        memory: &Bound<'_, PyAny>,
        dtype: &str,
        region: &PyRegion,
        row_pitch: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let row_pitch = row_pitch.map(|pitch| unsigned(pitch, "the row pitch")).transpose()?;
        let memory = memory
            .cast::<PyArray1<u8>>()
            .map_err(|_| PyTypeError::new_err("the memory must be a one-dimensional array of uint8"))?;
        let dtype = dtype_of(dtype)?;
        let resolved = self.resolve(region.shape(), dtype)?;
        resolved.check(region, dtype)?;
        with_bytes(memory, |bytes| resolved.write(bytes, region, dtype, row_pitch))?.map_err(refused)
    }
}
