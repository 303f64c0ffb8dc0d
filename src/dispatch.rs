//! Elements -> bindings and workgroups under a device's limits. Pure arithmetic.
//!
//! A fill is cut into windows that a storage binding can hold, and each window into at most three
//! dispatches: the whole vectors of 16 bytes in the middle (one block of 32-bit elements, two blocks of 16-bit
//! ones), where they lie on 16-byte boundaries, and the ragged ends, stored piece by piece. Where blocks and
//! boundaries do not coincide, everything is stored piece by piece.

use std::ops::Range;

use crate::shaders::WORKGROUP_SIZE;
use crate::{DType, Error};

/// Elements of a block: the words that one Philox call makes.
const BLOCK: u64 = 4;
/// Bytes that an invocation stores at once.
const VECTOR_BYTES: u64 = 16;

/// Windows stay below this, so that positions in a binding keep clear of 2^32 (`begin` and `end`
/// are u32, and elements before the binding wrap to just below 2^32).
const LARGEST_WINDOW: u64 = 1 << 31;

/// WebGPU's default. Some devices allow 2^32 - 1, which no window needs and whose square no integer holds.
pub(crate) const MOST_WORKGROUPS: u32 = 65_535;

/// How a kernel writes a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// `store_vec4.wgsl`, `store_vec4_halves.wgsl`: whole vectors on their boundaries.
    Whole,
    /// `store_words.wgsl`, `store_halves.wgsl`: anything.
    Ragged,
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
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment).max(VECTOR_BYTES);
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
                2,
            ),
            // A window may begin up to one alignment before its first element.
            ("max_storage_buffer_binding_size", limits.max_storage_buffer_binding_size, 2 * alignment),
        ] {
            if actual < needed {
                return Err(Error::DeviceLimit { limit, actual, needed });
            }
        }
        Ok(Self {
            binding: limits.max_storage_buffer_binding_size.min(LARGEST_WINDOW) / VECTOR_BYTES * VECTOR_BYTES,
            alignment,
            workgroups: u64::from(limits.max_compute_workgroups_per_dimension.min(MOST_WORKGROUPS)),
        })
    }

    /// Elements of an f32 matrix of which any run lies in one binding.
    pub(crate) fn elements_of_source(&self) -> u64 {
        // The run may begin up to one alignment into the binding.
        (self.binding - self.alignment) / 4
    }

    /// The bytes of an f32 matrix of `len` elements that a dispatch reads.
    pub(crate) fn source_range(&self, dispatch: &Dispatch, len: u64) -> Range<u64> {
        // The first block may begin before the matrix, and the last one end after it.
        let first = dispatch.first_block.wrapping_mul(BLOCK) as i64;
        let begin =
            first + i64::from(dispatch.shift) + i64::from(dispatch.begin.wrapping_sub(dispatch.origin));
        let end = begin as u64 + u64::from(dispatch.end - dispatch.begin);
        let start = begin as u64 * 4 / self.alignment * self.alignment;
        start..end.min(len) * 4
    }

    /// Blocks that one dispatch can cover.
    fn blocks(&self) -> u64 {
        // Word indexes, and so blocks, of a window stay below 2^31 in any case.
        self.workgroups * self.workgroups * u64::from(WORKGROUP_SIZE)
    }
}

/// One dispatch of a plan. Positions count elements from the beginning of the binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dispatch {
    pub(crate) store: Store,
    /// The binding, in bytes of the buffer.
    pub(crate) binding: Range<u64>,
    /// The first block, counted in the logical tensor. May be one before its beginning, and so wrap.
    pub(crate) first_block: u64,
    /// Vectors, blocks or groups: invocations that do work.
    pub(crate) blocks: u32,
    /// Where the first block's first element lies, modulo 2^32; of ragged 16-bit stores, where the first
    /// group of four lies.
    pub(crate) origin: u32,
    /// How many elements of the first block lie before the first group of a ragged 16-bit store.
    pub(crate) shift: u32,
    /// The first position that is written.
    pub(crate) begin: u32,
    /// One past the last position that is written.
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
/// `most` bounds the elements of a window from elsewhere than the destination.
pub(crate) fn plan(
    limits: Limits,
    dtype: DType,
    elements: Range<u64>,
    offset: u64,
    most: Option<u64>,
) -> Vec<Dispatch> {
    let size = dtype.size();
    let mut dispatches = Vec::new();
    let mut start = elements.start;
    while start < elements.end {
        let first_byte = offset + (start - elements.start) * size;
        let binding_start = first_byte / limits.alignment * limits.alignment;
        let window = Window { size, elements: start..elements.end, first_byte, binding_start };
        let window = window.cut(limits, most);
        start = window.elements.end;
        window.dispatches(&mut dispatches, limits);
    }
    dispatches
}

