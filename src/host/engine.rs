//! Fills of host memory, on all cores.

use std::ops::Range;

use super::box_muller::box_muller;
use super::philox::philox4x32_10;
use crate::distribution::Distribution;
use crate::{DType, Error, Init, Key, Region};

/// Elements of a block: the words that one Philox call makes.
const BLOCK: u64 = 4;

/// Initialises `destination` with the elements of `region`: the bits that
/// [`Initializer::fill`](crate::Initializer::fill) writes on any device.
///
/// ```
/// use seedbed::{Init, Key, host};
///
/// let mut weight = vec![0.0; 768 * 3072];
/// host::fill(&mut weight, [768, 3072], &Init::xavier_normal(), Key::new(42).named("mlp.weight"))?;
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// # Errors
/// Those of the initialiser and the region; [`Error::LengthMismatch`] unless `destination` has just
/// as many elements as the region.
pub fn fill<'a>(
    destination: &mut [f32],
    region: impl Into<Region<'a>>,
    init: &Init,
    key: Key,
) -> Result<(), Error> {
    let region = region.into();
    let distribution = init.distribution(region.shape(), DType::F32)?;
    let elements = checked(&region, destination.len())?;
    match distribution {
        Distribution::Constant { bits } => {
            let value = f32::from_bits(bits);
            in_parallel(destination, |_, part| part.fill(value));
        }
        Distribution::Normal { mean, std } => {
            blocks(destination, elements.start, |block| normal_block(key, block, mean, std));
        }
        Distribution::Words => unreachable!("no initialiser makes raw words"),
    }
    Ok(())
}

/// Writes the raw words of the stream: element `e` is word `e % 4` of block `e / 4`.
///
/// # Errors
/// Those of the region; [`Error::LengthMismatch`] unless `destination` has just as many elements.
pub fn fill_words<'a>(destination: &mut [u32], region: impl Into<Region<'a>>, key: Key) -> Result<(), Error> {
    let elements = checked(&region.into(), destination.len())?;
    blocks(destination, elements.start, |block| philox4x32_10(key.counter(block), key.seed));
    Ok(())
}

#[inline(always)]
fn normal_block(key: Key, block: u64, mean: f32, std: f32) -> [f32; 4] {
    let w = philox4x32_10(key.counter(block), key.seed);
    let [z0, z1] = box_muller(w[0], w[1]);
    let [z2, z3] = box_muller(w[2], w[3]);
    [z0, z1, z2, z3].map(|z| z * std + mean)
}

fn checked(region: &Region<'_>, actual: usize) -> Result<Range<u64>, Error> {
    let elements = region.resolve()?;
    let (expected, actual) = (elements.end - elements.start, actual as u64);
    if expected != actual {
        return Err(Error::LengthMismatch { expected, actual });
    }
    Ok(elements)
}

/// Writes the elements from `start` on, where `values` makes four of them at a time.
fn blocks<T: Copy + Send>(destination: &mut [T], start: u64, values: impl Fn(u64) -> [T; 4] + Sync) {
    let ragged = (start.next_multiple_of(BLOCK) - start).min(destination.len() as u64);
    let (head, body) = destination.split_at_mut(ragged as usize);
    let lane = (start % BLOCK) as usize;
    head.copy_from_slice(&values(start / BLOCK)[lane..][..head.len()][..]);

    let first = start.div_ceil(BLOCK);
    in_parallel(body, |at, part| {
        let first = first + at as u64 / BLOCK;
        let (whole, tail) = part.as_chunks_mut::<4>();
        for (block, four) in (first..).zip(&mut *whole) {
            *four = values(block);
        }
        if !tail.is_empty() {
            tail.copy_from_slice(&values(first + whole.len() as u64)[..tail.len()]);
        }
    });
}

/// Elements that one thread takes at a time: whole blocks, a size that stays in its cache.
const PART: usize = 1 << 16;

/// Calls `write` with disjoint parts of the slice and where they begin, on all cores.
#[cfg(feature = "threads")]
fn in_parallel<T: Send>(destination: &mut [T], write: impl Fn(usize, &mut [T]) + Sync) {
    use rayon::prelude::*;
    if destination.len() <= PART {
        return write(0, destination);
    }
    destination.par_chunks_mut(PART).enumerate().for_each(|(i, part)| write(i * PART, part));
}

/// Calls `write` with parts of the slice and where they begin.
#[cfg(not(feature = "threads"))]
fn in_parallel<T>(destination: &mut [T], write: impl Fn(usize, &mut [T])) {
    for (i, part) in destination.chunks_mut(PART).enumerate() {
        write(i * PART, part);
    }
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
        let error = fill(&mut [0.0; 5], [2, 3], &Init::Ones, Key::new(0)).unwrap_err();
        assert_eq!(error, Error::LengthMismatch { expected: 6, actual: 5 });
    }
}
