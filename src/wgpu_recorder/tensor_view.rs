//! Destinations of fills on a device: a part of a buffer, as elements of a type.

use crate::dtype::DType;
use crate::error::Error;
use crate::layout::placement::Placement;
use crate::layout::region::Region;
use crate::program::Destination;

/// Where a fill goes: elements of a logical tensor, row-major from a byte offset of a buffer on. Other bytes
/// are never changed: not the padding between rows, not even the other half of a word that a 16-bit
/// element shares.
///
/// The buffer needs `BufferUsages::STORAGE`. With `COPY_DST` too, zeros become a `clear_buffer`.
///
/// ```no_run
/// # fn f(buffer: &wgpu::Buffer) {
/// use seedbed::{Region, TensorView};
///
/// // A weight in an arena, 4 KiB from its start.
/// let weight = TensorView::f32(buffer, [768, 3072]).at(4096);
/// // Its second half alone, as another device of a sharded model would hold it.
/// let half = TensorView::f32(buffer, Region::from([768, 3072]).elements(1179648..2359296));
/// // The second half of each row, as another split of the model would have it.
/// let shard = TensorView::f32(buffer, Region::from([768, 3072]).shard([0, 1536], [768, 1536]));
/// // Rows of 100 elements, each on a 256-byte boundary as in an image copy.
/// let padded = TensorView::f32(buffer, [64, 100]).row_pitch(512);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TensorView<'a> {
    pub(super) buffer: &'a wgpu::Buffer,
    pub(super) placement: Placement<'a>,
}

impl<'a> TensorView<'a> {
    /// A tensor of `dtype` at the beginning of `buffer`. A shape is a region too.
    pub fn new(buffer: &'a wgpu::Buffer, dtype: DType, region: impl Into<Region<'a>>) -> Self {
        Self { buffer, placement: Placement::new(dtype, region) }
    }

    /// An f32 tensor at the beginning of `buffer`.
    pub fn f32(buffer: &'a wgpu::Buffer, region: impl Into<Region<'a>>) -> Self {
        Self::new(buffer, DType::F32, region)
    }

    /// A binary16 tensor at the beginning of `buffer`.
    pub fn f16(buffer: &'a wgpu::Buffer, region: impl Into<Region<'a>>) -> Self {
        Self::new(buffer, DType::F16, region)
    }

    /// A bfloat16 tensor at the beginning of `buffer`.
    pub fn bf16(buffer: &'a wgpu::Buffer, region: impl Into<Region<'a>>) -> Self {
        Self::new(buffer, DType::BF16, region)
    }

    /// A tensor of raw words at the beginning of `buffer`.
    pub fn u32(buffer: &'a wgpu::Buffer, region: impl Into<Region<'a>>) -> Self {
        Self::new(buffer, DType::U32, region)
    }

    /// The same, beginning at this byte of the buffer: any multiple of the element's size.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.placement.offset = offset;
        self
    }

    /// The same, with rows that begin this many bytes after each other: a multiple of the element's size, and
    /// at least a row's bytes. A row is the last dimension of [`Region::local_shape`].
    #[must_use]
    pub fn row_pitch(mut self, bytes: u64) -> Self {
        self.placement.row_pitch = Some(bytes);
        self
    }

    pub(super) fn destination(&self, buffer: u32) -> Destination {
        let can_clear = self.buffer.usage().contains(wgpu::BufferUsages::COPY_DST);
        Destination { buffer, size: self.buffer.size(), can_clear }
    }
}

/// # Errors
/// [`Error::MissingUsage`].
pub(super) fn check_usage(buffer: &wgpu::Buffer, needed: wgpu::BufferUsages) -> Result<(), Error> {
    let actual = buffer.usage();
    if actual.contains(needed) {
        return Ok(());
    }
    Err(Error::MissingUsage { needed: format!("{needed:?}"), actual: format!("{actual:?}") })
}
