//! Lists of index ranges, one list per dimension: their outer product as rectangles and as runs.

use std::ops::Range;

use super::runs::{StridedDim, StridedRuns};
use crate::error::Error;

/// The smallest range of neighbouring elements that is a rectangle of its own even where others repeat it. A
/// kernel for one contiguous run is faster than one for strided runs, and so long a run is worth a work item.
const MIN_RUN_ALONE: u64 = 1 << 16;

/// The elements at the outer product of index ranges: one list of ranges per axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OuterProduct {
    /// The offset of the elements in the logical tensor. It comes from dimensions with one listed index.
    first: u64,
    /// The axes, innermost first: dimensions of the tensor, or several dimensions that are one.
    axes: Vec<Axis>,
}

/// An axis of the product. An index of the innermost axis is an element, and an index of any other axis is a slice of
/// the axes inside.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Axis {
    /// The listed indices, in the order of the destination.
    patterns: Vec<Pattern>,
    /// The number of listed indices.
    len: u64,
    /// The distance between neighbouring indices, in elements of the logical tensor.
    src_stride: u64,
    /// The distance between neighbouring indices, in elements of the destination.
    dst_stride: u64,
}

/// A range of indices, or ranges of one length at equal distances.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// The number of indices that the axis lists before this pattern.
    position: u64,
    /// The ranges as runs of indices.
    runs: StridedRuns,
}

/// Checks that the lists fit a tensor of this shape.
///
/// # Errors
/// [`Error::RangesRank`], [`Error::RangeOutOfRange`], [`Error::RangeReversed`].
pub(super) fn check(shape: &[u64], lists: &[Vec<Range<u64>>]) -> Result<(), Error> {
    if lists.len() != shape.len() {
        return Err(Error::RangesRank { lists: lists.len(), rank: shape.len() });
    }
    for (dimension, (list, &len)) in lists.iter().zip(shape).enumerate() {
        for &Range { start, end } in list {
            // A negative index in two's complement is larger than every length.
            if start.max(end) > len {
                return Err(Error::RangeOutOfRange { dimension, start, end, len });
            }
            if start > end {
                return Err(Error::RangeReversed { dimension, start, end });
            }
        }
    }
    Ok(())
}

/// The number of indices of each list. Numbers past 64 bits are `u64::MAX`.
pub(super) fn local_shape(lists: &[Vec<Range<u64>>]) -> Vec<u64> {
    let len = |range: &Range<u64>| range.end.saturating_sub(range.start);
    lists.iter().map(|list| list.iter().map(len).fold(0, u64::saturating_add)).collect()
}

impl OuterProduct {
    /// The outer product of lists that were checked, in a destination whose rows begin every `row_pitch` elements.
    /// No list is without an index.
    pub(super) fn new(shape: &[u64], lists: &[Vec<Range<u64>>], row_pitch: Option<u64>) -> Self {
        let mut product = Self { first: 0, axes: Vec::new() };
        let (mut src_stride, mut dst_stride) = (1, 1);
        let rank = shape.len();
        // The loop goes from the innermost dimension out, as `StridedRuns::of_shard` does.
        for (dimension, (list, &len)) in lists.iter().zip(shape).enumerate().rev() {
            // A dimension that repeats the axis inside without a gap joins that axis.
            let mut axis = Axis { patterns: Vec::new(), len: 1, src_stride, dst_stride };
            if let Some(inner) = product.axes.last().filter(|inner| inner.is_run_within(&axis)) {
                (axis.len, axis.src_stride, axis.dst_stride) =
                    (inner.len, inner.src_stride, inner.dst_stride);
                product.axes.pop();
            }
            let unit = axis.len;
            axis.list(list, unit);
            let count = axis.len / unit;
            if count == 1 && unit == 1 {
                product.first += axis.patterns[0].runs.first * src_stride;
            } else {
                product.axes.push(axis);
            }
            src_stride *= len;
            dst_stride = match row_pitch {
                Some(row_pitch) if dimension + 1 == rank => row_pitch,
                // The product may saturate, as in `StridedRuns::of_shard`.
                _ => dst_stride.saturating_mul(count),
            };
        }
        product
    }

