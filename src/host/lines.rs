//! Lines of the cache that a fill writes.

use super::engine::PART;
use crate::jobs::BLOCK;

/// Bytes of a line. A store across two of them takes as long as two stores.
const LINE: usize = 64;

/// Splits behind `least` elements, or up to a line's worth of blocks further on if a line begins there. Of what is
/// written soon, wherever it lies, nothing more is split off.
pub(super) fn split_at_line<T>(destination: &mut [T], least: usize) -> (&mut [T], &mut [T]) {
    let ends = |head: &usize| (destination.as_ptr().addr() + head * size_of::<T>()).is_multiple_of(LINE);
    let mut heads = (least..least + LINE / size_of::<T>()).step_by(BLOCK as usize);
    let head = if destination.len() > PART { heads.find(ends).unwrap_or(least) } else { least };
    destination.split_at_mut(head)
}

/// Asks for lines, so that they are in the cache when they are written. A store waits for its line, and the stores behind
/// it wait with it.
#[inline(always)]
pub(super) fn soon_written<T>(elements: &[T]) {
    #[cfg(all(feature = "vectors", any(target_arch = "x86", target_arch = "x86_64")))]
    for line in elements.chunks(LINE / size_of::<T>()) {
        safe_arch::prefetch_t0(&line[0]);
    }
    let _ = elements;
}
