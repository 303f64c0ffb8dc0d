//! Fills of host memory, on all cores.

use std::cell::RefCell;
use std::sync::Arc;

use bytemuck::Pod;

use super::parallel::{PART, in_parallel, in_parts, share};
use super::simd::vectorised;
#[cfg(not(any(feature = "threads", feature = "vectors")))]
use super::spans::Span;
use super::spans::{TileSpans, contiguous_spans};
#[cfg(any(feature = "threads", feature = "vectors"))]
use super::tile::BLOCKS;
use super::tile::{ELEMENTS, Workspace};
use super::{cache_line, orthogonal};
use crate::dtype::DType;
use crate::error::Error;
use crate::init::Init;
use crate::init::kernel_args::{Generator, KernelArgs};
use crate::key::Key;
use crate::layout::placement::Placement;
use crate::layout::region::Region;
use crate::layout::selection::Selection;
use crate::layout::shape::IntoShape;
use crate::math::exp::exp;
use crate::math::philox::BLOCK;
use crate::math::rounding::{round_to_bf16, round_to_f16};
use crate::math::truncated_normal::{QuantileTable, Truncation, truncated_normal};
use crate::math::uniform;

/// An element type of host memory: f32, [`half::f16`] or [`half::bf16`], and no other.
pub trait Element: Pod + Send + Sync + private::Rounded {
    /// The element type's name.
    const DTYPE: DType;
}

mod private {
    pub trait Rounded {
        /// Rounds a distribution's value once, to nearest even.
        fn rounded(value: f32) -> Self;
    }
}

use private::Rounded;

impl Element for f32 {
    const DTYPE: DType = DType::F32;
}

impl Rounded for f32 {
    #[inline(always)]
    fn rounded(value: f32) -> Self {
        value
    }
}

impl Element for half::f16 {
    const DTYPE: DType = DType::F16;
}

impl Rounded for half::f16 {
    #[inline(always)]
    fn rounded(value: f32) -> Self {
        Self::from_bits(round_to_f16(value.to_bits()))
    }
}

impl Element for half::bf16 {
    const DTYPE: DType = DType::BF16;
}

impl Rounded for half::bf16 {
    #[inline(always)]
    fn rounded(value: f32) -> Self {
        Self::from_bits(round_to_bf16(value.to_bits()))
    }
}

/// Initialises `destination` with the elements of `region`: the same bits that
/// [`FillRecorder::fill`](crate::FillRecorder::fill) writes on every device.
///
/// ```
/// use seedbed::{Init, Key, half::bf16, host};
///
/// let mut weight = vec![0.0_f32; 768 * 3072];
/// host::fill(&mut weight, [768, 3072], &Init::xavier_normal(), Key::new(42).named("mlp.weight"))?;
/// let mut half = vec![bf16::ZERO; 768];
/// host::fill(&mut half, [768], &Init::uniform(-0.1, 0.1), Key::new(42).named("mlp.bias"))?;
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// # Errors
/// The errors of the initialiser and of the region; [`Error::LengthMismatch`] unless `destination` has
/// exactly as many elements as the region.
pub fn fill<'a, E: Element>(
    destination: &mut [E],
    region: impl Into<Region<'a>>,
    init: &Init,
    key: Key,
) -> Result<(), Error> {
    let region = region.into();
    let args = init.kernel_args(region.shape(), E::DTYPE)?;
    let selection = checked(&region, destination.len())?;
    if !destination.is_empty() {
        Source::new(&args, key)?.write(destination, &selection);
    }
    Ok(())
}

/// Checks that the host can fill a tensor of this shape, without a tensor: the initialiser, the shape, and
/// the memory that an orthogonal matrix takes.
///
/// # Errors
/// The errors of [`fill`] that are not about the destination.
pub fn check<'a>(init: &Init, dtype: DType, shape: impl IntoShape<'a>) -> Result<(), Error> {
    match init.kernel_args(&shape.into_shape(), dtype)? {
        KernelArgs { generator: Generator::Copy, matrix, .. } => {
            orthogonal::has_memory(matrix.rows, matrix.columns)
        }
        _ => Ok(()),
    }
}

