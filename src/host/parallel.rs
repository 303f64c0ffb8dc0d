//! Parts of a destination, for all cores.

/// Elements that a thread writes at a time: few enough for its cache.
pub(super) const PART: usize = 1 << 16;

/// The number of elements of a part: a multiple of `unit`, unless a unit is larger than a part.
fn part(unit: usize) -> usize {
    if unit > PART { PART } else { PART / unit * unit }
}

/// Calls `write` with the start and the elements of each part of the slice, on all cores. Parts are disjoint
/// and begin at multiples of `unit`, unless a unit is larger than a part.
pub(super) fn in_parallel<T: Send>(
    destination: &mut [T],
    unit: usize,
    write: impl Fn(usize, &mut [T]) + Sync,
) {
    in_parts(destination, part(unit), write);
}

/// Calls `write` as [`in_parallel`] does, with parts of `size` elements.
#[cfg(feature = "threads")]
pub(super) fn in_parts<T: Send>(destination: &mut [T], size: usize, write: impl Fn(usize, &mut [T]) + Sync) {
    use rayon::prelude::*;
    if destination.len() <= size {
        return write(0, destination);
    }
    destination.par_chunks_mut(size).enumerate().for_each(|(i, part)| write(i * size, part));
}

/// Calls `write` as [`in_parallel`] does, with parts of `size` elements, one after the other.
#[cfg(not(feature = "threads"))]
pub(super) fn in_parts<T>(destination: &mut [T], size: usize, write: impl Fn(usize, &mut [T])) {
    for (i, part) in destination.chunks_mut(size).enumerate() {
        write(i * size, part);
    }
}

/// The size of parts that gives each core one part, but at least [`PART`].
pub(super) fn share(len: usize) -> usize {
    #[cfg(feature = "threads")]
    let cores = rayon::current_num_threads();
    #[cfg(not(feature = "threads"))]
    let cores = 1;
    len.div_ceil(cores).max(PART)
}
