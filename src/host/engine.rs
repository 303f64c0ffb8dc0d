//! Fills of host memory, on all cores.

use std::ops::Range;

use bytemuck::Pod;

use super::box_muller::{double_cos_sin, half_root, minus_logarithm, reduced};
use super::narrow::{narrow_bf16, narrow_f16};
use super::permute::Rectangle;
use super::philox::philox4x32_10_blocks;
use super::vectors::vectorised;
use super::{orthogonal, sparse, values};
use crate::distribution::Distribution;
use crate::jobs::BLOCK;
use crate::matrix::{Matrix, Place};
use crate::runs::Runs;
use crate::{DType, Error, Init, Key, Region, half};

/// An element type of host memory: f32, [`half::f16`] or [`half::bf16`], and no other.
pub trait Element: Pod + Send + Sync + private::Narrow {
    /// Its name.
    const DTYPE: DType;
}

mod private {
    pub trait Narrow {
        /// Rounds once, to nearest even, what a distribution makes.
        fn narrow(value: f32) -> Self;
    }
}

use private::Narrow;

impl Element for f32 {
    const DTYPE: DType = DType::F32;
}

impl Narrow for f32 {
    #[inline(always)]
    fn narrow(value: f32) -> Self {
        value
    }
}

impl Element for half::f16 {
    const DTYPE: DType = DType::F16;
}

impl Narrow for half::f16 {
    #[inline(always)]
    fn narrow(value: f32) -> Self {
        Self::from_bits(narrow_f16(value.to_bits()))
    }
}

impl Element for half::bf16 {
    const DTYPE: DType = DType::BF16;
}

impl Narrow for half::bf16 {
    #[inline(always)]
    fn narrow(value: f32) -> Self {
        Self::from_bits(narrow_bf16(value.to_bits()))
    }
}

/// Initialises `destination` with the elements of `region`: the bits that
/// [`Initializer::fill`](crate::Initializer::fill) writes on any device.
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
/// Those of the initialiser and the region; [`Error::LengthMismatch`] unless `destination` has just
/// as many elements as the region.
pub fn fill<'a, E: Element>(
    destination: &mut [E],
    region: impl Into<Region<'a>>,
    init: &Init,
    key: Key,
) -> Result<(), Error> {
    let region = region.into();
    let distribution = init.distribution(region.shape(), E::DTYPE)?;
    let runs = checked(&region, destination.len())?;
    write(destination, &runs, &distribution, key)
}

/// Whether the host can fill a tensor of this shape, before there is one: what [`fill`] would say of the
/// initialiser and the shape. The largest orthogonal matrices take more memory than there is.
///
/// # Errors
/// Those of [`fill`] that are not about the destination.
pub fn check(init: &Init, dtype: DType, shape: &[u64]) -> Result<(), Error> {
    match init.distribution(shape, dtype)? {
        Distribution::Orthogonal { matrix, .. } => orthogonal::has_memory(matrix.rows, matrix.columns),
        _ => Ok(()),
    }
}

/// As [`fill`], for an element type that is known at run time only: `destination` gets the elements one
/// after the other, in this machine's byte order.
///
/// # Errors
/// As [`fill`]; [`Error::DTypeMismatch`] of [`DType::U32`].
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
    // Bytes that lie between two elements, or a part of one: by way of memory that does not.
    let whole = destination.len().div_ceil(size_of::<E>());
    let mut elements = vec![E::narrow(0.0); whole];
    fill(&mut elements, region, init, key)?;
    let bytes = bytemuck::cast_slice::<E, u8>(&elements);
    if bytes.len() != destination.len() {
        return Err(Error::LengthMismatch { expected: whole as u64, actual: whole as u64 - 1 });
    }
    destination.copy_from_slice(bytes);
    Ok(())
}

/// Writes the raw words of the stream: element `e` is word `e % 4` of block `e / 4`.
///
/// # Errors
/// Those of the region; [`Error::LengthMismatch`] unless `destination` has just as many elements.
pub fn fill_words<'a>(destination: &mut [u32], region: impl Into<Region<'a>>, key: Key) -> Result<(), Error> {
    let runs = checked(&region.into(), destination.len())?;
    tiles(
        destination,
        &runs,
        #[inline(always)]
        |blocks| words(key, blocks),
        #[inline(always)]
        |word| word,
    );
    Ok(())
}

fn checked(region: &Region<'_>, actual: usize) -> Result<Runs, Error> {
    let runs = region.runs()?;
    let (expected, actual) = (runs.elements(), actual as u64);
    if expected != actual {
        return Err(Error::LengthMismatch { expected, actual });
    }
    Ok(runs)
}