/// Does what [`fill`] does, for an element type that is known only at run time: writes the elements to
/// `destination` one after the other, in this machine's byte order. The elements need not be aligned in memory;
/// unaligned elements are computed in the pieces of [`fill_buffer`].
///
/// # Errors
/// The errors of [`fill`]; [`Error::DTypeMismatch`] for [`DType::U32`].
pub fn fill_bytes<'a>(
    destination: &mut [u8],
    dtype: DType,
    region: impl Into<Region<'a>>,
    init: &Init,
    key: Key,
) -> Result<(), Error> {
    write_rows(destination, dtype, None, &region.into(), init, key)
}

/// Rows of host memory, in bytes.
#[derive(Clone, Copy)]
struct Rows {
    len: usize,
    /// The distance from the beginning of one row to the beginning of the next.
    pitch: usize,
}

/// Writes the elements of a region to rows, or one after the other.
fn write_rows(
    memory: &mut [u8],
    dtype: DType,
    rows: Option<Rows>,
    region: &Region<'_>,
    init: &Init,
    key: Key,
) -> Result<(), Error> {
    if dtype == DType::U32 {
        return Err(Error::DTypeMismatch { operation: "an initialiser", dtype, expected: DType::F32 });
    }
    let (len, size) = (memory.len(), dtype.size() as usize);
    let args = init.kernel_args(region.shape(), dtype)?;
    let selection = match rows {
        Some(_) => region.selection()?,
        None => checked(region, len.div_ceil(size))?,
    };
    if rows.is_none() && !len.is_multiple_of(size) {
        let expected = selection.elements();
        return Err(Error::LengthMismatch { expected, actual: expected - 1 });
    }
    if memory.is_empty() {
        return Ok(());
    }
    let source = Source::new(&args, key)?;
    if rows.is_none() && source.write_bytes(memory, dtype, &selection, None) {
        return Ok(());
    }
    // Writes whole rows, the first of which holds the elements from this position on.
    let write = |position: usize, bytes: &mut [u8], rows: Rows| {
        let position = Some(position as u64);
        if rows.len == bytes.len() && source.write_bytes(bytes, dtype, &selection, position) {
            return;
        }
        let len = bytes.len().div_ceil(rows.pitch) * rows.len;
        let mut words = vec![0_u32; len.div_ceil(4)];
        let packed = &mut bytemuck::cast_slice_mut(&mut words)[..len];
        source.write_bytes(packed, dtype, &selection, position);
        for (to, from) in bytes.chunks_mut(rows.pitch).zip(packed.chunks(rows.len)) {
            to[..from.len()].copy_from_slice(from);
        }
    };
    let rows = rows.unwrap_or(Rows { len, pitch: len });
    let row = rows.len / size;
    match PART / row {
        // Long rows are cut into pieces, which all cores write.
        0 | 1 => {
            let mut pieces: Vec<(usize, &mut [u8])> = Vec::new();
            for (number, bytes) in memory.chunks_mut(rows.pitch).enumerate() {
                let cut = bytes[..rows.len].chunks_mut(PART * size).enumerate();
                pieces.extend(cut.map(|(piece, bytes)| (number * row + piece * PART, bytes)));
            }
            in_parts(&mut pieces, 1, |_, pieces| {
                for (position, bytes) in pieces {
                    let len = bytes.len();
                    write(*position, bytes, Rows { len, pitch: len });
                }
            });
        }
        // Several short rows are a piece.
        count => {
            // The pitch of a single row may be any number.
            let pitch = rows.pitch.min(len);
            in_parts(memory, pitch.saturating_mul(count), |at, bytes| {
                write(at / pitch * row, bytes, Rows { pitch, ..rows });
            });
        }
    }
    Ok(())
}

