//! Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11).

/// Words of a block, and elements that it makes.
pub(crate) const BLOCK: u64 = 4;

const PHILOX_M0: u32 = 0xD2511F53;
const PHILOX_M1: u32 = 0xCD9E8D57;
const PHILOX_W0: u32 = 0x9E3779B9;
const PHILOX_W1: u32 = 0xBB67AE85;

/// The four words of one block: the counter's upper 64 bits are zero.
#[inline(always)]
pub const fn philox4x32_10(counter: u64, seed: u64) -> [u32; 4] {
    let c = rounds::<0, 10>([counter, counter >> 32, 0, 0], seed);
    [c[0] as u32, c[1] as u32, c[2] as u32, c[3] as u32]
}

/// A round of `shaders/math/philox_u64.wgsl`: the state in 64-bit lanes, of which only the low half counts.
#[inline(always)]
const fn philox_round(c: [u64; 4], k: [u32; 2]) -> [u64; 4] {
    const LOW: u64 = u32::MAX as u64;
    let p0 = PHILOX_M0 as u64 * (c[0] & LOW);
    let p1 = PHILOX_M1 as u64 * (c[2] & LOW);
    [(p1 >> 32) ^ (c[1] ^ k[0] as u64), p1, (p0 >> 32) ^ (c[3] ^ k[1] as u64), p0]
}

/// Rounds `FIRST..LAST`.
#[inline(always)]
const fn rounds<const FIRST: u32, const LAST: u32>(mut c: [u64; 4], seed: u64) -> [u64; 4] {
    let mut round = FIRST;
    while round < LAST {
        let k0 = (seed as u32).wrapping_add(round.wrapping_mul(PHILOX_W0));
        let k1 = ((seed >> 32) as u32).wrapping_add(round.wrapping_mul(PHILOX_W1));
        c = philox_round(c, [k0, k1]);
        round += 1;
    }
    c
}

/// Calls `write` with each block's index and its four words, each the low half of a lane. `state` is written over.
///
/// Loops that a compiler vectorises, each of a few rounds: a processor then has several of their turns under way, where
/// ten rounds, each of which waits for the last one, are more than it looks ahead.
#[inline(always)]
pub(crate) fn philox4x32_10_blocks<const N: usize>(
    state: &mut [[u64; N]; 4],
    seed: u64,
    counter: impl Fn(usize) -> u64,
    mut write: impl FnMut(usize, [u64; 4]),
) {
    for i in 0..N {
        let counter = counter(i);
        put(state, i, rounds::<0, 4>([counter, counter >> 32, 0, 0], seed));
    }
    for i in 0..N {
        put(state, i, rounds::<4, 7>(get(state, i), seed));
    }
    for i in 0..N {
        write(i, rounds::<7, 10>(get(state, i), seed));
    }
}

#[inline(always)]
fn get<const N: usize>([x, y, z, w]: &[[u64; N]; 4], i: usize) -> [u64; 4] {
    [x[i], y[i], z[i], w[i]]
}

#[inline(always)]
fn put<const N: usize>([x, y, z, w]: &mut [[u64; N]; 4], i: usize, c: [u64; 4]) {
    [x[i], y[i], z[i], w[i]] = c;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::literals::assert_same_literals;

    #[test]
    fn random123_known_answers() {
        let text = include_str!("../../tests/vectors/philox4x32_10.txt");
        let mut cases = 0;
        for line in text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()) {
            let w: Vec<u64> = line.split_whitespace().map(|h| u64::from_str_radix(h, 16).unwrap()).collect();
            let [c0, c1, c2, c3, k0, k1, ..] = w[..] else { panic!("{line}") };
            let words = rounds::<0, 10>([c0, c1, c2, c3], k0 | k1 << 32);
            assert_eq!(words.map(|word| u64::from(word as u32))[..], w[6..], "{line}");
            cases += 1;
        }
        assert_eq!(cases, 3);
    }

    #[test]
    fn blocks_side_by_side_are_the_same() {
        let counters = [0, 1, u64::MAX, 1 << 32, 0x0123_4567_89AB_CDEF];
        let seed = 0xFEDC_BA98_7654_3210;
        let mut calls = 0;
        philox4x32_10_blocks(
            &mut [[0; 5]; 4],
            seed,
            |i| counters[i],
            |i, words| {
                assert_eq!(words.map(|word| word as u32), philox4x32_10(counters[i], seed));
                calls += 1;
            },
        );
        assert_eq!(calls, counters.len());
    }

    #[test]
    fn constants_are_the_shaders() {
        let constants = |text: &str| {
            let lines = text.lines().filter(|line| line.starts_with("const PHILOX_"));
            lines.map(|line| format!("{line}\n")).collect::<String>()
        };
        let mirror = constants(include_str!("philox.rs"));
        for shader in [
            include_str!("../../shaders/math/philox_u32.wgsl"),
            include_str!("../../shaders/math/philox_u64.wgsl"),
        ] {
            assert_same_literals(&[&constants(shader)], &mirror, 4);
        }
    }
}
