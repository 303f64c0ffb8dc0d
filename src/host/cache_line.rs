//! Cache lines of the memory that a fill writes.

use super::parallel::PART;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Splits a destination into a head and a body, so that the body begins with a cache line: a store across two
/// lines takes as long as two stores. The head has `min` elements and as many `unit`s as lie before the next
/// line; just `min` elements where no line begins after a whole unit, or where the destination is at most one
/// part long.
pub(super) fn split_at_line<T>(destination: &mut [T], min: usize, unit: usize) -> (&mut [T], &mut [T]) {
    let begins = |head: &usize| (destination.as_ptr().addr() + head * size_of::<T>()).is_multiple_of(LINE);
    let mut heads = (min..min + LINE / size_of::<T>()).step_by(unit);
    let head = if destination.len() > PART { heads.find(begins).unwrap_or(min) } else { min };
    destination.split_at_mut(head)
}

/// Prefetches the lines of `elements`, which are written next. Without a prefetch a store waits for its line,
/// and all later stores wait with it.
#[cfg(any(feature = "threads", feature = "vectors"))]
#[inline(always)]
pub(super) fn prefetch_write<T>(elements: &[T]) {
    // x86 processors without SSE have no prefetch instruction.
    #[cfg(all(
        feature = "vectors",
        any(target_arch = "x86", target_arch = "x86_64"),
        target_feature = "sse"
    ))]
    for line in elements.chunks(LINE / size_of::<T>()) {
        safe_arch::prefetch_t0(&line[0]);
    }
    let _ = elements;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_after_the_head_where_one_can() {
        let mut memory = vec![0_u32; PART + 64];
        let first = memory.as_ptr().addr() / 4 % 16;
        for start in 0..16 {
            for min in 0..4 {
                // Elements from the head's least end to the next line.
                let to_line = (32 - (first + start + min) % 16) % 16;
                for unit in [1, 4] {
                    let (head, body) = split_at_line(&mut memory[start..start + PART + 40], min, unit);
                    let reached = to_line.is_multiple_of(unit);
                    assert_eq!(head.len(), if reached { min + to_line } else { min });
                    assert_eq!(head.len() + body.len(), PART + 40);
                    assert_eq!(body.as_ptr().addr().is_multiple_of(LINE), reached, "{start}, {min}, {unit}");
                }
                let (head, _) = split_at_line(&mut memory[start..start + PART], min, 1);
                assert_eq!(head.len(), min);
            }
        }
        assert!(split_at_line::<u16>(&mut [], 0, 4).0.is_empty());
    }
}