/// Blocks that are computed together: each step of the arithmetic is a loop over all of them, which the
/// compiler can vectorise.
const TILE_BLOCKS: usize = 64;
/// Elements of those.
const TILE: usize = 4 * TILE_BLOCKS;
/// Pairs of words of those.
const PAIRS: usize = 2 * TILE_BLOCKS;

/// The blocks of a tile.
type Blocks = [u64; TILE_BLOCKS];

/// The words of a tile.
#[inline(always)]
fn words(key: Key, blocks: &Blocks) -> [u32; TILE] {
    let mut words = [0; TILE];
    philox4x32_10_blocks(&counters(key, blocks), key.seed, |i, [x, y, z, w]| {
        words[4 * i] = x as u32;
        words[4 * i + 1] = y as u32;
        words[4 * i + 2] = z as u32;
        words[4 * i + 3] = w as u32;
    });
    words
}

/// The words of a tile, those at even places and those at odd ones: what Box-Muller pairs up.
#[inline(always)]
fn pairs(key: Key, blocks: &Blocks) -> [[u32; PAIRS]; 2] {
    let (mut even, mut odd) = ([0; TILE_BLOCKS], [0; TILE_BLOCKS]);
    philox4x32_10_blocks(&counters(key, blocks), key.seed, |i, [x, y, z, w]| {
        even[i] = two(x, z);
        odd[i] = two(y, w);
    });
    [bytemuck::cast(even), bytemuck::cast(odd)]
}

#[inline(always)]
fn counters(key: Key, blocks: &Blocks) -> Blocks {
    let mut counters = *blocks;
    for counter in &mut counters {
        *counter = key.counter(*counter);
    }
    counters
}

/// Two words, the low halves of lanes, in the order of memory.
#[inline(always)]
fn two(first: u64, second: u64) -> u64 {
    let two = (first & u64::from(u32::MAX)) | second << 32;
    if cfg!(target_endian = "big") { two.rotate_left(32) } else { two }
}

/// The standard normals of a tile.
#[inline(always)]
fn normals(key: Key, blocks: &Blocks) -> [f32; TILE] {
    let [even, odd] = pairs(key, blocks);
    // A loop for each step.
    let (mut t, mut e, mut radius) = ([0.0; PAIRS], [0.0; PAIRS], [0.0; PAIRS]);
    let (mut cosine, mut sine) = ([0.0; PAIRS], [0.0; PAIRS]);
    for i in 0..PAIRS {
        (t[i], e[i]) = reduced(even[i]);
    }
    for i in 0..PAIRS {
        radius[i] = minus_logarithm((t[i], e[i]));
    }
    for radius in &mut radius {
        *radius = half_root(*radius);
    }
    for i in 0..PAIRS {
        [cosine[i], sine[i]] = double_cos_sin(odd[i]);
    }
    let mut normals = [0.0; TILE];
    for i in 0..PAIRS {
        normals[2 * i] = radius[i] * cosine[i];
        normals[2 * i + 1] = radius[i] * sine[i];
    }
    normals
}

/// Rows and columns of a tile.
#[inline(always)]
fn places(matrix: Matrix, blocks: &Blocks) -> [Place; TILE] {
    let mut place = matrix.place(blocks[0] * BLOCK);
    std::array::from_fn(|element| {
        let (block, lane) = (element / 4, element % 4);
        if lane == 0 && block > 0 && blocks[block] != blocks[block - 1].wrapping_add(1) {
            place = matrix.place(blocks[block] * BLOCK);
        }
        let this = place;
        place = this.next(matrix.columns as u32);
        this
    })
}

