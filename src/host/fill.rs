//! Fills of host memory, on all cores.

use bytemuck::Pod;

use super::parallel::{in_parallel, in_parts, share};
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
use crate::layout::runs::StridedRuns;
use crate::layout::shape::IntoShape;
use crate::math::exp::exp;
#[cfg(any(feature = "threads", feature = "vectors"))]
use crate::math::philox::BLOCK;
use crate::math::rounding::{round_to_bf16, round_to_f16};
use crate::math::truncated_normal::truncated_normal;
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
    let runs = checked(&region, destination.len())?;
    write(destination, &runs, &args, key)
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
/// `destination` one after the other, in this machine's byte order.
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
    let region = region.into();
    match dtype {
        DType::F32 => bytes::<f32>(destination, region, init, key),
        DType::F16 => bytes::<half::f16>(destination, region, init, key),
        DType::BF16 => bytes::<half::bf16>(destination, region, init, key),
        DType::U32 => Err(Error::DTypeMismatch { operation: "an initialiser", dtype, expected: DType::F32 }),
    }
}

fn bytes<E: Element>(destination: &mut [u8], region: Region<'_>, init: &Init, key: Key) -> Result<(), Error> {
    if let Ok(elements) = bytemuck::try_cast_slice_mut::<u8, E>(destination) {
        return fill(elements, region, init, key);
    }
    // The bytes are not aligned to elements, or end within one: fill aligned memory and copy it.
    let whole = destination.len().div_ceil(size_of::<E>());
    let mut elements = vec![E::rounded(0.0); whole];
    fill(&mut elements, region, init, key)?;
    let bytes = bytemuck::cast_slice::<E, u8>(&elements);
    if bytes.len() != destination.len() {
        return Err(Error::LengthMismatch { expected: whole as u64, actual: whole as u64 - 1 });
    }
    destination.copy_from_slice(bytes);
    Ok(())
}

/// Writes the bytes of a fill into `memory`, which stands for the fill's buffer: at the placement's offset,
/// with the placement's row pitch, in this machine's byte order. All other bytes stay unchanged.
///
/// Each [`Fill`](crate::Fill) of a list gives its placement, initialiser and key, so a test needs no second
/// list. If the rows have padding or the elements are not aligned in memory, the call makes a second copy of the
/// tensor.
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
    match placement.row_pitch {
        Some(pitch) if pitch != row && !memory.is_empty() => {
            let mut packed = vec![0; (region.element_count()? * dtype.size()) as usize];
            fill_bytes(&mut packed, dtype, region.clone(), init, key)?;
            for (to, from) in memory.chunks_mut(pitch as usize).zip(packed.chunks(row as usize)) {
                to[..from.len()].copy_from_slice(from);
            }
            Ok(())
        }
        _ => fill_bytes(memory, dtype, region.clone(), init, key),
    }
}

/// Writes the raw words of the stream: element `e` is word `e % 4` of block `e / 4`.
///
/// # Errors
/// The errors of the region; [`Error::LengthMismatch`] unless `destination` has exactly as many elements.
pub fn fill_words<'a>(destination: &mut [u32], region: impl Into<Region<'a>>, key: Key) -> Result<(), Error> {
    let runs = checked(&region.into(), destination.len())?;
    tiles(
        destination,
        &runs,
        #[inline(always)]
        move |tile| tile.words(key),
        #[inline(always)]
        |word| word,
    );
    Ok(())
}

fn checked(region: &Region<'_>, actual: usize) -> Result<StridedRuns, Error> {
    let runs = region.runs()?;
    let (expected, actual) = (runs.elements(), actual as u64);
    if expected != actual {
        return Err(Error::LengthMismatch { expected, actual });
    }
    Ok(runs)
}

fn write<E: Element>(
    destination: &mut [E],
    runs: &StridedRuns,
    args: &KernelArgs,
    key: Key,
) -> Result<(), Error> {
    if destination.is_empty() {
        return Ok(());
    }
    let KernelArgs { mean, std, low, range, min, max, matrix, identity, zeros, .. } = *args;
    match args.generator {
        Generator::Constant => {
            let value = E::rounded(f32::from_bits(args.value));
            match bytemuck::bytes_of(&value) {
                // Mostly zeros. Parts are large, because memset bypasses the caches for large ones.
                [byte, rest @ ..] if rest.iter().all(|other| other == byte) => {
                    let bytes = bytemuck::cast_slice_mut(destination);
                    in_parts(bytes, share(bytes.len()), |_, part| part.fill(*byte));
                }
                _ => {
                    let (head, body) = cache_line::split_at_line(destination, 0, 1);
                    head.fill(value);
                    in_parallel(body, 1, |_, part| {
                        vectorised(
                            #[inline(always)]
                            || part.fill(value),
                        );
                    });
                }
            }
        }
        Generator::Words => unreachable!("no initialiser makes raw words"),
        Generator::Uniform => tiles(
            destination,
            runs,
            #[inline(always)]
            move |tile| tile.words(key),
            #[inline(always)]
            move |word| E::rounded(uniform::uniform(word, low, range, max)),
        ),
        Generator::Normal => tiles(
            destination,
            runs,
            #[inline(always)]
            move |tile| tile.normals(key),
            #[inline(always)]
            move |z| E::rounded(z * std + mean),
        ),
        Generator::LogNormal => tiles(
            destination,
            runs,
            #[inline(always)]
            move |tile| tile.normals(key),
            #[inline(always)]
            move |z| E::rounded(exp(z * std + mean)),
        ),
        Generator::TruncNormal => {
            let Some(truncation) = args.truncation else { unreachable!("a truncated normal has its bounds") };
            let table = &truncated_normal(truncation);
            tiles(
                destination,
                runs,
                #[inline(always)]
                move |tile| tile.quantiles(key, table),
                #[inline(always)]
                move |z| E::rounded(uniform::within(z * std + mean, min, max)),
            );
        }
        Generator::Identity => tiles(
            destination,
            runs,
            #[inline(always)]
            move |tile| tile.indexes(matrix),
            #[inline(always)]
            move |index| E::rounded(identity.value(index)),
        ),
        Generator::Sparse => tiles(
            destination,
            runs,
            #[inline(always)]
            move |tile| tile.sparse(key, matrix, zeros, std),
            E::rounded,
        ),
        Generator::Copy => {
            let whole = orthogonal::orthogonal(key, matrix.rows, matrix.columns)?;
            in_parallel(destination, runs.len as usize, |at, part| {
                for (element, dst_range) in contiguous_spans(runs, at as u64, part.len()) {
                    let from = &whole[element as usize..][..dst_range.len()];
                    part[dst_range].iter_mut().zip(from).for_each(|(to, from)| *to = E::rounded(from * std));
                }
            });
        }
    }
    Ok(())
}

