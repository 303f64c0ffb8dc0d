//! The class `Region`.

use std::fmt::Write;

use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};
use seedbed::Region;

use crate::numbers::{list, unsigned};
use crate::refused;

/// A logical tensor, and the part of it that an array holds.
///
/// An element's value depends on its row-major index in the whole tensor, and fans depend on the whole shape. So a part
/// holds exactly the values that the whole tensor has there.
///
/// >>> from seedbed import Region
/// >>> Region([50257, 768]).shard([0, 576], [25129, 192]).local_shape
/// (25129, 192)
#[pyclass(name = "Region", module = "seedbed", frozen, eq, hash, from_py_object)]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct PyRegion {
    shape: Vec<u64>,
    part: Part,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Part {
    Whole,
    Elements(u64, u64),
    Shard { start: Vec<u64>, shape: Vec<u64> },
}

impl PyRegion {
    /// The region as the library has it.
    pub(crate) fn library(&self) -> Region<'_> {
        let whole = Region::new(&self.shape[..]);
        match &self.part {
            Part::Whole => whole,
            Part::Elements(start, stop) => whole.elements(*start..*stop),
            Part::Shard { start, shape } => whole.shard(&start[..], &shape[..]),
        }
    }

    pub(crate) fn shape(&self) -> &[u64] {
        &self.shape
    }

    pub(crate) fn local(&self) -> Vec<u64> {
        self.library().local_shape().into_owned()
    }

    /// The elements of the whole tensor that the part holds, as runs of neighbours: first element, number of elements.
    pub(crate) fn runs(&self) -> Runs {
        let strides = |shape: &[u64]| {
            let mut strides = vec![1_u64; shape.len()];
            for i in (1..shape.len()).rev() {
                strides[i - 1] = strides[i].saturating_mul(shape[i]);
            }
            strides
        };
        let (start, local) = match &self.part {
            Part::Whole => return Runs::one(0, self.shape.iter().product()),
            Part::Elements(start, stop) => return Runs::one(*start, stop - start),
            Part::Shard { start, shape } => (start, shape),
        };
        let strides = strides(&self.shape);
        let first = start.iter().zip(&strides).map(|(start, stride)| start * stride).sum();
        Runs { first, strides, local: local.clone(), index: vec![0; local.len()], done: local.contains(&0) }
    }

    fn whole(&self) -> PyResult<&Self> {
        match self.part {
            Part::Whole => Ok(self),
            _ => Err(refused("the region is a part already; begin with Region(shape), or call cut()")),
        }
    }

    fn checked(self) -> PyResult<Self> {
        self.library().element_count().map_err(refused)?;
        Ok(self)
    }
}

/// Runs of neighbouring elements, row by row.
pub(crate) struct Runs {
    first: u64,
    strides: Vec<u64>,
    local: Vec<u64>,
    index: Vec<u64>,
    done: bool,
}

impl Runs {
    fn one(first: u64, len: u64) -> Self {
        Self { first, strides: vec![1], local: vec![len], index: vec![0], done: len == 0 }
    }
}

impl Iterator for Runs {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        if self.done {
            return None;
        }
        let len = self.local.last().copied().unwrap_or(1);
        let offset: u64 = self.index.iter().zip(&self.strides).map(|(index, stride)| index * stride).sum();
        self.done = true;
        for i in (0..self.local.len().saturating_sub(1)).rev() {
            self.index[i] += 1;
            if self.index[i] < self.local[i] {
                self.done = false;
                break;
            }
            self.index[i] = 0;
        }
        Some((self.first + offset, len))
    }
}

#[pymethods]
impl PyRegion {
    #[new]
    fn new(shape: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self { shape: list(shape, "the shape")?, part: Part::Whole }.checked()
    }

    /// A range of elements, by row-major index in the whole tensor.
    fn elements(&self, start: &Bound<'_, PyAny>, stop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let start = unsigned(start, "the first element")?;
        let stop = unsigned(stop, "the end of the elements")?;
        Self { part: Part::Elements(start, stop), ..self.whole()?.clone() }.checked()
    }

    /// The shard that begins at index `start` of the whole tensor and has the local shape `shape`.
    fn shard(&self, start: &Bound<'_, PyAny>, shape: &Bound<'_, PyAny>) -> PyResult<Self> {
        let start = list(start, "the shard's first index")?;
        let shape = list(shape, "the shard's shape")?;
        Self { part: Part::Shard { start, shape }, ..self.whole()?.clone() }.checked()
    }

    /// A part of this part: the elements that begin at index `start` of the array that holds this region.
    ///
    /// >>> from seedbed import Region
    /// >>> Region([8, 6]).shard([4, 0], [4, 6]).cut([1, 2], [2, 3])
    /// Region([8, 6]).shard([5, 2], [2, 3])
    fn cut(&self, start: &Bound<'_, PyAny>, shape: &Bound<'_, PyAny>) -> PyResult<Self> {
        let start = list(start, "the part's first index")?;
        let shape = list(shape, "the part's shape")?;
        // The local array is a tensor of its own, within which the part must lie.
        let local = Self { shape: self.local(), part: Part::Whole };
        Self { part: Part::Shard { start: start.clone(), shape: shape.clone() }, ..local }.checked()?;
        let part = match &self.part {
            Part::Whole => Part::Shard { start, shape },
            Part::Elements(first, _) => Part::Elements(first + start[0], first + start[0] + shape[0]),
            Part::Shard { start: first, .. } => {
                Part::Shard { start: first.iter().zip(&start).map(|(a, b)| a + b).collect(), shape }
            }
        };
        Self { shape: self.shape.clone(), part }.checked()
    }

    /// The shape of the whole tensor.
    #[getter(shape)]
    fn py_shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.shape)
    }

    /// The shape of the array that holds the part.
    #[getter]
    fn local_shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.local())
    }

    /// The number of elements of the part.
    #[getter]
    fn size(&self) -> PyResult<u64> {
        self.library().element_count().map_err(refused)
    }

    /// Whether the region is a range of elements, which an array of any shape can hold.
    #[getter]
    fn is_elements(&self) -> bool {
        matches!(self.part, Part::Elements(..))
    }

    fn __repr__(&self) -> String {
        let mut text = format!("Region({:?})", self.shape);
        // Writing to a String does not fail.
        let _ = match &self.part {
            Part::Whole => Ok(()),
            Part::Elements(start, stop) => write!(text, ".elements({start}, {stop})"),
            Part::Shard { start, shape } => write!(text, ".shard({start:?}, {shape:?})"),
        };
        text
    }

    /// Python pickles a region as the call of a method of the whole region.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let (py, this) = (slf.py(), slf.get());
        let class: Bound<'py, PyType> = slf.get_type();
        let method = |name: &str| {
            let whole = Self { shape: this.shape.clone(), part: Part::Whole };
            Bound::new(py, whole)?.getattr(name)
        };
        match &this.part {
            Part::Whole => Ok((class.into_any(), (this.shape.clone(),).into_pyobject(py)?)),
            Part::Elements(start, stop) => Ok((method("elements")?, (start, stop).into_pyobject(py)?)),
            Part::Shard { start, shape } => {
                Ok((method("shard")?, (start.clone(), shape.clone()).into_pyobject(py)?))
            }
        }
    }
}
