//! A destination, cut into parts for all cores.

/// Elements that one thread takes at a time: a size that stays in its cache.
pub(super) const PART: usize = 1 << 16;

/// The elements of a part: whole units, where those are smaller.
fn part(unit: usize) -> usize {
    if unit > PART { PART } else { PART / unit * unit }
}

/// Calls `write` with disjoint parts of the slice, of whole units, and where they begin, on all cores.
pub(super) fn in_parallel<T: Send>(
    destination: &mut [T],
    unit: usize,
    write: impl Fn(usize, &mut [T]) + Sync,
) {
    in_parts(destination, part(unit), write);
}

/// The same with parts of `size`.
#[cfg(feature = "threads")]
pub(super) fn in_parts<T: Send>(destination: &mut [T], size: usize, write: impl Fn(usize, &mut [T]) + Sync) {
    use rayon::prelude::*;
    if destination.len() <= size {
        return write(0, destination);
    }
    destination.par_chunks_mut(size).enumerate().for_each(|(i, part)| write(i * size, part));
}

/// The same with parts of `size`.
#[cfg(not(feature = "threads"))]
pub(super) fn in_parts<T>(destination: &mut [T], size: usize, write: impl Fn(usize, &mut [T])) {
    for (i, part) in destination.chunks_mut(size).enumerate() {
        write(i * size, part);
    }
}

/// The size of parts of which every core has one, if that is worth it.
pub(super) fn share(len: usize) -> usize {
    #[cfg(feature = "threads")]
    let cores = rayon::current_num_threads();
    #[cfg(not(feature = "threads"))]
    let cores = 1;
    len.div_ceil(cores).max(PART)
}
