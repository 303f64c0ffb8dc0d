//! A part of a logical tensor as runs of neighbouring elements.

use std::ops::Range;

/// Runs of elements that are neighbours in the logical tensor and in the destination, all of one length.
/// Nested strided dimensions say where each run begins; without any there is one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StridedRuns {
    /// The first run's first element, as an index in the logical tensor.
    pub(crate) first: u64,
    /// Elements of a run.
    pub(crate) len: u64,
    /// The strided dimensions, outermost first, each with a count of at least two.
    pub(crate) dims: Vec<StridedDim>,
}

/// A strided dimension: it repeats the runs, or the dimension within, `count` times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StridedDim {
    pub(crate) count: u64,
    /// The distance between neighbours in this dimension, in elements of the logical tensor.
    pub(crate) src_stride: u64,
    /// The distance between neighbours in this dimension, in elements of the destination.
    pub(crate) dst_stride: u64,
}

impl StridedRuns {
    /// A single run.
    pub(crate) fn contiguous(elements: Range<u64>) -> Self {
        Self { first: elements.start, len: elements.end - elements.start, dims: Vec::new() }
    }

    /// The runs of a shard that begins at `start` (`None`: where the tensor begins), in a destination whose
    /// rows begin every `row_pitch` elements. The shard lies in the tensor, and the tensor has at most 2^60
    /// elements.
    pub(crate) fn of_shard(
        shape: &[u64],
        start: Option<&[u64]>,
        local: &[u64],
        row_pitch: Option<u64>,
    ) -> Self {
        if local.contains(&0) {
            return Self::contiguous(0..0);
        }
        // The loop goes from the innermost dimension out. A dimension without a gap joins the run or the
        // dimension within.
        let mut runs = Self::contiguous(0..1);
        let (mut src_stride, mut dst_stride) = (1, 1);
        for dimension in (0..shape.len()).rev() {
            runs.first += start.map_or(0, |start| start[dimension]) * src_stride;
            runs.nest(StridedDim { count: local[dimension], src_stride, dst_stride });
            src_stride *= shape[dimension];
            dst_stride = match row_pitch {
                Some(row_pitch) if dimension + 1 == shape.len() => row_pitch,
                // The product may saturate: callers check the destination's size, by its length or by `span`.
                _ => dst_stride.saturating_mul(local[dimension]),
            };
        }
        runs.dims.reverse();
        runs
    }

