//! Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11).

const PHILOX_M0: u32 = 0xD2511F53;
const PHILOX_M1: u32 = 0xCD9E8D57;
const PHILOX_W0: u32 = 0x9E3779B9;
const PHILOX_W1: u32 = 0xBB67AE85;

#[inline(always)]
const fn philox_round(c: [u32; 4], k: [u32; 2]) -> [u32; 4] {
    let p0 = PHILOX_M0 as u64 * c[0] as u64;
    let p1 = PHILOX_M1 as u64 * c[2] as u64;
    [(p1 >> 32) as u32 ^ c[1] ^ k[0], p1 as u32, (p0 >> 32) as u32 ^ c[3] ^ k[1], p0 as u32]
}

/// The four words of one block: the counter's upper 64 bits are zero.
#[inline(always)]
pub const fn philox4x32_10(counter: u64, seed: u64) -> [u32; 4] {
    rounds([counter as u32, (counter >> 32) as u32, 0, 0], [seed as u32, (seed >> 32) as u32])
}

/// The words of several blocks: first all first words, then all second ones, … Each round is a loop over the
/// blocks, which the compiler can vectorise.
#[inline(always)]
pub(super) fn philox4x32_10_blocks<const N: usize>(counters: [u64; N], seed: u64) -> [[u32; N]; 4] {
    let (mut k0, mut k1) = (seed as u32, (seed >> 32) as u32);
    let mut c = [counters.map(|c| c as u32), counters.map(|c| (c >> 32) as u32), [0; N], [0; N]];
    for _round in 0..10 {
        let mut next = [[0; N]; 4];
        for i in 0..N {
            let [a, b, c, d] = philox_round([c[0][i], c[1][i], c[2][i], c[3][i]], [k0, k1]);
            (next[0][i], next[1][i], next[2][i], next[3][i]) = (a, b, c, d);
        }
        c = next;
        (k0, k1) = (k0.wrapping_add(PHILOX_W0), k1.wrapping_add(PHILOX_W1));
    }
    c
}

/// Ten rounds of any counter, as published. Unrolled by the compiler, as in the shader by hand.
#[inline(always)]
const fn rounds(mut c: [u32; 4], mut k: [u32; 2]) -> [u32; 4] {
    let mut round = 0;
    while round < 10 {
        c = philox_round(c, k);
        k = [k[0].wrapping_add(PHILOX_W0), k[1].wrapping_add(PHILOX_W1)];
        round += 1;
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random123_known_answers() {
        let text = include_str!("../../tests/vectors/philox4x32_10.txt");
        let mut cases = 0;
        for line in text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()) {
            let w: Vec<u32> = line.split_whitespace().map(|h| u32::from_str_radix(h, 16).unwrap()).collect();
            let [c0, c1, c2, c3, k0, k1, ..] = w[..] else { panic!("{line}") };
            assert_eq!(rounds([c0, c1, c2, c3], [k0, k1])[..], w[6..], "{line}");
            cases += 1;
        }
        assert_eq!(cases, 3);
    }

    #[test]
    fn blocks_side_by_side_are_the_same() {
        let counters = [0, 1, u64::MAX, 1 << 32, 0x0123_4567_89AB_CDEF];
        let seed = 0xFEDC_BA98_7654_3210;
        let words = philox4x32_10_blocks(counters, seed);
        for (i, counter) in counters.into_iter().enumerate() {
            assert_eq!(words.map(|word| word[i]), philox4x32_10(counter, seed));
        }
    }
}