/// Writes the bytes of a fill into `memory`, which stands for the fill's buffer: at the placement's offset,
/// with the placement's row pitch, in this machine's byte order. All other bytes stay unchanged.
///
/// Each [`Fill`](crate::Fill) of a list gives its placement, initialiser and key, so a test needs no second
/// list. If the rows have padding or the elements are not aligned in memory, each thread computes pieces of at most
/// 256 KiB in memory of its own, and copies them. An orthogonal matrix is an exception: every fill on the host first
/// computes the whole matrix, in f32.
///
/// ```
/// use seedbed::program::Placement;
/// use seedbed::{DType, Init, Key, host};
///
/// // Two rows of three elements, 16 bytes apart, from byte 8 on.
/// let placement = Placement { offset: 8, row_pitch: Some(16), ..Placement::new(DType::F32, [2, 3]) };
/// let mut arena = [0xFF; 40];
/// host::fill_buffer(&mut arena, &placement, &Init::zeros(), Key::new(0))?;
/// let expected = [&[0xFF; 8][..], &[0; 12], &[0xFF; 4], &[0; 12], &[0xFF; 4]].concat();
/// assert_eq!(arena[..], expected);
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// # Errors
/// The errors of the initialiser and of the placement; [`Error::BufferTooSmall`] if the tensor reaches past the
/// end of `memory`. On an error nothing is written.
pub fn fill_buffer(memory: &mut [u8], placement: &Placement<'_>, init: &Init, key: Key) -> Result<(), Error> {
    let Placement { dtype, ref region, .. } = *placement;
    let bytes = placement.bytes_in_memory(memory.len() as u64)?;
    let memory = &mut memory[bytes.start as usize..bytes.end as usize];
    let row = region.local_shape().last().copied().unwrap_or(1) * dtype.size();
    let rows = match placement.row_pitch {
        // The row lies in memory, so its length fits `usize`. The pitch of a single row need not.
        Some(pitch) if pitch != row && !memory.is_empty() => {
            Some(Rows { len: row as usize, pitch: usize::try_from(pitch).unwrap_or(usize::MAX) })
        }
        _ => None,
    };
    write_rows(memory, dtype, rows, region, init, key)
}

/// Writes the raw words of the stream: element `e` is word `e % 4` of block `e / 4`.
///
/// # Errors
/// The errors of the region; [`Error::LengthMismatch`] unless `destination` has exactly as many elements.
pub fn fill_words<'a>(destination: &mut [u32], region: impl Into<Region<'a>>, key: Key) -> Result<(), Error> {
    let selection = &checked(&region.into(), destination.len())?;
    each_part(destination, selection, |first, part| {
        tiles(
            part,
            selection,
            first,
            #[inline(always)]
            move |tile| tile.words(key),
            #[inline(always)]
            |word| word,
        );
    });
    Ok(())
}

fn checked(region: &Region<'_>, actual: usize) -> Result<Selection, Error> {
    let selection = region.selection()?;
    let (expected, actual) = (selection.elements(), actual as u64);
    if expected != actual {
        return Err(Error::LengthMismatch { expected, actual });
    }
    Ok(selection)
}

/// A source of elements: a distribution, its stream, and what is computed once for all elements.
struct Source<'a> {
    args: &'a KernelArgs,
    key: Key,
    /// The table of a truncated normal distribution.
    table: Option<Arc<QuantileTable>>,
    /// The elements of an orthogonal matrix.
    matrix: Vec<f32>,
}

thread_local! {
    /// The table that this thread used last. A table takes as long to make as thousands of elements, and a caller may fill
    /// a tensor in many small parts. A list that threads share would need a lock, which a process that is forked
    /// meanwhile would find locked forever.
    static LAST_TABLE: RefCell<Option<(Truncation, Arc<QuantileTable>)>> = const { RefCell::new(None) };
}

fn table(truncation: Truncation) -> Arc<QuantileTable> {
    LAST_TABLE.with_borrow_mut(|last| match last {
        Some((of, table)) if *of == truncation => table.clone(),
        _ => last.insert((truncation, Arc::new(truncated_normal(truncation)))).1.clone(),
    })
}

impl<'a> Source<'a> {
    /// # Errors
    /// [`Error::OutOfMemory`].
    fn new(args: &'a KernelArgs, key: Key) -> Result<Self, Error> {
        let matrix = match args.generator {
            Generator::Copy => orthogonal::orthogonal(key, args.matrix.rows, args.matrix.columns)?,
            _ => Vec::new(),
        };
        Ok(Self { args, key, table: args.truncation.map(table), matrix })
    }

    /// Writes elements of this type to bytes: the whole selection on all cores, or its elements from a position on,
    /// on this thread. Returns whether the bytes are whole elements in memory; if not, nothing is written.
    fn write_bytes(&self, bytes: &mut [u8], dtype: DType, selection: &Selection, first: Option<u64>) -> bool {
        fn elements<E: Element>(
            source: &Source<'_>,
            bytes: &mut [u8],
            selection: &Selection,
            first: Option<u64>,
        ) -> bool {
            let Ok(elements) = bytemuck::try_cast_slice_mut::<u8, E>(bytes) else { return false };
            match first {
                Some(first) => source.write_part(elements, selection, first),
                None => source.write(elements, selection),
            }
            true
        }
        match dtype {
            DType::F32 => elements::<f32>(self, bytes, selection, first),
            DType::F16 => elements::<half::f16>(self, bytes, selection, first),
            DType::BF16 => elements::<half::bf16>(self, bytes, selection, first),
            DType::U32 => unreachable!("no initialiser makes raw words"),
        }
    }

