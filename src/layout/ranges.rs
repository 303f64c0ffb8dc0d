//! Lists of index ranges, one list per dimension: their outer product as rectangles and as runs.

use std::ops::Range;

use super::runs::{StridedDim, StridedRuns};
use crate::error::Error;

/// The smallest range of neighbouring elements that is a rectangle of its own even where others repeat it. A
/// kernel for one contiguous run is faster than one for strided runs, and so long a run is worth a work item.
const MIN_RUN_ALONE: u64 = 1 << 16;

/// The elements at the outer product of index ranges: one list of ranges per axis. At least one axis has several
/// ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OuterProduct {
    /// The offset of the elements in the logical tensor, from dimensions of which one index is listed.
    first: u64,
    /// The axes, outermost first: dimensions of the tensor, or several dimensions that are one.
    axes: Vec<Axis>,
}

/// An axis, each index of which is an element, or a slice of the axes within.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Axis {
    /// The ranges, in the order of the destination. None is empty, and none begins where the one before it ends.
    ranges: Vec<Range<u64>>,
    /// The number of indices up to the end of each range.
    ends: Vec<u64>,
    /// The distance between neighbouring indices, in elements of the logical tensor.
    src_stride: u64,
    /// The same in elements of the destination.
    dst_stride: u64,
}

/// Ranges of an axis that repeat each other at equal distances, or a single range.
#[derive(Clone, Debug)]
struct Pattern {
    /// The first index in the tensor.
    start: u64,
    /// The first index in the destination.
    position: u64,
    /// The range and its repetitions, innermost first, in indices of the axis.
    dims: Vec<StridedDim>,
}

/// Checks that the lists fit a tensor of this shape.
///
/// # Errors
/// [`Error::RangesRank`], [`Error::RangeOutOfRange`], [`Error::RangeReversed`].
pub(super) fn check(shape: &[u64], lists: &[Vec<Range<u64>>]) -> Result<(), Error> {
    let (rank, lists_len) = (shape.len(), lists.len());
    if lists_len != rank {
        return Err(Error::RangesRank { lists: lists_len, rank });
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

/// The same indices in as few ranges as their order allows: without empty ranges, and with neighbours joined.
pub(super) fn merged(list: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for range in list.iter().filter(|range| !range.is_empty()) {
        match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range.clone()),
        }
    }
    ranges
}

impl OuterProduct {
    /// The outer product of [`merged`] lists that were checked, in a destination whose rows begin every
    /// `row_pitch` elements. No list is empty, and at least one has several ranges.
    pub(super) fn new(shape: &[u64], lists: Vec<Vec<Range<u64>>>, row_pitch: Option<u64>) -> Self {
        let (mut first, mut axes): (u64, Vec<Axis>) = (0, Vec::new());
        let (mut src_stride, mut dst_stride) = (1, 1);
        let rank = shape.len();
        // The loop goes from the innermost dimension out, as `StridedRuns::of_shard` does.
        for (dimension, (ranges, &len)) in lists.into_iter().zip(shape).enumerate().rev() {
            let axis = Axis::new(ranges, src_stride, dst_stride);
            let count = axis.len();
            src_stride *= len;
            dst_stride = match row_pitch {
                Some(row_pitch) if dimension + 1 == rank => row_pitch,
                _ => dst_stride.saturating_mul(count),
            };
            match axes.last_mut() {
                _ if count == 1 => first += axis.ranges[0].start * axis.src_stride,
                Some(inner) if inner.is_whole_within(&axis) => *inner = axis.around(inner),
                _ => axes.push(axis),
            }
        }
        axes.reverse();
        Self { first, axes }
    }

    /// The number of elements.
    pub(super) fn elements(&self) -> u64 {
        self.axes.iter().map(Axis::len).product()
    }

    /// Elements of the destination, from the first to the last one that is written; `None` past 64 bits.
    pub(super) fn span(&self) -> Option<u64> {
        self.axes.iter().try_fold(1, |span: u64, axis| {
            axis.dst_stride.checked_mul(axis.len() - 1).and_then(|gap| span.checked_add(gap))
        })
    }

    /// The element at this position of the elements, and the number of neighbours from the element on.
    pub(super) fn neighbours_at(&self, position: u64) -> (u64, u64) {
        let (mut rest, mut element, mut count) = (position, self.first, 1);
        for (depth, axis) in self.axes.iter().rev().enumerate() {
            let index = rest % axis.len();
            rest /= axis.len();
            let number = axis.ends.partition_point(|&end| end <= index);
            let left = axis.ends[number] - index;
            element += (axis.ranges[number].end - left) * axis.src_stride;
            if depth == 0 && axis.src_stride == 1 {
                count = left;
            }
        }
        (element, count)
    }

    /// Calls `visit` with each rectangle: the index of its first element in the destination, and its runs. Ranges
    /// of one length at equal distances share a rectangle.
    pub(super) fn each_rectangle(&self, mut visit: impl FnMut(u64, &StridedRuns)) {
        let patterns: Vec<Vec<Pattern>> = self.axes.iter().map(Axis::patterns).collect();
        for number in 0..patterns.iter().map(|patterns| patterns.len() as u64).product() {
            let (mut rest, mut first, mut position, mut dims) = (number, self.first, 0, Vec::new());
            for (axis, patterns) in self.axes.iter().zip(&patterns).rev() {
                let pattern = &patterns[(rest % patterns.len() as u64) as usize];
                rest /= patterns.len() as u64;
                first += pattern.start * axis.src_stride;
                position += pattern.position * axis.dst_stride;
                dims.extend(pattern.dims.iter().map(|dim| StridedDim {
                    count: dim.count,
                    src_stride: dim.src_stride * axis.src_stride,
                    dst_stride: dim.dst_stride * axis.dst_stride,
                }));
            }
            visit(position, &StridedRuns::nested(first, dims));
        }
    }
}

