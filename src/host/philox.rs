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
}
