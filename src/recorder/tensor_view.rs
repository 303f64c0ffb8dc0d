//! A destination of a fill on a device: a part of a buffer, as elements of a type.

use std::borrow::Cow;
use std::ops::Range;

use super::api::Api;
use crate::dtype::DType;
use crate::error::Error;
use crate::kernel::constants::VECTOR_BYTES;
use crate::layout::placement::Placement;
use crate::layout::region::Region;
use crate::layout::shape::Count;
use crate::program::Destination;

/// A view of a buffer as a destination: elements of a logical tensor, row-major from a byte offset on. A fill
/// changes no other byte: neither the padding between rows, nor the other half of a word that a 16-bit
/// element shares.
///
/// The buffer needs the usage `STORAGE`. With `COPY_DST` too, large zeros become a `clear_buffer`.
///
/// Shapes and offsets are `usize`, `u32`, `u64`, `i64` or `i32` ([`IntoShape`](crate::IntoShape), [`Count`]).
/// Fills are fastest at offsets that are multiples of [`TensorView::ALIGNMENT`].
///
/// A view borrows its buffer. [`into_owned`](Self::into_owned) makes a view that can be stored, because the
/// view holds its own handle of the buffer.
#[derive(Clone, Debug)]
pub struct TensorView<'a, A: Api> {
    pub(super) buffer: Cow<'a, A::Buffer>,
    pub(super) placement: Placement<'a>,
}

impl<'a, A: Api> TensorView<'a, A> {
    /// The alignment of byte offsets, and of row pitches, at which an invocation writes whole vectors of 16
    /// bytes. Any other multiple of the element's size is allowed, and slower.
    ///
    /// ```
    /// # #[cfg(feature = "wgpu")] {
    /// # use seedbed::TensorView;
    /// // The next free offset of an arena, behind a bias of 10 f32 elements.
    /// assert_eq!((4 * 10_u64).next_multiple_of(TensorView::ALIGNMENT), 48);
    /// # }
    /// ```
    pub const ALIGNMENT: u64 = VECTOR_BYTES;

    /// A view of type `dtype` at the beginning of `buffer`. A shape is a region too.
    pub fn new(buffer: &'a A::Buffer, dtype: DType, region: impl Into<Region<'a>>) -> Self {
        Self { buffer: Cow::Borrowed(buffer), placement: Placement::new(dtype, region) }
    }

    /// An f32 view at the beginning of `buffer`.
    pub fn f32(buffer: &'a A::Buffer, region: impl Into<Region<'a>>) -> Self {
        Self::new(buffer, DType::F32, region)
    }

    /// A binary16 view at the beginning of `buffer`.
    pub fn f16(buffer: &'a A::Buffer, region: impl Into<Region<'a>>) -> Self {
        Self::new(buffer, DType::F16, region)
    }

    /// A bfloat16 view at the beginning of `buffer`.
    pub fn bf16(buffer: &'a A::Buffer, region: impl Into<Region<'a>>) -> Self {
        Self::new(buffer, DType::BF16, region)
    }

    /// A view of raw words at the beginning of `buffer`.
    pub fn u32(buffer: &'a A::Buffer, region: impl Into<Region<'a>>) -> Self {
        Self::new(buffer, DType::U32, region)
    }

    /// The same view from the byte `offset` of the buffer on: any multiple of the element's size.
    #[must_use]
    pub fn at(mut self, offset: impl Count) -> Self {
        self.placement.offset = offset.to_u64();
        self
    }

    /// The same view with rows that begin this many bytes after each other: a multiple of the element's size,
    /// and at least the bytes of a row. A row is the last dimension of [`Region::local_shape`].
    #[must_use]
    pub fn row_pitch(mut self, bytes: impl Count) -> Self {
        self.placement.row_pitch = Some(bytes.to_u64());
        self
    }

    /// A view of a placement in `buffer`.
    pub fn from_placement(buffer: &'a A::Buffer, placement: Placement<'a>) -> Self {
        Self { buffer: Cow::Borrowed(buffer), placement }
    }