    /// The only rectangle, if there is only one.
    pub(super) fn as_rectangle(&self) -> Option<StridedRuns> {
        self.axes.iter().all(|axis| axis.patterns.len() == 1).then(|| self.rectangle(0).1)
    }

    /// The number of elements.
    pub(super) fn elements(&self) -> u64 {
        self.axes.iter().map(|axis| axis.len).product()
    }

    /// The number of elements of the destination from the first to the last that is written; `None` past 64 bits.
    pub(super) fn span(&self) -> Option<u64> {
        self.axes.iter().try_fold(1, |span: u64, axis| {
            axis.dst_stride.checked_mul(axis.len - 1).and_then(|gap| span.checked_add(gap))
        })
    }

    /// The element at this position of the elements, and the number of neighbours from the element on.
    pub(super) fn neighbours_at(&self, position: u64) -> (u64, u64) {
        let (mut rest, mut element, mut neighbours) = (position, self.first, None);
        for axis in &self.axes {
            let position = rest % axis.len;
            rest /= axis.len;
            let number = axis.patterns.partition_point(|pattern| pattern.position <= position) - 1;
            let Pattern { position: first, runs } = &axis.patterns[number];
            let (index, left) = runs.neighbours_at(position - first);
            element += index * axis.src_stride;
            neighbours = neighbours.or(Some(if axis.src_stride == 1 { left } else { 1 }));
        }
        (element, neighbours.unwrap_or(1))
    }

    /// The number of rectangles.
    pub(super) fn rectangles(&self) -> u64 {
        self.axes.iter().map(|axis| axis.patterns.len() as u64).product()
    }

    /// A rectangle: the index of its first element in the destination, and its runs.
    pub(super) fn rectangle(&self, number: u64) -> (u64, StridedRuns) {
        let (mut rest, mut position) = (number, 0);
        let mut runs = StridedRuns::contiguous(self.first..self.first + 1);
        for Axis { patterns, src_stride, dst_stride, .. } in &self.axes {
            let Pattern { position: first, runs: pattern } =
                &patterns[(rest % patterns.len() as u64) as usize];
            rest /= patterns.len() as u64;
            position += first * dst_stride;
            runs.first += pattern.first * src_stride;
            runs.nest(StridedDim { count: pattern.len, src_stride: *src_stride, dst_stride: *dst_stride });
            for dim in pattern.dims.iter().rev() {
                runs.nest(StridedDim {
                    count: dim.count,
                    src_stride: dim.src_stride * src_stride,
                    // The product may saturate, as in `StridedRuns::of_shard`.
                    dst_stride: dim.dst_stride.saturating_mul(*dst_stride),
                });
            }
        }
        runs.dims.reverse();
        (position, runs)
    }
}

impl Axis {
    /// Whether the axis is one run of indices, whose repetitions by neighbouring indices of `outer` follow each other
    /// without a gap.
    fn is_run_within(&self, outer: &Self) -> bool {
        matches!(&self.patterns[..], [Pattern { runs, .. }] if runs.dims.is_empty())
            && (outer.src_stride, outer.dst_stride)
                == (self.src_stride * self.len, self.dst_stride.saturating_mul(self.len))
    }

    /// Lists ranges of indices of a dimension. One index of the dimension is `unit` indices of the axis.
    fn list(&mut self, ranges: &[Range<u64>], unit: u64) {
        self.len = 0;
        for range in ranges.iter().filter(|range| !range.is_empty()) {
            let (start, end) = (range.start * unit, range.end * unit);
            match self.patterns.last_mut() {
                Some(Pattern { runs, .. }) if runs.first + runs.len == start => runs.len = end - runs.first,
                _ => {
                    let runs = StridedRuns::contiguous(start..end);
                    self.patterns.push(Pattern { position: self.len, runs });
                }
            }
            self.len += end - start;
        }
        let mut count = 0;
        while count != self.patterns.len() {
            count = self.patterns.len();
            self.join_repetitions();
        }
    }

