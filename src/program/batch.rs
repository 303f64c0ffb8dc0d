//! Work items -> dispatches: bindings and workgroups under a device's limits. Pure arithmetic.
//!
//! Work items of one kernel whose bytes lie in one binding share a dispatch. Items of one dispatch may run in
//! any order: the caller makes sure that their bytes do not overlap.

use std::ops::Range;

use super::device::FillLimits;
use super::split::WorkItem;
use crate::kernel::constants::MAX_GRID_ROWS;

/// The row sizes of a batched grid, in workgroups. A work item gets rows of the largest size that it fills,
/// so that fewer than half of its workgroups are idle. All items with rows of one size share a dispatch.
const GRID_ROW_SIZES: [u64; 3] = [256, 16, 1];

/// The number of workgroups from which on a work item has a dispatch of its own on a GPU. So many workgroups
/// write for some 40 microseconds; the change from one dispatch to the next takes a few.
const MIN_WORKGROUPS_ALONE_GPU: u64 = 4096;
/// The same on a processor. llvmpipe (Mesa 22) gathers the parameters of a batched work item SIMD lane by
/// SIMD lane, which halves the speed of normals, and starts a dispatch in a few microseconds.
const MIN_WORKGROUPS_ALONE_CPU: u64 = 8;

/// Work items that share a kernel, a binding and a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch<T> {
    /// The items, each with its caller's tag.
    pub(crate) items: Vec<(T, WorkItem)>,
    /// The binding, in bytes of the buffer.
    pub(crate) binding: Range<u64>,
    /// The numbers of workgroups in x and y.
    pub(crate) workgroups: [u32; 2],
}

impl<T> Batch<T> {
    /// The rows of a batched grid: the index of each row's item, and how many of the item's invocations come
    /// before the row.
    pub(crate) fn rows(&self, limits: FillLimits) -> impl Iterator<Item = (usize, u32)> {
        let row = self.workgroups[0] * limits.class.workgroup_size();
        let firsts = move |item: &WorkItem| (0..item.invocations as u32).step_by(row as usize);
        self.items
            .iter()
            .enumerate()
            .flat_map(move |(index, (_, item))| firsts(item).map(move |first| (index, first)))
    }
}

/// The number of workgroups of a work item.
fn workgroups_of(limits: FillLimits, item: &WorkItem) -> u64 {
    item.invocations.div_ceil(u64::from(limits.class.workgroup_size()))
}

/// Batches work items of one kernel and one buffer into as few dispatches as their sizes and positions allow.
pub(crate) fn batch<T>(limits: FillLimits, mut items: Vec<(T, WorkItem)>) -> Vec<Batch<T>> {
    let max_rows = limits.workgroups.min(u64::from(MAX_GRID_ROWS));
    let min_alone = if limits.class.is_gpu() { MIN_WORKGROUPS_ALONE_GPU } else { MIN_WORKGROUPS_ALONE_CPU };
    // The size and the number of an item's rows in a batched grid.
    let rows = |item: &WorkItem| {
        let mut sizes = GRID_ROW_SIZES.into_iter().map(|row| row.min(limits.workgroups));
        let row = sizes.find(|&row| row <= workgroups_of(limits, item)).unwrap_or(1);
        (row, workgroups_of(limits, item).div_ceil(row))
    };
    let is_alone = |item: &WorkItem| workgroups_of(limits, item) >= min_alone || rows(item).1 > max_rows;
    // Sorted so that neighbours with rows of one size follow each other.
    items.sort_unstable_by_key(|(_, item)| (is_alone(item), rows(item).0, item.bytes.start));
    let mut batches: Vec<Batch<T>> = Vec::new();
    for (of, item) in items {
        let (row, count) = rows(&item);
        if let Some(last) = batches.last_mut()
            && !is_alone(&item)
            && u64::from(last.workgroups[0]) == row
            && item.bytes.end - last.binding.start <= limits.binding
            && u64::from(last.workgroups[1]) + count <= max_rows
        {
            last.binding.end = last.binding.end.max(item.bytes.end);
            last.workgroups[1] += count as u32;
            last.items.push((of, item));
        } else {
            let start = item.bytes.start / limits.alignment * limits.alignment;
            batches.push(Batch {
                binding: start..item.bytes.end,
                items: vec![(of, item)],
                workgroups: [row as u32, count as u32],
            });
        }
    }
    // A batch of one item has a grid of any shape, not rows of a fixed size.
    for batch in batches.iter_mut().filter(|batch| batch.items.len() == 1) {
        let groups = workgroups_of(limits, &batch.items[0].1);
        let rows = groups.div_ceil(limits.workgroups);
        batch.workgroups = [groups.div_ceil(rows) as u32, rows as u32];
    }
    batches
}

#[cfg(test)]
mod model;