    /// The rows in this range, the first dimension's, as a view of a tensor of their own: query, key or value of a
    /// weight that holds all three in rows, or the forget gate of a bias. The offset follows from the element
    /// type.
    ///
    /// ```no_run
    /// # #[cfg(feature = "wgpu")]
    /// # fn f(arena: &wgpu::Buffer) -> Result<(), seedbed::Error> {
    /// use seedbed::TensorView;
    ///
    /// let fused = TensorView::bf16(arena, [3 * 768, 768]).at(4096);
    /// let key = fused.rows(768..2 * 768)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::ShardOutOfRange`] for rows that the tensor does not have, [`Error::PartOfPart`] for a view of a
    /// range of elements, a shard or ranges of indices.
    pub fn rows<C: Count>(&self, rows: Range<C>) -> Result<Self, Error> {
        Ok(Self { buffer: self.buffer.clone(), placement: self.placement.rows(rows)? })
    }

    /// The columns in this range, the last dimension's, as a view of a tensor of their own, whose row pitch is that
    /// of this view: query, key or value of a weight that holds all three in columns.
    ///
    /// # Errors
    /// The errors of [`Self::rows`].
    pub fn columns<C: Count>(&self, columns: Range<C>) -> Result<Self, Error> {
        Ok(Self { buffer: self.buffer.clone(), placement: self.placement.columns(columns)? })
    }

    /// The slice at this index of the first dimension, as a view of a tensor of its own without that dimension: one
    /// expert of a stack.
    ///
    /// # Errors
    /// The errors of [`Self::rows`].
    pub fn slice(&self, index: impl Count) -> Result<Self, Error> {
        Ok(Self { buffer: self.buffer.clone(), placement: self.placement.slice(index)? })
    }

    /// The first offset after this view that is a multiple of [`Self::ALIGNMENT`]: where the next tensor of an
    /// arena may begin.
    ///
    /// # Errors
    /// The errors of [`Self::bytes`].
    pub fn next_offset(&self) -> Result<u64, Error> {
        Ok(self.bytes()?.end.next_multiple_of(Self::ALIGNMENT))
    }

    /// The same view with its own handle of the buffer and its own copy of the shape. The buffer lives at
    /// least as long as the view.
    #[must_use]
    pub fn into_owned(self) -> TensorView<'static, A> {
        let Self { buffer, placement } = self;
        TensorView { buffer: Cow::Owned(buffer.into_owned()), placement: placement.into_owned() }
    }

    /// The buffer.
    pub fn buffer(&self) -> &A::Buffer {
        &self.buffer
    }

    /// The elements and their place in the buffer: region, element type, byte offset and row pitch.
    /// [`host::fill_buffer`](crate::host::fill_buffer) takes the placement and writes the same bytes into
    /// memory.
    pub fn placement(&self) -> &Placement<'a> {
        &self.placement
    }

    /// The range of bytes of the buffer from the first to the last element, padding between rows included.
    ///
    /// # Errors
    /// The errors of a fill about the region, the offset, the row pitch and the buffer's size.
    pub fn bytes(&self) -> Result<Range<u64>, Error> {
        self.placement.bytes(A::size(&self.buffer))
    }

    pub(super) fn destination(&self, buffer: u32) -> Destination {
        let can_clear = contains::<A>(A::usages(&self.buffer), A::COPY_DST);
        Destination { buffer, size: A::size(&self.buffer), can_clear }
    }
}

/// Checks the usages of a buffer.
///
/// # Errors
/// [`Error::MissingUsage`].
pub(super) fn check_usage<A: Api>(buffer: &A::Buffer, needed: A::BufferUsages) -> Result<(), Error> {
    let actual = A::usages(buffer);
    if contains::<A>(actual, needed) {
        return Ok(());
    }
    Err(Error::MissingUsage { needed: format!("{needed:?}"), actual: format!("{actual:?}") })
}

fn contains<A: Api>(usages: A::BufferUsages, needed: A::BufferUsages) -> bool {
    usages & needed == needed
}