/// A run of elements within one binding.
struct Window {
    /// Bytes of an element.
    size: u64,
    elements: Range<u64>,
    /// Byte of the buffer where the first element lies.
    first_byte: u64,
    binding_start: u64,
}

impl Window {
    /// Shortens the window to what one binding and one dispatch can cover, to whole blocks where
    /// that leaves any.
    fn cut(self, limits: Limits, most: Option<u64>) -> Self {
        let Range { start, end } = self.elements;
        let capacity = (limits.binding - (self.first_byte - self.binding_start)) / self.size;
        let by_binding = start + most.map_or(capacity, |most| capacity.min(most));
        // A group more, where groups and blocks do not coincide.
        let by_grid = (start / BLOCK).saturating_add(limits.blocks() - 1).saturating_mul(BLOCK);
        let limit = by_binding.min(by_grid.max(start + 1));
        if limit >= end {
            return Self { elements: start..end, ..self };
        }
        let whole = limit / self.vector() * self.vector();
        Self { elements: start..if whole > start { whole } else { limit }, ..self }
    }

    /// Elements of a vector.
    fn vector(&self) -> u64 {
        VECTOR_BYTES / self.size
    }

    /// Where an element lies.
    fn position(&self, element: u64) -> u64 {
        (self.first_byte - self.binding_start) / self.size + (element - self.elements.start)
    }

    fn dispatches(&self, out: &mut Vec<Dispatch>, limits: Limits) {
        let Range { start, end } = self.elements;
        let vector = self.vector();
        let aligned = self.position(start) % vector == start % vector;
        let (body_start, body_end) = (start.next_multiple_of(vector), end / vector * vector);
        if !aligned || body_start >= body_end {
            out.push(self.dispatch(Store::Ragged, start..end, limits));
            return;
        }
        if start < body_start {
            out.push(self.dispatch(Store::Ragged, start..body_start, limits));
        }
        out.push(self.dispatch(Store::Whole, body_start..body_end, limits));
        if body_end < end {
            out.push(self.dispatch(Store::Ragged, body_end..end, limits));
        }
    }

