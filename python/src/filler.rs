//! What a fill writes, and the writing.

use std::sync::Arc;

use numpy::PyArray1;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use seedbed::program::Placement;
use seedbed::{Init, Key, host};
use seedbed_model::{Dtype, Keys, Maker, Segment, Source, Tensor, float, unit_size};

use crate::init::PyInit;
use crate::key::PyKey;
use crate::memory::with_bytes;
use crate::refused;
use crate::region::PyRegion;

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
        _ => {
            return Err(refused(format_args!(
                "the type {name} is not supported; float32, float16 and bfloat16 are"
            )));
        }
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

    /// Whether an element can be refused while the elements are made.
    fn may_fail(&self) -> bool {
        match self {
            Self::Init(..) => false,
            Self::Tensor(tensor, _) => {
                tensor.content.sources.iter().any(|source| matches!(source, Source::Formula { .. }))
            }
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
            Self::Tensor(tensor, keys) => {
                if self.may_fail() {
                    // Elements that the type does not have are found before anything is written.
                    segments(tensor, *keys, memory, region, row_pitch, true)?;
                }
                segments(tensor, *keys, memory, region, row_pitch, false)
            }
        }
    }
}

/// Makes the runs of a region one after the other.
fn segments(
    tensor: &Tensor,
    keys: Keys,
    memory: &mut [u8],
    region: &PyRegion,
    row_pitch: Option<u64>,
    dry: bool,
) -> Result<(), String> {
    const SCRATCH: u64 = 1 << 18;
    let size = unit_size(tensor.dtype);
    let row = region.local().last().copied().unwrap_or(1) * size;
    let pitch = row_pitch.unwrap_or(row);
    let content = Periodic::of(tensor);
    let mut maker = Maker::with_keys(keys, None);
    let mut scratch = Vec::new();
    let mut done = 0;
    for (first, len) in region.runs() {
        let mut at = first;
        while at < first + len {
            let Segment { source, elements } = content.at(at, first + len);
            let mut start = elements.start;
            while start < elements.end {
                // A run is longer than a row where rows are neighbours.
                let in_row = done % row.max(1);
                let mut stop = elements.end;
                if pitch != row {
                    stop = stop.min(start + (row - in_row) / size);
                }
                if dry {
                    stop = stop.min(start + SCRATCH);
                }
                let bytes = ((stop - start) * size) as usize;
                let to = if pitch == row { done } else { done / row * pitch + in_row };
                let destination = if dry {
                    scratch.resize(bytes, 0);
                    &mut scratch[..]
                } else {
                    let to = to as usize;
                    memory.get_mut(to..to + bytes).ok_or("the memory is smaller than the region")?
                };
                maker.make(tensor, source, start..stop, destination).map_err(|error| error.to_string())?;
                done += bytes as u64;
                at += stop - start;
                start = stop;
            }
        }
    }
    Ok(())
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

    /// The longest segment that begins at element `at` of the tensor and ends at `end` or before.
    fn at(&self, at: u64, end: u64) -> Segment {
        let (repetition, within) = (at / self.period, at % self.period);
        let index = self.starts.partition_point(|&start| start <= within) - 1;
        let run = &self.tensor.content.runs[index];
        let skipped = within - self.starts[index];
        let start = run.first + repetition * run.stride + skipped;
        let len = (run.len - skipped).min(end - at);
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

    /// Checks everything but the memory. Returns whether each element depends on the whole tensor, so that a part costs
    /// as much as the whole.
    fn check(&self, py: Python<'_>, dtype: &str, region: &PyRegion) -> PyResult<bool> {
        let dtype = dtype_of(dtype)?;
        let resolved = self.resolve(region.shape(), dtype)?;
        py.detach(|| resolved.check(region, dtype))?;
        Ok(resolved.is_whole())
    }

    /// Writes the elements of a region to bytes, whose rows begin every `row_pitch` bytes.
    #[pyo3(signature = (memory, dtype, region, row_pitch = None))]
    fn fill(
        &self,
        memory: &Bound<'_, PyAny>,
        dtype: &str,
        region: &PyRegion,
        row_pitch: Option<u64>,
    ) -> PyResult<()> {
        let memory = memory
            .cast::<PyArray1<u8>>()
            .map_err(|_| PyTypeError::new_err("the memory must be a one-dimensional array of uint8"))?;
        let dtype = dtype_of(dtype)?;
        let resolved = self.resolve(region.shape(), dtype)?;
        resolved.check(region, dtype)?;
        with_bytes(memory, |bytes| resolved.write(bytes, region, dtype, row_pitch))?.map_err(refused)
    }
}