    /// Writes a selection, on all cores.
    fn write<E: Element>(&self, destination: &mut [E], selection: &Selection) {
        if IS_MANY_PARTS && self.args.generator == Generator::Constant {
            // Parts of mostly zeros are large, because memset bypasses the caches for large ones.
            let size = if is_memset(self.constant::<E>()) { share(destination.len()) } else { PART };
            let (head, body) = cache_line::split_at_line(destination, 0, 1);
            self.write_part(head, selection, 0);
            return in_parts(body, size, |_, part| self.write_part(part, selection, 0));
        }
        each_part(destination, selection, |first, part| self.write_part(part, selection, first));
    }

    /// The element of a constant.
    fn constant<E: Element>(&self) -> E {
        E::rounded(f32::from_bits(self.args.value))
    }

    /// Writes the elements of a selection from position `first` on, on this thread.
    fn write_part<E: Element>(&self, part: &mut [E], selection: &Selection, first: u64) {
        let key = self.key;
        let KernelArgs { mean, std, low, range, min, max, matrix, identity, zeros, .. } = *self.args;
        match self.args.generator {
            Generator::Constant => {
                let value = self.constant::<E>();
                if is_memset(value) {
                    return bytemuck::cast_slice_mut(part).fill(bytemuck::bytes_of(&value)[0]);
                }
                vectorised(
                    #[inline(always)]
                    || part.fill(value),
                );
            }
            Generator::Words => unreachable!("no initialiser makes raw words"),
            Generator::Uniform => tiles(
                part,
                selection,
                first,
                #[inline(always)]
                move |tile| tile.words(key),
                #[inline(always)]
                move |word| E::rounded(uniform::uniform(word, low, range, max)),
            ),
            Generator::Normal => tiles(
                part,
                selection,
                first,
                #[inline(always)]
                move |tile| tile.normals(key),
                #[inline(always)]
                move |z| E::rounded(z * std + mean),
            ),
            Generator::LogNormal => tiles(
                part,
                selection,
                first,
                #[inline(always)]
                move |tile| tile.normals(key),
                #[inline(always)]
                move |z| E::rounded(exp(z * std + mean)),
            ),
            Generator::TruncNormal => {
                let Some(table) = self.table.as_deref() else {
                    unreachable!("a truncated normal has its bounds")
                };
                tiles(
                    part,
                    selection,
                    first,
                    #[inline(always)]
                    move |tile| tile.quantiles(key, table),
                    #[inline(always)]
                    move |z| E::rounded(uniform::within(z * std + mean, min, max)),
                );
            }
            Generator::Identity => tiles(
                part,
                selection,
                first,
                #[inline(always)]
                move |tile| tile.indexes(matrix),
                #[inline(always)]
                move |index| E::rounded(identity.value(index)),
            ),
            Generator::Sparse => tiles(
                part,
                selection,
                first,
                #[inline(always)]
                move |tile| tile.sparse(key, matrix, zeros, std),
                E::rounded,
            ),
            Generator::Copy => {
                for (element, dst_range) in contiguous_spans(selection, first, part.len()) {
                    let from = &self.matrix[element as usize..][..dst_range.len()];
                    part[dst_range].iter_mut().zip(from).for_each(|(to, from)| *to = E::rounded(from * std));
                }
            }
        }
    }
}

/// Whether a destination is written in parts. On one thread and without wide vectors one part is enough, and
/// WebAssembly is that much smaller.
const IS_MANY_PARTS: bool = cfg!(any(feature = "threads", feature = "vectors"));

/// Whether all bytes of an element are equal.
fn is_memset<E: Pod>(value: E) -> bool {
    let bytes = bytemuck::bytes_of(&value);
    bytes.iter().all(|byte| *byte == bytes[0])
}