    fn dispatch(&self, store: Store, part: Range<u64>, limits: Limits) -> Dispatch {
        // The window starts at most one alignment into the binding and is below 2^31 bytes, so positions
        // and blocks fit u32; only the origin may lie before the binding and wrap.
        let (begin, end) = (self.position(part.start), self.position(part.end));
        let (origin, shift, first_block, blocks) = if store == Store::Ragged && self.size == 2 {
            // Groups of four positions, so that each word has one writer, whatever blocks they cut.
            let group = begin / BLOCK * BLOCK;
            let element = part.start.wrapping_sub(begin - group);
            let shift = element % BLOCK;
            let first_block = ((element.wrapping_sub(shift) as i64) / BLOCK as i64) as u64;
            (group as u32, shift as u32, first_block, end.div_ceil(BLOCK) - begin / BLOCK)
        } else {
            let first_block = part.start / BLOCK;
            let origin = (begin as u32).wrapping_sub((part.start % BLOCK) as u32);
            let elements = if store == Store::Whole { self.vector() } else { BLOCK };
            (origin, 0, first_block, part.end.div_ceil(elements) - part.start / elements)
        };
        let groups = blocks.div_ceil(u64::from(WORKGROUP_SIZE));
        let rows = groups.div_ceil(limits.workgroups);
        // Bindings are of whole words.
        let binding_end = self.binding_start + (end * self.size).next_multiple_of(4);
        Dispatch {
            store,
            binding: self.binding_start..binding_end,
            first_block,
            blocks: blocks as u32,
            origin,
            shift,
            begin: begin as u32,
            end: end as u32,
            workgroups: [groups.div_ceil(rows) as u32, rows as u32],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Executes a plan as the kernels would: position in the buffer -> element.
    fn execute(dispatches: &[Dispatch], dtype: DType, limits: Limits) -> Vec<(u64, u64)> {
        let mut written = Vec::new();
        for d in dispatches {
            assert!(d.binding.start.is_multiple_of(limits.alignment));
            assert!(d.binding.end - d.binding.start <= limits.binding);
            assert!((d.binding.end - d.binding.start).is_multiple_of(4));
            assert!(d.workgroups.iter().all(|&w| 1 <= w && u64::from(w) <= limits.workgroups));
            for y in 0..d.workgroups[1] {
                for x in 0..d.row() {
                    let block = y.wrapping_mul(d.row()).wrapping_add(x);
                    if block >= d.blocks {
                        continue;
                    }
                    let elements = if d.store == Store::Whole { (16 / dtype.size()) as u32 } else { 4 };
                    for lane in 0..elements {
                        let at = d.origin.wrapping_add(elements * block).wrapping_add(lane);
                        if d.store == Store::Whole {
                            assert!(d.origin.is_multiple_of(elements) && at < d.end && d.shift == 0);
                        }
                        if dtype.size() == 2 {
                            assert!(d.origin.is_multiple_of(4), "a word with two writers");
                        }
                        if (d.begin..d.end).contains(&at) {
                            assert!(u64::from(at) * dtype.size() < d.binding.end - d.binding.start);
                            let lane = u64::from(elements * block + lane + d.shift);
                            let element = d.first_block.wrapping_mul(BLOCK).wrapping_add(lane);
                            written.push((d.binding.start / dtype.size() + u64::from(at), element));
                        }
                    }
                }
            }
        }
        written
    }

    proptest! {
        /// Every element is written once, to its own position, and nothing else is.
        #[test]
        fn plans_cover_exactly(
            start in prop_oneof![0_u64..40, (1 << 34) - 20..(1_u64 << 34) + 20],
            len in 0_u64..40_000,
            position in 0_u64..300,
            alignment in prop_oneof![Just(16_u64), Just(32), Just(256)],
            binding in 512_u64..20_000,
            workgroups in 1_u64..5,
            dtype in prop_oneof![Just(DType::F32), Just(DType::F16)],
            most in prop_oneof![Just(None), (4_u64..3000).prop_map(Some)],
        ) {
            let limits = Limits { binding: binding / 16 * 16, alignment, workgroups };
            let dispatches = plan(limits, dtype, start..start + len, position * dtype.size(), most);
            let mut written = execute(&dispatches, dtype, limits);
            written.sort_unstable();
            let expected: Vec<_> = (0..len).map(|i| (position + i, start + i)).collect();
            prop_assert_eq!(written, expected);
        }
    }

    #[test]
    fn an_aligned_tensor_is_one_dispatch() {
        let limits = Limits { binding: 128 << 20, alignment: 256, workgroups: 65_535 };
        let dispatches = plan(limits, DType::F32, 0..1 << 20, 256, None);
        assert_eq!(dispatches.len(), 1);
        assert_eq!(dispatches[0].store, Store::Whole);
        assert_eq!(dispatches[0].workgroups, [1024, 1]);
    }

    #[test]
    fn a_grid_past_65535_workgroups_gets_rows() {
        let limits = Limits { binding: 1 << 31, alignment: 256, workgroups: 65_535 };
        let dispatches = plan(limits, DType::F32, 0..1 << 28, 0, None);
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
        let endless =
            wgpu::Limits { max_compute_workgroups_per_dimension: u32::MAX, ..wgpu::Limits::default() };
        let dispatches = plan(Limits::of(&endless).unwrap(), DType::F32, 9..1 << 27, 0, None);
        assert!(dispatches.len() < 20, "{}", dispatches.len());
    }
}