    /// Joins each series of equal patterns at equal distances into one pattern.
    fn join_repetitions(&mut self) {
        // The first pattern of a series, the number of its patterns, and their distance.
        let mut series: Vec<(Pattern, u64, u64)> = Vec::new();
        for pattern in std::mem::take(&mut self.patterns) {
            if let Some((first, count, distance)) = series.last_mut()
                && (first.runs.len, &first.runs.dims) == (pattern.runs.len, &pattern.runs.dims)
                && (self.src_stride > 1 || pattern.runs.len < MIN_RUN_ALONE)
                && let Some(next) =
                    pattern.runs.first.checked_sub(first.runs.first + (*count - 1) * *distance)
                && (*count == 1 || next == *distance)
            {
                (*count, *distance) = (*count + 1, next);
            } else {
                series.push((pattern, 1, 0));
            }
        }
        for (mut pattern, count, distance) in series {
            if count > 1 {
                let dst_stride = pattern.runs.elements();
                pattern.runs.dims.insert(0, StridedDim { count, src_stride: distance, dst_stride });
            }
            self.patterns.push(pattern);
        }
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of one range")]
pub(crate) mod tests {
    use super::*;
    use crate::layout::region::Region;
    use crate::layout::selection::Selection;
    use proptest::prelude::*;

    /// A shape and lists of ranges, of which some are empty, neighbours, repeated or equally far apart.
    pub(crate) fn lists(
        rank: impl Into<prop::collection::SizeRange>,
    ) -> impl Strategy<Value = (Vec<u64>, Vec<Vec<Range<u64>>>)> {
        let dimension = (1_u64..24).prop_flat_map(|len| {
            let range = (0..=len, 0..=len).prop_map(|(a, b)| a.min(b)..a.max(b));
            let any = prop::collection::vec(range, 1..5);
            let equal = (1..=len, 0..3_u64, 0..len).prop_map(move |(size, gap, first)| {
                let starts = (first..len).step_by((size + gap) as usize);
                starts.map(|start| start..(start + size).min(len)).collect()
            });
            (Just(len), prop_oneof![any, equal, Just(vec![0..len])])
        });
        prop::collection::vec(dimension, rank).prop_map(|dimensions| dimensions.into_iter().unzip())
    }

    /// The (position in the destination, element) of each element, by the definition of an outer product.
    pub(crate) fn by_definition(shape: &[u64], lists: &[Vec<Range<u64>>], row_pitch: u64) -> Vec<(u64, u64)> {
        let mut elements = vec![0];
        for (list, len) in lists.iter().zip(shape) {
            let indices = || list.iter().cloned().flatten();
            elements = elements.iter().flat_map(|e| indices().map(move |index| e * len + index)).collect();
        }
        let row = lists.last().map_or(1, |list| list.iter().cloned().flatten().count() as u64);
        (0..).zip(elements).map(|(i, element)| (i / row * row_pitch + i % row, element)).collect()
    }

    /// The (position in the destination, element) of each element, from the rectangles.
    fn of_rectangles(selection: &Selection) -> Vec<(u64, u64)> {
        let mut written = Vec::new();
        for (position, runs) in (0..selection.rectangles()).map(|number| selection.rectangle(number)) {
            let mut starts = vec![(position, runs.first)];
            for dim in &runs.dims {
                assert!(dim.count > 1);
                let along = |(at, element)| {
                    (0..dim.count).map(move |i| (at + i * dim.dst_stride, element + i * dim.src_stride))
                };
                starts = starts.into_iter().flat_map(along).collect();
            }
            written.extend(starts.iter().flat_map(|(at, e)| (0..runs.len).map(move |i| (at + i, e + i))));
        }
        written
    }

    proptest! {
        #[test]
        fn ranges_are_what_their_definition_says((shape, lists) in lists(0..5), padding in 0_u64..4) {
            let region = Region::from(&shape).ranges(lists.clone());
            let row_pitch = local_shape(&lists).last().copied().unwrap_or(1) + padding;
            let expected = by_definition(&shape, &lists, row_pitch);
            for row_pitch in [Some(row_pitch), None].into_iter().take(if padding == 0 { 2 } else { 1 }) {
                let selection = region.selection_with(row_pitch).unwrap();
                prop_assert_eq!(selection.elements(), expected.len() as u64);
                prop_assert_eq!(region.element_count(), Ok(expected.len() as u64));
                prop_assert_eq!(selection.is_empty(), expected.is_empty());
                prop_assert_eq!(selection.span(), expected.last().map(|(at, _)| at + 1).or(Some(0)));
                let mut written = of_rectangles(&selection);
                written.sort_unstable();
                prop_assert_eq!(&written, &expected);
            }
            let (selection, mut position) = (region.selection().unwrap(), 0);
            while position < expected.len() {
                let (element, neighbours) = selection.neighbours_at(position as u64);
                prop_assert_ne!(neighbours, 0);
                for i in 0..neighbours {
                    prop_assert_eq!(expected[position].1, element + i);
                    position += 1;
                }
            }
        }
    }

    #[test]
    fn equal_ranges_at_equal_distances_are_one_rectangle() {
        let of = |shape: &[u64], lists: Vec<Vec<Range<u64>>>| {
            Region::from(shape).ranges(lists).selection().unwrap()
        };
        let every = |len: u64, step: u64, size: u64| -> Vec<Range<u64>> {
            (0..len).step_by(step as usize).map(|start| start..start + size).collect()
        };
        assert_eq!(of(&[8000, 3], vec![every(8000, 4, 1), vec![0..3]]).rectangles(), 1);
        assert_eq!(of(&[8000, 90], vec![every(8000, 8, 3), every(90, 30, 7)]).rectangles(), 1);
        // Equal distances twice: rows 0, 2, 8, 10, 16, 18, ...
        let twice = every(8000, 8, 1).into_iter().flat_map(|r| [r.clone(), r.start + 2..r.end + 2]).collect();
        assert_eq!(of(&[8000, 3], vec![twice, vec![0..3]]).rectangles(), 1);
        let odd = vec![0..1, 2..3, 5..6, 9..10];
        assert_eq!(of(&[10, 10], vec![odd.clone(), odd]).rectangles(), 4);
        // Backwards, and long runs.
        assert_eq!(of(&[9], vec![(0..9).rev().map(|i| i..i + 1).collect()]).rectangles(), 9);
        assert_eq!(of(&[1 << 20], vec![every(1 << 20, 1 << 18, 1 << 16)]).rectangles(), 4);
        assert_eq!(of(&[1 << 20], vec![every(1 << 20, 1 << 17, 1 << 15)]).rectangles(), 1);
    }

    /// Squares, at distances of which no two are equal.
    #[test]
    fn many_ranges_are_read_by_binary_search() {
        let list: Vec<Range<u64>> = (1..3000).map(|i| i * i..i * i + 1 + i % 2).collect();
        let few = list[1..30].to_vec();
        let selection = Region::from([1 << 24, 1 << 24]).ranges([few, list.clone()]).selection().unwrap();
        assert_eq!(selection.rectangles(), 29 * list.len() as u64);
        let row: u64 = list.iter().map(|range| range.end - range.start).sum();
        assert_eq!(selection.neighbours_at(3 * row - 1), (10 * (1 << 24) + 2999 * 2999 + 1, 1));
    }
}
