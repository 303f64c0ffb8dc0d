//! The class `Region`.

use std::fmt::Write;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};
use seedbed::Region;

use crate::numbers::{self, MAX_RANK, list, unsigned};
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

/// Ranges of indices, as start and stop.
type Ranges = Vec<(u64, u64)>;

#[derive(Clone, PartialEq, Eq, Hash)]
enum Part {
    Whole,
    Elements(u64, u64),
    Shard { start: Vec<u64>, shape: Vec<u64> },
    Ranges(Vec<Ranges>),
}

/// The most ranges of one dimension.
const MAX_RANGES: usize = 1 << 20;

impl PyRegion {
    /// The region as the library has it.
    pub(crate) fn library(&self) -> Region<'_> {
        let whole = Region::new(&self.shape[..]);
        match &self.part {
            Part::Whole => whole,
            Part::Elements(start, stop) => whole.elements(*start..*stop),
            Part::Shard { start, shape } => whole.shard(&start[..], &shape[..]),
            Part::Ranges(lists) => {
                whole.ranges(lists.iter().map(|list| list.iter().map(|&(start, stop)| start..stop)))
            }
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
        let line = |range| Layout { dimensions: vec![Dimension::new(vec![range], 1)] };
        let lists: Vec<Ranges> = match &self.part {
            Part::Whole => return line((0, self.shape.iter().product())),
            Part::Elements(start, stop) => return line((*start, *stop)),
            Part::Shard { start, shape } => {
                start.iter().zip(shape).map(|(&start, &len)| vec![(start, start + len)]).collect()
            }
            Part::Ranges(lists) => lists.clone(),
        };
        // The ranges of each dimension, and the distance between neighbouring indices in elements, innermost first.
        let mut dimensions: Vec<(Ranges, u64)> = Vec::new();
        let mut stride = 1;
        for (ranges, &size) in lists.into_iter().zip(&self.shape).rev() {
            match dimensions.last_mut() {
                // An inner dimension without a gap joins the dimension around it.
                Some((inner, of_inner)) if inner[..] == [(0, stride / *of_inner)] => {
                    let scale = stride / *of_inner;
                    *inner = ranges.into_iter().map(|(start, stop)| (start * scale, stop * scale)).collect();
                }
                _ => dimensions.push((ranges, stride)),
            }
            stride *= size;
        }
        if dimensions.is_empty() {
            return line((0, 1));
        }
        let dimensions = dimensions.into_iter().rev();
        Layout { dimensions: dimensions.map(|(ranges, stride)| Dimension::new(ranges, stride)).collect() }
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

/// The ranges of the listed indices from place `start` to place `stop` of the list.
fn within(list: &[(u64, u64)], (start, stop): (u64, u64)) -> Ranges {
    let mut place = 0;
    let cut = list.iter().map(|&(first, last)| {
        let from = start.clamp(place, place + (last - first)) - place;
        let to = stop.clamp(place, place + (last - first)) - place;
        place += last - first;
        (first + from, first + to)
    });
    cut.filter(|(start, stop)| start < stop).collect()
}

/// Where the elements of a part lie in the whole tensor.
pub(crate) struct Layout {
    /// Outermost first, at least one.
    dimensions: Vec<Dimension>,
}

struct Dimension {
    /// The ranges of indices that the part holds: the first index of each range, and the index of that one in the part.
    ranges: Vec<(u64, u64)>,
    /// The distance between neighbouring indices, in elements of the whole tensor.
    stride: u64,
    /// The number of indices that the part holds.
    len: u64,
}

impl Dimension {
    fn new(ranges: Ranges, stride: u64) -> Self {
        let mut len = 0;
        let ranges = ranges.into_iter().map(|(start, stop)| {
            let range = (start, len);
            len += stop - start;
            range
        });
        Self { ranges: ranges.collect(), stride, len }
    }
}

impl Layout {
    /// The element of the whole tensor that is element `local` of the part, and the number of elements from there on that
    /// are neighbours in both.
    pub(crate) fn run(&self, local: u64) -> (u64, u64) {
        let (mut element, mut rest, mut neighbours) = (0, local, 1);
        for (place, Dimension { ranges, stride, len }) in self.dimensions.iter().rev().enumerate() {
            let index = rest % len;
            rest /= len;
            let next = ranges.partition_point(|&(_, first)| first <= index);
            let (start, first) = ranges[next - 1];
            element += (start + index - first) * stride;
            if place == 0 {
                neighbours = ranges.get(next).map_or(*len, |&(_, first)| first) - index;
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

    /// The outer product of ranges of indices: a list of `(start, stop)` for each dimension. The array holds, row-major,
    /// the elements at every combination of listed indices, as numpy's `x[np.ix_(rows, columns)]` does.
    ///
    /// >>> from seedbed import Region
    /// >>> Region([8, 3]).ranges([[(0, 2), (6, 8)], [(0, 3)]]).local_shape
    /// (4, 3)
    fn ranges(&self, ranges: &Bound<'_, PyAny>) -> PyResult<Self> {
        let wrong = || PyTypeError::new_err("the ranges must be a list of (start, stop) for each dimension");
        let mut lists = Vec::new();
        for of_dimension in ranges.try_iter().map_err(|_| wrong())? {
            if lists.len() == MAX_RANK {
                return Err(refused(format_args!("ranges of more than {MAX_RANK} dimensions")));
            }
            let mut list = Vec::new();
            for range in of_dimension?.try_iter().map_err(|_| wrong())? {
                if list.len() == MAX_RANGES {
                    return Err(refused(format_args!("more than {MAX_RANGES} ranges of one dimension")));
                }
                let [start, stop] = numbers::list(&range?, "a range")?[..] else { return Err(wrong()) };
                list.push((start, stop));
            }
            lists.push(list);
        }
        Self { part: Part::Ranges(lists), ..self.whole()?.clone() }.checked()
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
            Part::Ranges(lists) => {
                let bounds = start.iter().zip(&shape).map(|(&start, &len)| (start, start + len));
                Part::Ranges(lists.iter().zip(bounds).map(|(list, bounds)| within(list, bounds)).collect())
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
            Part::Ranges(lists) => write!(text, ".ranges({lists:?})"),
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
            Part::Ranges(lists) => Ok((method("ranges")?, (lists.clone(),).into_pyobject(py)?)),
        }
    }
}