impl Axis {
    fn new(ranges: Vec<Range<u64>>, src_stride: u64, dst_stride: u64) -> Self {
        let mut sum = 0;
        let ends = ranges.iter().map(|range| {
            sum += range.end - range.start;
            sum
        });
        Self { ends: ends.collect(), ranges, src_stride, dst_stride }
    }

    /// The number of indices.
    fn len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Whether the slices of neighbouring indices of `outer` follow each other without a gap, in the tensor and in
    /// the destination. Ranges in another order than the tensor's may cover the whole axis too.
    fn is_whole_within(&self, outer: &Self) -> bool {
        self.ranges.len() == 1
            && (outer.src_stride, outer.dst_stride)
                == (self.src_stride * self.len(), self.dst_stride.saturating_mul(self.len()))
    }

    /// This axis and the one within, which it repeats without a gap, as one axis.
    fn around(&self, inner: &Self) -> Self {
        let len = inner.len();
        let ranges = self.ranges.iter().map(|range| range.start * len..range.end * len);
        Self::new(ranges.collect(), inner.src_stride, inner.dst_stride)
    }

    /// The ranges, as few patterns.
    fn patterns(&self) -> Vec<Pattern> {
        let mut patterns: Vec<Pattern> = self
            .ranges
            .iter()
            .zip(&self.ends)
            .map(|(range, end)| {
                let count = range.end - range.start;
                let dims = vec![StridedDim { count, src_stride: 1, dst_stride: 1 }];
                Pattern { start: range.start, position: end - count, dims }
            })
            .collect();
        loop {
            let count = patterns.len();
            patterns = self.repeated(&patterns);
            if patterns.len() == count {
                return patterns;
            }
        }
    }

    /// The patterns, with each series of equal ones at equal distances as one pattern.
    fn repeated(&self, patterns: &[Pattern]) -> Vec<Pattern> {
        let mut repeated = Vec::new();
        let mut rest = patterns;
        while let [first, others @ ..] = rest {
            let mut pattern = first.clone();
            let is_alone = self.src_stride == 1 && first.dims[0].count >= MIN_RUN_ALONE;
            let step =
                others.first().filter(|_| !is_alone).and_then(|next| next.start.checked_sub(first.start));
            let mut count = 1;
            if let Some(step) = step {
                let follows = |pair: &&[Pattern]| {
                    pair[1].dims == first.dims && pair[1].start.checked_sub(pair[0].start) == Some(step)
                };
                count += rest.windows(2).take_while(follows).count();
                if count > 1 {
                    let dst_stride = rest[1].position - first.position;
                    pattern.dims.push(StridedDim { count: count as u64, src_stride: step, dst_stride });
                }
            }
            repeated.push(pattern);
            rest = &rest[count..];
        }
        repeated
    }
}

#[cfg(test)]
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

    /// The same, of the rectangles.
    fn of_rectangles(selection: &Selection) -> Vec<(u64, u64)> {
        let mut written = Vec::new();
        selection.each_rectangle(|position, runs| {
            let mut starts = vec![(position, runs.first)];
            for dim in &runs.dims {
                assert!(dim.count > 1);
                let along = |(at, element)| {
                    (0..dim.count).map(move |i| (at + i * dim.dst_stride, element + i * dim.src_stride))
                };
                starts = starts.into_iter().flat_map(along).collect();
            }
            written.extend(starts.iter().flat_map(|(at, e)| (0..runs.len).map(move |i| (at + i, e + i))));
        });
        written
    }

    fn rectangles(selection: &Selection) -> usize {
        let mut count = 0;
        selection.each_rectangle(|_, _| count += 1);
        count
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
        assert_eq!(rectangles(&of(&[8000, 3], vec![every(8000, 4, 1), vec![0..3]])), 1);
        assert_eq!(rectangles(&of(&[8000, 90], vec![every(8000, 8, 3), every(90, 30, 7)])), 1);
        // Equal distances twice: rows 0, 2, 8, 10, 16, 18, ...
        let twice = every(8000, 8, 1).into_iter().flat_map(|r| [r.clone(), r.start + 2..r.end + 2]).collect();
        assert_eq!(rectangles(&of(&[8000, 3], vec![twice, vec![0..3]])), 1);
        let odd = vec![0..1, 2..3, 5..6, 9..10];
        assert_eq!(rectangles(&of(&[10, 10], vec![odd.clone(), odd])), 4);
        // Backwards, and long runs.
        assert_eq!(rectangles(&of(&[9], vec![(0..9).rev().map(|i| i..i + 1).collect()])), 9);
        assert_eq!(rectangles(&of(&[1 << 20], vec![every(1 << 20, 1 << 18, 1 << 16)])), 4);
        assert_eq!(rectangles(&of(&[1 << 20], vec![every(1 << 20, 1 << 17, 1 << 15)])), 1);
    }

    /// Squares, at distances of which no two are equal.
    #[test]
    fn many_ranges_are_read_by_binary_search() {
        let list: Vec<Range<u64>> = (1..3000).map(|i| i * i..i * i + 1 + i % 2).collect();
        let few = list[1..30].to_vec();
        let selection = Region::from([1 << 24, 1 << 24]).ranges([few, list.clone()]).selection().unwrap();
        assert_eq!(rectangles(&selection), 29 * list.len());
        let row: u64 = list.iter().map(|range| range.end - range.start).sum();
        assert_eq!(selection.neighbours_at(3 * row - 1), (10 * (1 << 24) + 2999 * 2999 + 1, 1));
    }
}