fn write<E: Element>(
    destination: &mut [E],
    runs: &Runs,
    distribution: &Distribution,
    key: Key,
) -> Result<(), Error> {
    if destination.is_empty() {
        return Ok(());
    }
    match *distribution {
        Distribution::Constant { bits } => {
            let value = E::narrow(f32::from_bits(bits));
            match bytemuck::bytes_of(&value) {
                // Zeros above all. Large parts, for which memset goes past the caches.
                [byte, rest @ ..] if rest.iter().all(|other| other == byte) => {
                    let bytes = bytemuck::cast_slice_mut(destination);
                    in_parts(bytes, share(bytes.len()), |_, part| part.fill(*byte));
                }
                _ => in_parallel(destination, 1, |_, part| part.fill(value)),
            }
        }
        Distribution::Words => unreachable!("no initialiser makes raw words"),
        Distribution::Uniform { low, range, most } => tiles(
            destination,
            runs,
            #[inline(always)]
            |blocks| words(key, blocks),
            #[inline(always)]
            |word| E::narrow(values::uniform(word, low, range, most)),
        ),
        Distribution::Normal { mean, std } => tiles(
            destination,
            runs,
            #[inline(always)]
            |blocks| normals(key, blocks),
            #[inline(always)]
            |z| E::narrow(z * std + mean),
        ),
        Distribution::TruncNormal { truncation, mode, std, least, most } => {
            let table = crate::quantile::truncated_normal(truncation);
            tiles(
                destination,
                runs,
                #[inline(always)]
                |blocks| words(key, blocks),
                #[inline(always)]
                |word| {
                    let z = super::quantile::quantile(word, &table);
                    E::narrow(values::within(z * std + mode, least, most))
                },
            );
        }
        Distribution::Identity { matrix, identity } => tiles(
            destination,
            runs,
            |blocks| places(matrix, blocks),
            |place| E::narrow(values::identity(identity, place)),
        ),
        Distribution::Sparse { matrix, zeros, std } => {
            let (columns, rectangle) = (sparse::columns_key(key), Rectangle::of(matrix.rows as u32));
            tiles(
                destination,
                runs,
                |blocks| {
                    let (z, places) = (normals(key, blocks), places(matrix, blocks));
                    std::array::from_fn(|lane| {
                        let is_zero = sparse::is_zero(columns, rectangle, zeros, places[lane]);
                        if is_zero { 0.0 } else { z[lane] * std + 0.0 }
                    })
                },
                E::narrow,
            );
        }
        Distribution::Orthogonal { matrix, gain } => {
            let whole = orthogonal::orthogonal(key, matrix.rows, matrix.columns)?;
            in_parallel(destination, runs.len as usize, |at, part| {
                for (element, place) in stretches(runs, at as u64, part.len()) {
                    let from = &whole[element as usize..][..place.len()];
                    part[place].iter_mut().zip(from).for_each(|(to, from)| *to = E::narrow(from * gain));
                }
            });
        }
    }
    Ok(())
}

/// Blocks one after the other.
#[inline(always)]
fn following(first: u64) -> Blocks {
    let mut blocks = [0; TILE_BLOCKS];
    for (i, block) in blocks.iter_mut().enumerate() {
        *block = first.wrapping_add(i as u64);
    }
    blocks
}

/// Writes as many values as there is room for.
#[inline(always)]
fn put<V: Copy, T>(to: &mut [T], from: &[V], finish: impl Fn(V) -> T) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = finish(*from));
}

/// Writes runs one after the other: `values` makes those of a tile, `finish` what is written of each.
fn tiles<V: Copy, T: Send>(
    destination: &mut [T],
    runs: &Runs,
    values: impl Fn(&Blocks) -> [V; TILE] + Sync,
    finish: impl Fn(V) -> T + Sync,
) {
    if !runs.levels.is_empty() {
        let scatter = |to: &mut [T], pieces: &[Piece]| {
            // The tile's other blocks are computed and not written.
            let mut blocks = following(pieces[0].block);
            blocks.iter_mut().zip(pieces).for_each(|(block, piece)| *block = piece.block);
            let values = vectorised(
                #[inline(always)]
                || values(&blocks),
            );
            for (values, piece) in values.as_chunks::<4>().0.iter().zip(pieces) {
                put(&mut to[piece.place.clone()], &values[piece.lane..], &finish);
            }
        };
        return in_parallel(destination, runs.len as usize, |at, part| {
            let mut tile = Vec::with_capacity(TILE_BLOCKS);
            for piece in stretches(runs, at as u64, part.len()).flat_map(pieces) {
                tile.push(piece);
                if tile.len() == TILE_BLOCKS {
                    scatter(part, &tile);
                    tile.clear();
                }
            }
            if !tile.is_empty() {
                scatter(part, &tile);
            }
        });
    }
    // So that all parts but the first begin with a block.
    let start = runs.first;
    let ragged = (start.next_multiple_of(BLOCK) - start).min(destination.len() as u64);
    let (head, body) = destination.split_at_mut(ragged as usize);
    if !head.is_empty() {
        put(head, &values(&following(start / BLOCK))[(start % BLOCK) as usize..], &finish);
    }
    let first = start.div_ceil(BLOCK);
    in_parallel(body, BLOCK as usize, |at, part| {
        let first = first + at as u64 / BLOCK;
        vectorised(
            #[inline(always)]
            || {
                for (tile, part) in part.chunks_mut(TILE).enumerate() {
                    put(part, &values(&following(first + (tile * TILE_BLOCKS) as u64)), &finish);
                }
            },
        );
    });
}

