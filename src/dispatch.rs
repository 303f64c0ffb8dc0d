//! Elements -> bindings and workgroups under a device's limits. Pure arithmetic.
//!
//! A fill is cut into windows that a storage binding can hold, and each window into at most three
//! dispatches: the whole blocks in the middle, stored as `vec4` where they lie on 16-byte
//! boundaries, and the ragged block at either end, stored word by word. Where blocks and boundaries
//! do not coincide, everything is stored word by word.

use std::ops::Range;

use crate::Error;
use crate::shaders::WORKGROUP_SIZE;

/// Elements of a block: the words that one Philox call makes.
const BLOCK: u64 = 4;
const WORD_BYTES: u64 = 4;
const BLOCK_BYTES: u64 = BLOCK * WORD_BYTES;

/// Windows stay below this, so that word indexes of a binding keep clear of 2^32 (`begin` and `end`
/// are u32, and elements before the binding wrap to just below 2^32).
const LARGEST_WINDOW: u64 = 1 << 31;

/// How a kernel writes a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// `store_vec4.wgsl`
    Vec4,
    /// `store_words.wgsl`
    Words,
}

/// The limits that shape a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes that a storage binding may have.
    binding: u64,
    /// What a binding's offset is a multiple of.
    alignment: u64,
    /// Workgroups in one dimension of a dispatch.
    workgroups: u64,
}

impl Limits {
    /// # Errors
    /// [`Error::DeviceLimit`] where no kernel of this library could run.
    pub(crate) fn of(limits: &wgpu::Limits) -> Result<Self, Error> {
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment).max(BLOCK_BYTES);
        let workgroup = u64::from(WORKGROUP_SIZE);
        for (limit, actual, needed) in [
            ("max_compute_workgroup_size_x", u64::from(limits.max_compute_workgroup_size_x), workgroup),
            (
                "max_compute_invocations_per_workgroup",
                u64::from(limits.max_compute_invocations_per_workgroup),
                workgroup,
            ),
            (
                "max_compute_workgroups_per_dimension",
                u64::from(limits.max_compute_workgroups_per_dimension),
                1,
            ),
            (
                "max_storage_buffers_per_shader_stage",
                u64::from(limits.max_storage_buffers_per_shader_stage),
                1,
            ),
            // A window may begin up to one alignment before its first element.
            ("max_storage_buffer_binding_size", limits.max_storage_buffer_binding_size, 2 * alignment),
        ] {
            if actual < needed {
                return Err(Error::DeviceLimit { limit, actual, needed });
            }
        }
        Ok(Self {
            binding: limits.max_storage_buffer_binding_size.min(LARGEST_WINDOW) / BLOCK_BYTES * BLOCK_BYTES,
            alignment,
            workgroups: u64::from(limits.max_compute_workgroups_per_dimension),
        })
    }

    /// Blocks that one dispatch can cover.
    fn blocks(&self) -> u64 {
        // Word indexes, and so blocks, of a window stay below 2^31 in any case.
        (self.workgroups * self.workgroups).saturating_mul(u64::from(WORKGROUP_SIZE))
    }
}

/// One dispatch of a plan. Word indexes count from the beginning of the binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dispatch {
    pub(crate) store: Store,
    /// The binding, in bytes of the buffer.
    pub(crate) binding: Range<u64>,
    /// The first block, counted in the logical tensor.
    pub(crate) first_block: u64,
    /// Blocks, and so invocations that do work.
    pub(crate) blocks: u32,
    /// Where the first block's first element lies, modulo 2^32.
    pub(crate) origin: u32,
    /// First word that is written.
    pub(crate) begin: u32,
    /// One past the last word that is written.
    pub(crate) end: u32,
    /// Workgroups in x and y.
    pub(crate) workgroups: [u32; 2],
}

impl Dispatch {
    /// Invocations in one row of the grid. May wrap where there is one row alone, whose number is 0.
    pub(crate) fn row(&self) -> u32 {
        self.workgroups[0].wrapping_mul(WORKGROUP_SIZE)
    }
}

/// The dispatches that write the elements of a logical tensor from a byte offset of a buffer on.
pub(crate) fn plan(limits: Limits, elements: Range<u64>, offset: u64) -> Vec<Dispatch> {
    let mut dispatches = Vec::new();
    let mut start = elements.start;
    while start < elements.end {
        let first_byte = offset + (start - elements.start) * WORD_BYTES;
        let binding_start = first_byte / limits.alignment * limits.alignment;
        let window = Window { elements: start..elements.end, first_byte, binding_start }.cut(limits);
        start = window.elements.end;
        window.dispatches(&mut dispatches, limits);
    }
    dispatches
}

/// A run of elements within one binding.
struct Window {
    elements: Range<u64>,
    /// Byte of the buffer where the first element lies.
    first_byte: u64,
    binding_start: u64,
}

impl Window {
    /// Shortens the window to what one binding and one dispatch can cover, to whole blocks where
    /// that leaves any.
    fn cut(self, limits: Limits) -> Self {
        let Range { start, end } = self.elements;
        let capacity = (limits.binding - (self.first_byte - self.binding_start)) / WORD_BYTES;
        let by_binding = start + capacity;
        let by_grid = (start / BLOCK + limits.blocks()) * BLOCK;
        let limit = by_binding.min(by_grid);
        if limit >= end {
            return Self { elements: start..end, ..self };
        }
        let whole = limit / BLOCK * BLOCK;
        Self { elements: start..if whole > start { whole } else { limit }, ..self }
    }