/// Calls `write` with each part of a destination and the position of the part's first element, on all cores.
fn each_part<T: Send>(
    destination: &mut [T],
    selection: &Selection,
    write: impl Fn(u64, &mut [T]) + Sync + Copy,
) {
    if !IS_MANY_PARTS {
        return write(0, destination);
    }
    let Some(start) = selection.as_run() else {
        return in_parallel(destination, selection.run_len() as usize, |at, part| write(at as u64, part));
    };
    // The head ends where a block begins, so that all parts of the body begin with a block.
    let ragged = (start.next_multiple_of(BLOCK) - start).min(destination.len() as u64);
    let (head, body) = cache_line::split_at_line(destination, ragged as usize, BLOCK as usize);
    let first = head.len() as u64;
    if first > 0 {
        write(0, head);
    }
    in_parallel(body, BLOCK as usize, |at, part| write(first + at as u64, part));
}

/// Writes the first values of `from`, as many as `to` has room for.
#[cfg_attr(feature = "vectors", inline(always))]
#[cfg_attr(not(feature = "vectors"), inline(never))]
fn put<V: Copy, T>(to: &mut [T], from: &[V], finish: impl Fn(V) -> T) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = finish(*from));
}

/// Writes the elements of a selection from position `first` on. `values` computes the values of a tile's elements;
/// `finish` turns a value into an element.
///
/// The loop copies both functions, so that the parameters which they own are in registers. Parameters behind a
/// pointer could be overwritten by the destination, as far as the compiler knows, and it would load them anew
/// for every element.
#[cfg(any(feature = "threads", feature = "vectors"))]
fn tiles<V: Copy, T>(
    part: &mut [T],
    selection: &Selection,
    first: u64,
    values: impl Fn(&mut Workspace) -> &[V; ELEMENTS] + Copy,
    finish: impl Fn(V) -> T + Copy,
) {
    let Some(start) = selection.as_run() else {
        return vectorised(
            #[inline(always)]
            || {
                let (values, finish) = (values, finish);
                let (mut tile, mut spans) = (Workspace::new(), TileSpans::of(selection, first, part.len()));
                while let Some(end) = spans.next(&mut tile) {
                    cache_line::prefetch_write(&part[end..part.len().min(end + ELEMENTS)]);
                    let values = values(&mut tile);
                    for span in spans.of_tile() {
                        put(&mut part[span.dst_range.clone()], &values[span.from..], finish);
                    }
                }
            },
        );
    };
    let start = start + first;
    let ragged = (start.next_multiple_of(BLOCK) - start).min(part.len() as u64);
    let (head, body) = part.split_at_mut(ragged as usize);
    if !head.is_empty() {
        let mut tile = Workspace::new();
        put(head, &values(tile.follow(start / BLOCK))[(start % BLOCK) as usize..], finish);
    }
    let first = start.div_ceil(BLOCK);
    vectorised(
        #[inline(always)]
        || {
            let (values, finish) = (values, finish);
            let mut tile = Workspace::new();
            let (mut first, mut part) = (first, body);
            while !part.is_empty() {
                let (now, later) = part.split_at_mut(ELEMENTS.min(part.len()));
                cache_line::prefetch_write(&later[..later.len().min(ELEMENTS)]);
                put(now, values(tile.follow(first)), finish);
                (first, part) = (first + BLOCKS as u64, later);
            }
        },
    );
}

/// Writes the elements of a selection from position `first` on. On one thread and without wide vectors all fills
/// share the loop over tiles: WebAssembly is that much smaller.
#[cfg(not(any(feature = "threads", feature = "vectors")))]
fn tiles<V: Copy, T>(
    part: &mut [T],
    selection: &Selection,
    first: u64,
    values: impl Fn(&mut Workspace) -> &[V; ELEMENTS],
    finish: impl Fn(V) -> T + Copy,
) {
    let len = part.len();
    each_tile(selection, first, len, &mut |tile, spans| {
        let values = values(tile);
        for span in spans {
            put(&mut part[span.dst_range.clone()], &values[span.from..], finish);
        }
    });
}