/// Neighbours, the first of them and their places, among `len` elements of a destination from one on that may lie
/// within a run.
fn stretches(runs: &Runs, start: u64, len: usize) -> impl Iterator<Item = (u64, Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (run, within) = ((start + at as u64) / runs.len, (start + at as u64) % runs.len);
        let place = at..len.min(at + (runs.len - within) as usize);
        at = place.end;
        (!place.is_empty()).then(|| (runs.start_of(run) + within, place))
    })
}

/// What a stretch has of a block.
struct Piece {
    block: u64,
    /// The first element of the block that is written.
    lane: usize,
    /// Where its elements lie.
    place: Range<usize>,
}

fn pieces((element, place): (u64, Range<usize>)) -> impl Iterator<Item = Piece> {
    let mut at = place.start;
    std::iter::from_fn(move || {
        let element = element + (at - place.start) as u64;
        let lane = (element % BLOCK) as usize;
        let piece = Piece { block: element / BLOCK, lane, place: at..place.end.min(at + 4 - lane) };
        at = piece.place.end;
        (!piece.place.is_empty()).then_some(piece)
    })
}

/// Elements that one thread takes at a time: a size that stays in its cache.
const PART: usize = 1 << 16;

/// The elements of a part: whole units, where those are smaller.
fn part(unit: usize) -> usize {
    if unit > PART { PART } else { PART / unit * unit }
}

/// Calls `write` with disjoint parts of the slice, of whole units, and where they begin, on all cores.
fn in_parallel<T: Send>(destination: &mut [T], unit: usize, write: impl Fn(usize, &mut [T]) + Sync) {
    in_parts(destination, part(unit), write);
}

/// The same with parts of `size`.
#[cfg(feature = "threads")]
fn in_parts<T: Send>(destination: &mut [T], size: usize, write: impl Fn(usize, &mut [T]) + Sync) {
    use rayon::prelude::*;
    if destination.len() <= size {
        return write(0, destination);
    }
    destination.par_chunks_mut(size).enumerate().for_each(|(i, part)| write(i * size, part));
}

/// The same with parts of `size`.
#[cfg(not(feature = "threads"))]
fn in_parts<T>(destination: &mut [T], size: usize, write: impl Fn(usize, &mut [T])) {
    for (i, part) in destination.chunks_mut(size).enumerate() {
        write(i * size, part);
    }
}

/// The size of parts of which every core has one, if that is worth it.
fn share(len: usize) -> usize {
    #[cfg(feature = "threads")]
    let cores = rayon::current_num_threads();
    #[cfg(not(feature = "threads"))]
    let cores = 1;
    len.div_ceil(cores).max(PART)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_destination_of_another_length_is_refused() {
        let error = fill(&mut [0.0_f32; 5], [2, 3], &Init::Ones, Key::new(0)).unwrap_err();
        assert_eq!(error, Error::LengthMismatch { expected: 6, actual: 5 });
        for len in [11, 13] {
            let error = fill_bytes(&mut vec![0; len], DType::F16, [6], &Init::Ones, Key::new(0)).unwrap_err();
            assert!(matches!(error, Error::LengthMismatch { .. }), "{len}: {error}");
        }
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

    #[cfg(feature = "vectors")]
    #[test]
    fn vectors_of_any_width_give_the_same_bits() {
        use crate::host::box_muller::box_muller;
        use crate::host::philox::philox4x32_10;
        use crate::host::vectors::{at, levels};

        // Blocks that carry into the counter's second word.
        let (key, blocks) = (Key { seed: 0xFEDC_BA98_7654_3210, offset: 7 }, following((1 << 32) - 30));
        let expected = blocks.map(|block| philox4x32_10(key.counter(block), key.seed));
        let of_pairs = expected.map(|[a, b, c, d]| [box_muller(a, b), box_muller(c, d)]);
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        for level in levels() {
            let words = at(
                level,
                #[inline(always)]
                || words(key, &blocks),
            );
            assert_eq!(words, expected.as_flattened(), "{level:?}");
            let normals = at(
                level,
                #[inline(always)]
                || normals(key, &blocks),
            );
            assert_eq!(bits(&normals), bits(of_pairs.as_flattened().as_flattened()), "{level:?}");
            let narrow = at(
                level,
                #[inline(always)]
                || {
                    let mut narrow = [half::bf16::ZERO; TILE];
                    put(
                        &mut narrow,
                        &normals,
                        #[inline(always)]
                        |z| half::bf16::narrow(z * 0.5 + 1.0),
                    );
                    narrow
                },
            );
            let narrowed = normals.map(|z| half::bf16::from_f32_const(z * 0.5 + 1.0));
            assert_eq!(narrow.map(|x| x.to_bits()), narrowed.map(|x| x.to_bits()), "{level:?}");
        }
    }
}