    fn dispatches(&self, out: &mut Vec<Dispatch>, limits: Limits) {
        let Range { start, end } = self.elements;
        let first_word = (self.first_byte / WORD_BYTES) % BLOCK;
        let aligned = first_word == start % BLOCK;
        let (body_start, body_end) = (start.next_multiple_of(BLOCK), end / BLOCK * BLOCK);
        if !aligned || body_start >= body_end {
            out.push(self.dispatch(Store::Words, start..end, limits));
            return;
        }
        if start < body_start {
            out.push(self.dispatch(Store::Words, start..body_start, limits));
        }
        out.push(self.dispatch(Store::Vec4, body_start..body_end, limits));
        if body_end < end {
            out.push(self.dispatch(Store::Words, body_end..end, limits));
        }
    }

    fn dispatch(&self, store: Store, part: Range<u64>, limits: Limits) -> Dispatch {
        // The window starts at most one alignment into the binding and is below 2^31 bytes, so words
        // and blocks fit u32; only the origin may lie before the binding and wrap.
        let word = |element: u64| {
            (self.first_byte - self.binding_start) / WORD_BYTES + (element - self.elements.start)
        };
        let first_block = part.start / BLOCK;
        let blocks = part.end.div_ceil(BLOCK) - first_block;
        let groups = blocks.div_ceil(u64::from(WORKGROUP_SIZE));
        let rows = groups.div_ceil(limits.workgroups);
        Dispatch {
            store,
            binding: self.binding_start..self.binding_start + (word(part.end) * WORD_BYTES),
            first_block,
            blocks: blocks as u32,
            origin: (word(part.start) as u32).wrapping_sub((part.start % BLOCK) as u32),
            begin: word(part.start) as u32,
            end: word(part.end) as u32,
            workgroups: [groups.div_ceil(rows) as u32, rows as u32],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Executes a plan as the kernels would: word of the buffer -> element.
    fn execute(dispatches: &[Dispatch], limits: Limits) -> Vec<(u64, u64)> {
        let mut written = Vec::new();
        for d in dispatches {
            assert!(d.binding.start.is_multiple_of(limits.alignment));
            assert!(d.binding.end - d.binding.start <= limits.binding);
            assert!(d.workgroups.iter().all(|&w| 1 <= w && u64::from(w) <= limits.workgroups));
            for y in 0..d.workgroups[1] {
                for x in 0..d.row() {
                    let block = y.wrapping_mul(d.row()).wrapping_add(x);
                    if block >= d.blocks {
                        continue;
                    }
                    for lane in 0..4 {
                        let at = d.origin.wrapping_add(4 * block).wrapping_add(lane);
                        if d.store == Store::Vec4 {
                            assert!(d.origin.is_multiple_of(4) && at < d.end);
                        }
                        if (d.begin..d.end).contains(&at) {
                            assert!(u64::from(at) * WORD_BYTES < d.binding.end - d.binding.start);
                            let element = (d.first_block + u64::from(block)) * BLOCK + u64::from(lane);
                            written.push((d.binding.start / WORD_BYTES + u64::from(at), element));
                        }
                    }
                }
            }
        }
        written
    }

    proptest! {
        /// Every element is written once, to its own word, and no other word is.
        #[test]
        fn plans_cover_exactly(
            start in prop_oneof![0_u64..40, (1 << 34) - 20..(1_u64 << 34) + 20],
            len in 0_u64..40_000,
            word in 0_u64..300,
            alignment in prop_oneof![Just(16_u64), Just(32), Just(256)],
            binding in 512_u64..20_000,
            workgroups in 1_u64..5,
        ) {
            let limits = Limits { binding: binding / 16 * 16, alignment, workgroups };
            let dispatches = plan(limits, start..start + len, word * WORD_BYTES);
            let mut written = execute(&dispatches, limits);
            written.sort_unstable();
            let expected: Vec<_> = (0..len).map(|i| (word + i, start + i)).collect();
            prop_assert_eq!(written, expected);
        }
    }

    #[test]
    fn an_aligned_tensor_is_one_dispatch() {
        let limits = Limits { binding: 128 << 20, alignment: 256, workgroups: 65_535 };
        let dispatches = plan(limits, 0..1 << 20, 256);
        assert_eq!(dispatches.len(), 1);
        assert_eq!(dispatches[0].store, Store::Vec4);
        assert_eq!(dispatches[0].workgroups, [1024, 1]);
    }

    #[test]
    fn a_grid_past_65535_workgroups_gets_rows() {
        let limits = Limits { binding: 1 << 31, alignment: 256, workgroups: 65_535 };
        let dispatches = plan(limits, 0..1 << 28, 0);
        assert_eq!(dispatches.len(), 1);
        assert_eq!(dispatches[0].workgroups, [52_429, 5]);
    }

    #[test]
    fn limits_that_are_too_small_are_named() {
        let limits = wgpu::Limits { max_compute_invocations_per_workgroup: 64, ..wgpu::Limits::default() };
        let error = Limits::of(&limits).unwrap_err().to_string();
        assert!(error.contains("max_compute_invocations_per_workgroup is 64"), "{error}");
        assert!(Limits::of(&wgpu::Limits::downlevel_webgl2_defaults()).is_err());
        assert!(Limits::of(&wgpu::Limits::default()).is_ok());
    }
}