    /// Puts a dimension around the runs. `dims` is innermost first here.
    pub(super) fn nest(&mut self, outer: StridedDim) {
        if outer.count == 1 {
            return;
        }
        if let Some(inner) = self.dims.last_mut() {
            if (outer.src_stride, outer.dst_stride)
                == (inner.src_stride * inner.count, inner.dst_stride.saturating_mul(inner.count))
            {
                inner.count *= outer.count;
                return;
            }
        } else if (outer.src_stride, outer.dst_stride) == (self.len, self.len) {
            self.len *= outer.count;
            return;
        }
        self.dims.push(outer);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of elements of all runs.
    pub(crate) fn elements(&self) -> u64 {
        self.len * self.count()
    }

    /// The number of runs.
    pub(crate) fn count(&self) -> u64 {
        self.dims.iter().map(|dim| dim.count).product()
    }

    /// Elements of the destination, from the first to the last one that is written; `None` past 64 bits.
    pub(crate) fn span(&self) -> Option<u64> {
        self.dims.iter().try_fold(self.len, |span, dim| {
            dim.dst_stride.checked_mul(dim.count - 1).and_then(|gap| span.checked_add(gap))
        })
    }

    /// The element at this position of the elements, and the number of neighbours from the element on.
    pub(crate) fn neighbours_at(&self, position: u64) -> (u64, u64) {
        let (mut rest, within) = (position / self.len, position % self.len);
        let mut element = self.first + within;
        for dim in self.dims.iter().rev() {
            element += rest % dim.count * dim.src_stride;
            rest /= dim.count;
        }
        (element, self.len - within)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A shape and a shard of it: start and local shape.
    pub(crate) fn shards(
        rank: impl Into<prop::collection::SizeRange>,
    ) -> impl Strategy<Value = (Vec<u64>, Vec<u64>, Vec<u64>)> {
        prop::collection::vec((1_u64..12).prop_flat_map(|len| (Just(len), 0..len)), rank).prop_flat_map(
            |dimensions| {
                let (shape, start): (Vec<_>, Vec<_>) = dimensions.into_iter().unzip();
                let extents: Vec<_> = shape.iter().zip(&start).map(|(len, start)| 1..=len - start).collect();
                (Just(shape), Just(start), extents)
            },
        )
    }

    /// The (position in the destination, element) of each element of a shard, by the definition of a shard.
    pub(crate) fn by_definition(
        shape: &[u64],
        start: &[u64],
        local: &[u64],
        row_pitch: u64,
    ) -> Vec<(u64, u64)> {
        let row = local.last().copied().unwrap_or(1);
        (0..local.iter().product())
            .map(|index| {
                let (mut rest, mut element, mut stride) = (index, 0, 1);
                for dimension in (0..shape.len()).rev() {
                    element += (start[dimension] + rest % local[dimension]) * stride;
                    rest /= local[dimension];
                    stride *= shape[dimension];
                }
                (index / row * row_pitch + index % row, element)
            })
            .collect()
    }

    proptest! {
        #[test]
        fn a_shard_is_what_its_definition_says((shape, start, local) in shards(0..6), padding in 0_u64..4) {
            let row_pitch = local.last().copied().unwrap_or(1) + padding;
            let runs = StridedRuns::of_shard(&shape, Some(&start), &local, Some(row_pitch));
            let expected = by_definition(&shape, &start, &local, row_pitch);
            let mut starts = vec![(0, runs.first)];
            for dim in &runs.dims {
                prop_assert!(dim.count > 1);
                let along = |(at, element)| {
                    (0..dim.count).map(move |i| (at + i * dim.dst_stride, element + i * dim.src_stride))
                };
                starts = starts.into_iter().flat_map(along).collect();
            }
            for (run, &(_, element)) in starts.iter().enumerate() {
                let within = run as u64 % runs.len;
                let at = runs.neighbours_at(run as u64 * runs.len + within);
                prop_assert_eq!(at, (element + within, runs.len - within));
            }
            let written: Vec<_> =
                starts.iter().flat_map(|(at, e)| (0..runs.len).map(move |i| (at + i, e + i))).collect();
            prop_assert_eq!(runs.span(), expected.last().map(|(at, _)| at + 1));
            prop_assert_eq!(runs.elements(), expected.len() as u64);
            prop_assert_eq!(written, expected);
        }
    }

    #[test]
    fn dimensions_without_a_gap_are_one() {
        let of = |shape: &[u64], start: &[u64], local: &[u64]| {
            StridedRuns::of_shard(shape, Some(start), local, None)
        };
        assert_eq!(of(&[8, 4, 5], &[2, 0, 0], &[3, 4, 5]), StridedRuns::contiguous(40..100));
        assert_eq!(of(&[8, 4, 5], &[2, 1, 0], &[1, 2, 5]), StridedRuns::contiguous(45..55));
        let dim = |count, src_stride, dst_stride| StridedDim { count, src_stride, dst_stride };
        assert_eq!(
            of(&[8, 4, 5], &[0, 2, 0], &[8, 2, 5]),
            StridedRuns { first: 10, len: 10, dims: vec![dim(8, 20, 10)] }
        );
        assert_eq!(
            of(&[8, 4, 5], &[0, 0, 1], &[8, 4, 2]),
            StridedRuns { first: 1, len: 2, dims: vec![dim(32, 5, 2)] }
        );
    }
}