/// Writes the first values of `from`, as many as `to` has room for.
#[cfg_attr(feature = "vectors", inline(always))]
#[cfg_attr(not(feature = "vectors"), inline(never))]
fn put<V: Copy, T>(to: &mut [T], from: &[V], finish: impl Fn(V) -> T) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = finish(*from));
}

/// Writes runs one after the other. `values` computes the values of a tile's elements; `finish` turns a value
/// into an element.
///
/// Each part copies both functions, so that the parameters which they own are in registers. Parameters behind a
/// pointer could be overwritten by the destination, as far as the compiler knows, and it would load them anew
/// for every element.
#[cfg(any(feature = "threads", feature = "vectors"))]
fn tiles<V: Copy, T: Send>(
    destination: &mut [T],
    runs: &StridedRuns,
    values: impl Fn(&mut Workspace) -> &[V; ELEMENTS] + Sync + Copy,
    finish: impl Fn(V) -> T + Sync + Copy,
) {
    if !runs.dims.is_empty() {
        return in_parallel(destination, runs.len as usize, |at, part| {
            vectorised(
                #[inline(always)]
                || {
                    let (values, finish) = (values, finish);
                    let (mut tile, mut spans) =
                        (Workspace::new(), TileSpans::of(runs, at as u64, part.len()));
                    while let Some(end) = spans.next(&mut tile) {
                        cache_line::prefetch_write(&part[end..part.len().min(end + ELEMENTS)]);
                        let values = values(&mut tile);
                        for span in spans.of_tile() {
                            put(&mut part[span.dst_range.clone()], &values[span.from..], finish);
                        }
                    }
                },
            );
        });
    }
    // The head ends where a block begins, so that all parts of the body begin with a block.
    let start = runs.first;
    let ragged = (start.next_multiple_of(BLOCK) - start).min(destination.len() as u64);
    let (head, body) = cache_line::split_at_line(destination, ragged as usize, BLOCK as usize);
    if !head.is_empty() {
        let mut tile = Workspace::new();
        put(head, &values(tile.follow(start / BLOCK))[(start % BLOCK) as usize..], finish);
    }
    let first = (start + head.len() as u64).div_ceil(BLOCK);
    in_parallel(body, BLOCK as usize, |at, part| {
        let first = first + at as u64 / BLOCK;
        vectorised(
            #[inline(always)]
            || {
                let (values, finish) = (values, finish);
                let mut tile = Workspace::new();
                let (mut first, mut part) = (first, part);
                while !part.is_empty() {
                    let (now, later) = part.split_at_mut(ELEMENTS.min(part.len()));
                    cache_line::prefetch_write(&later[..later.len().min(ELEMENTS)]);
                    put(now, values(tile.follow(first)), finish);
                    (first, part) = (first + BLOCKS as u64, later);
                }
            },
        );
    });
}

/// Writes runs one after the other. On one thread and without wide vectors all fills share the loop over tiles:
/// WebAssembly is that much smaller.
#[cfg(not(any(feature = "threads", feature = "vectors")))]
fn tiles<V: Copy, T>(
    destination: &mut [T],
    runs: &StridedRuns,
    values: impl Fn(&mut Workspace) -> &[V; ELEMENTS],
    finish: impl Fn(V) -> T + Copy,
) {
    let len = destination.len();
    each_tile(runs, len, &mut |tile, spans| {
        let values = values(tile);
        for span in spans {
            put(&mut destination[span.dst_range.clone()], &values[span.from..], finish);
        }
    });
}

/// Calls `write` for each tile of the first `len` elements of the runs, with the tile's spans.
#[cfg(not(any(feature = "threads", feature = "vectors")))]
fn each_tile(runs: &StridedRuns, len: usize, write: &mut dyn FnMut(&mut Workspace, &[Span])) {
    let (mut tile, mut spans) = (Workspace::new(), TileSpans::of(runs, 0, len));
    while spans.next(&mut tile).is_some() {
        write(&mut tile, spans.of_tile());
    }
}

#[cfg(test)]
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
}
