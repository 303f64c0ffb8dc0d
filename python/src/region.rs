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

    /// Where the elements of the part lie in the whole tensor.
    pub(crate) fn layout(&self) -> Layout {
        let whole =
            |len: u64| Layout { dimensions: vec![Dimension { ranges: vec![(0, len)], stride: 1, len }] };
        let ranges: Vec<Vec<(u64, u64)>> = match &self.part {
            Part::Whole => return whole(self.shape.iter().product()),
            Part::Elements(start, stop) => {
                let (len, ranges) = (stop - start, vec![(*start, *stop)]);
                return Layout { dimensions: vec![Dimension { ranges, stride: 1, len }] };
            }
            Part::Shard { start, shape } => {
                start.iter().zip(shape).map(|(&start, &len)| vec![(start, start + len)]).collect()
            }
        };
        let (mut dimensions, mut stride): (Vec<Dimension>, _) = (Vec::new(), 1);
        for (ranges, &size) in ranges.into_iter().zip(&self.shape).rev() {
            let len = ranges.iter().map(|(start, stop)| stop - start).sum();
            match dimensions.last_mut() {
                // Rows that are whole make one longer row with those of the dimension around them.
                Some(Dimension { ranges: inner, stride: of_inner, len: inner_len })
                    if inner[..] == [(0, stride / *of_inner)] =>
                {
                    let scale = stride / *of_inner;
                    *inner = ranges.into_iter().map(|(start, stop)| (start * scale, stop * scale)).collect();
                    *inner_len = len * scale;
                }
                _ => dimensions.push(Dimension { ranges, stride, len }),
            }
            stride *= size;
        }
        if dimensions.is_empty() {
            return whole(1);
        }
        dimensions.reverse();
        Layout { dimensions }
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

/// Where the elements of a part lie in the whole tensor.
pub(crate) struct Layout {
    /// Outermost first, at least one.
    dimensions: Vec<Dimension>,
}

struct Dimension {
    /// The indexes that the part holds, as start and stop.
    ranges: Vec<(u64, u64)>,
    /// The elements from one index to the next, in the whole tensor.
    stride: u64,
    /// The number of indexes that the part holds.
    len: u64,
}

impl Layout {
    /// The element of the whole tensor that is element `local` of the part, and the number of elements from there on that
    /// are neighbours in both.
    pub(crate) fn run(&self, local: u64) -> (u64, u64) {
        let (mut element, mut rest, mut neighbours) = (0, local, 1);
        for (place, dimension) in self.dimensions.iter().rev().enumerate() {
            let mut index = rest % dimension.len;
            rest /= dimension.len;
            for &(start, stop) in &dimension.ranges {
                if index < stop - start {
                    element += (start + index) * dimension.stride;
                    if place == 0 {
                        neighbours = stop - start - index;
                    }
                    break;
                }
                index -= stop - start;
            }
        }
        (element, neighbours)
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