/// Calls `write` for each tile of `len` elements of a selection, with the tile's spans.
#[cfg(not(any(feature = "threads", feature = "vectors")))]
fn each_tile(selection: &Selection, first: u64, len: usize, write: &mut dyn FnMut(&mut Workspace, &[Span])) {
    let (mut tile, mut spans) = (Workspace::new(), TileSpans::of(selection, first, len));
    while spans.next(&mut tile).is_some() {
        write(&mut tile, spans.of_tile());
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of one range")]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::host::parallel::PART;

    #[test]
    fn a_part_holds_what_the_whole_holds_there() {
        let (key, init, len) = (Key::new(3), Init::normal(0.5, 2.0), 3 * PART as u64 + 5);
        let mut whole = vec![0.0; len as usize];
        fill(&mut whole, [len], &init, key).unwrap();
        for range in [0..1, 1..3, 2..2, 3..4, 3..9, 5..len, PART as u64 - 1..2 * PART as u64 + 2] {
            let mut part = vec![0.0; (range.end - range.start) as usize];
            fill(&mut part, Region::from(&[len]).elements(range.clone()), &init, key).unwrap();
            assert_eq!(part, whole[range.start as usize..range.end as usize], "{range:?}");
        }
    }

    #[test]
    fn elements_do_not_depend_on_their_address() {
        fn check<E: Element>(init: &Init, first: u64) {
            let (key, len) = (Key::new(8), PART + ELEMENTS + 7);
            let whole = |range: Range<u64>| Region::from(&[1 << 20]).elements(range);
            let bits = |elements: &[E]| bytemuck::cast_slice::<E, u8>(elements).to_vec();
            // Slices that are too short to be split at a cache line.
            let mut expected = vec![E::rounded(0.0); len];
            for (i, span) in expected.chunks_mut(1000).enumerate() {
                let at = first + 1000 * i as u64;
                fill(span, whole(at..at + span.len() as u64), init, key).unwrap();
            }
            for offset in 0..64 / size_of::<E>() {
                let mut memory = vec![E::rounded(-77.0); offset + len + 40];
                fill(&mut memory[offset..offset + len], whole(first..first + len as u64), init, key).unwrap();
                let (before, rest) = memory.split_at(offset);
                let (filled, behind) = rest.split_at(len);
                assert!(bits(filled) == bits(&expected), "{init:?}, {} at {offset}", E::DTYPE);
                let untouched = |x: &E| bits(&[*x]) == bits(&[E::rounded(-77.0)]);
                assert!(before.iter().chain(behind).all(untouched), "{init:?}, {} at {offset}", E::DTYPE);
            }
        }
        let truncated = Init::TruncNormal { mean: 0.0, std: 1.0, a: -1.0, b: 2.0 };
        for init in [Init::normal(0.5, 2.0), Init::uniform(-1.0, 1.0), truncated, Init::constant(0.1)] {
            for first in [0, 3] {
                check::<f32>(&init, first);
                check::<half::f16>(&init, first);
                check::<half::bf16>(&init, first);
            }
        }
    }

    #[test]
    fn a_destination_of_another_length_is_refused() {
        let error = fill(&mut [0.0_f32; 5], [2, 3], &Init::Ones, Key::new(0)).unwrap_err();
        assert_eq!(error, Error::LengthMismatch { expected: 6, actual: 5 });
        for len in [11, 13] {
            let error = fill_bytes(&mut vec![0; len], DType::F16, [6], &Init::Ones, Key::new(0)).unwrap_err();
            assert!(matches!(error, Error::LengthMismatch { .. }), "{len}: {error}");
        }
    }

    #[test]
    fn a_buffer_in_memory_may_end_within_a_word_and_begin_anywhere() {
        let (init, key, shape) = (Init::normal(0.0, 1.0), Key::new(5), [3, 3]);
        let mut packed = [0; 18];
        fill_bytes(&mut packed, DType::BF16, shape, &init, key).unwrap();
        let placement = Placement { offset: 2, ..Placement::new(DType::BF16, shape) };
        let padded = Placement { row_pitch: Some(8), ..placement.clone() };
        let mut memory = vec![0xA5; 64];
        for start in 0..4 {
            for (placement, pitch) in [(&placement, 6), (&padded, 8)] {
                memory.fill(0xA5);
                let mut expected = memory.clone();
                for (row, values) in packed.chunks(6).enumerate() {
                    expected[start + 2 + pitch * row..][..6].copy_from_slice(values);
                }
                let end = start + 2 + 2 * pitch + 6;
                let before = memory.clone();
                let short = fill_buffer(&mut memory[start..end - 1], placement, &init, key).unwrap_err();
                assert!(matches!(short, Error::BufferTooSmall { .. }), "{short}");
                assert_eq!(memory, before);
                fill_buffer(&mut memory[start..end], placement, &init, key).unwrap();
                assert_eq!(memory, expected, "{start} {pitch}");
            }
        }
        let words = Placement::new(DType::U32, shape);
        let error = fill_buffer(&mut memory, &words, &init, key).unwrap_err();
        assert!(matches!(error, Error::DTypeMismatch { .. }), "{error}");
    }

    #[test]
    fn bytes_between_two_elements_hold_the_same() {
        let (init, key) = (Init::normal(0.0, 1.0), Key::new(5));
        let mut aligned = vec![0.0_f32; 9];
        fill(&mut aligned, [9], &init, key).unwrap();
        let mut bytes = [0; 40];
        for offset in 0..4 {
            let bytes = &mut bytes[offset..offset + 36];
            fill_bytes(bytes, DType::F32, [9], &init, key).unwrap();
            assert_eq!(bytes, bytemuck::cast_slice::<f32, u8>(&aligned));
        }
    }

    /// Rows of any length, also of several pieces, at every alignment: as the packed elements have them.
    #[test]
    fn rows_of_any_length_hold_what_packed_rows_hold() {
        fn check<E: Element>(init: &Init, region: &Region<'_>, padding: u64, start: usize) {
            let (key, size, dtype) = (Key::new(6), size_of::<E>() as u64, E::DTYPE);
            let count = region.element_count().unwrap() as usize;
            let mut packed = vec![E::rounded(0.0); count];
            fill(&mut packed, region.clone(), init, key).unwrap();
            let row = (region.local_shape().last().copied().unwrap() * size) as usize;
            let pitch = row + (padding * size) as usize;
            let rows = count * size as usize / row;
            let mut expected = vec![0xA5; start + (rows - 1) * pitch + row + 9];
            let mut memory = expected.clone();
            for (number, values) in bytemuck::cast_slice::<E, u8>(&packed).chunks(row).enumerate() {
                expected[start + number * pitch..][..row].copy_from_slice(values);
            }
            let placement =
                Placement { row_pitch: Some(pitch as u64), ..Placement::new(dtype, region.clone()) };
            fill_buffer(&mut memory[start..], &placement, init, key).unwrap();
            assert!(memory == expected, "{init:?} {dtype} {region:?} {padding} {start}");
        }
        let long = PART as u64;
        for (shape, part) in [
            ([3, 2 * long + 5], None),
            ([2, long], Some([vec![0..1], vec![3..long - 2]])),
            ([3, long / 2 + 1], None),
            ([5, long / 2], Some([vec![0..1, 2..3, 4..5], vec![1..long / 2]])),
            ([4000, 40], Some([vec![0..100, 150..4000], vec![0..17, 20..21, 30..40]])),
            ([70_000, 1], None),
        ] {
            let whole = Region::from(shape);
            let region = if let Some(part) = part { whole.ranges(part) } else { whole };
            for init in [
                Init::normal(0.0, 1.0),
                Init::trunc_normal(0.0, 1.0, -2.0, 2.0),
                Init::Ones,
                Init::sparse(0.3),
            ] {
                for (padding, start) in [(0, 1), (1, 0), (3, 4), (7, 3)] {
                    check::<f32>(&init, &region, padding, start);
                    check::<half::bf16>(&init, &region, padding, start);
                }
            }
        }
        for padding in [1, 4] {
            let part = Region::from([300, 41]).ranges([vec![250..300, 0..40], vec![3..5, 7..40]]);
            check::<half::f16>(&Init::orthogonal(), &part, padding, 1);
        }
    }

    /// The pitch of a single row may be any number, also one that `usize` can't hold.
    #[test]
    fn a_single_row_has_any_pitch() {
        let (init, key) = (Init::normal(0.0, 1.0), Key::new(5));
        let mut expected = [0.0_f32; 9];
        fill(&mut expected, [9], &init, key).unwrap();
        for pitch in [40, 1 << 40, (1 << 63) - 8] {
            let placement = Placement { row_pitch: Some(pitch), ..Placement::new(DType::F32, [1, 9]) };
            let mut memory = [0.0_f32; 9];
            fill_buffer(bytemuck::cast_slice_mut(&mut memory), &placement, &init, key).unwrap();
            assert_eq!(memory, expected, "{pitch}");
        }
    }
}
