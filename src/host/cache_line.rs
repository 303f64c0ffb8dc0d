//! Lines of the cache that a fill writes.

use super::parallel::PART;

/// Bytes of a line.
const LINE: usize = 64;

/// Splits behind `least` elements, or up to a line's worth of units further on if a line begins there: a store across two
/// lines takes as long as two stores. Up to a part's elements are not worth a head.
pub(super) fn split_at_line<T>(destination: &mut [T], least: usize, unit: usize) -> (&mut [T], &mut [T]) {
    let begins = |head: &usize| (destination.as_ptr().addr() + head * size_of::<T>()).is_multiple_of(LINE);
    let mut heads = (least..least + LINE / size_of::<T>()).step_by(unit);
    let head = if destination.len() > PART { heads.find(begins).unwrap_or(least) } else { least };
    destination.split_at_mut(head)
}

/// Asks for lines, so that they are in the cache when they are written. A store waits for its line, and the stores behind
/// it wait with it.
#[inline(always)]
pub(super) fn prefetch_write<T>(elements: &[T]) {
    // Processors of old have no such instruction.
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
    fn a_line_begins_behind_the_head_where_one_can() {
        let mut memory = vec![0_u32; PART + 64];
        let first = memory.as_ptr().addr() / 4 % 16;
        for start in 0..16 {
            for least in 0..4 {
                // Elements from there to the next line.
                let to_line = (32 - (first + start + least) % 16) % 16;
                for unit in [1, 4] {
                    let (head, body) = split_at_line(&mut memory[start..start + PART + 40], least, unit);
                    let reached = to_line.is_multiple_of(unit);
                    assert_eq!(head.len(), if reached { least + to_line } else { least });
                    assert_eq!(head.len() + body.len(), PART + 40);
                    assert_eq!(
                        body.as_ptr().addr().is_multiple_of(LINE),
                        reached,
                        "{start}, {least}, {unit}"
                    );
                }
                let (head, _) = split_at_line(&mut memory[start..start + PART], least, 1);
                assert_eq!(head.len(), least);
            }
        }
        assert!(split_at_line::<u16>(&mut [], 0, 4).0.is_empty());
    }
}
