//! The widest vectors of this processor, found at run time.

use fearless_simd::Level;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use fearless_simd::Simd;

/// Calls `f`, compiled for AVX-512 or AVX2 where the processor has them, and else for what every processor of the target
/// has (SSE2, NEON). Vectors of any width give the same bits: no operation is fused or reordered.
///
/// What `f` does is compiled so if it is inlined: `f` and all that it calls is `#[inline(always)]`.
#[inline(always)]
pub(super) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    at(Level::new(), f)
}

#[inline(always)]
fn at<R>(level: Level, f: impl FnOnce() -> R) -> R {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        if let Some(avx512) = level.as_avx512() {
            return avx512.vectorize(f);
        }
        if let Some(avx2) = level.as_avx2() {
            return avx2.vectorize(f);
        }
    }
    let _ = level;
    f()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::box_muller::{box_muller, half_radius};
    use crate::host::philox::{philox4x32_10, philox4x32_10_blocks};

    /// What this processor has, the narrowest first.
    fn levels() -> Vec<Level> {
        let best = Level::new();
        let mut levels = vec![Level::baseline(), best];
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        levels.extend(best.as_avx2().map(Level::Avx2));
        levels
    }

    #[test]
    fn vectors_of_any_width_give_the_same_bits() {
        let mut counters = [0; 64];
        // Across a carry into the counter's second word.
        counters.iter_mut().zip(u64::from(u32::MAX) - 20..).for_each(|(counter, value)| *counter = value);
        let seed = 0xFEDC_BA98_7654_3210;
        for level in levels() {
            let [words, normals, radii] = at(
                level,
                #[inline(always)]
                || {
                    let [mut words, mut normals, mut radii] = [[[0; 4]; 64]; 3];
                    philox4x32_10_blocks(&counters, seed, |i, c| words[i] = c.map(|word| word as u32));
                    for i in 0..64 {
                        let [a, b, c, d] = words[i];
                        let [[w, x], [y, z]] = [box_muller(a, b), box_muller(c, d)];
                        normals[i] = [w, x, y, z].map(f32::to_bits);
                        radii[i] = words[i].map(|word| half_radius(word).to_bits());
                    }
                    [words, normals, radii]
                },
            );
            for (i, counter) in counters.into_iter().enumerate() {
                let expected = philox4x32_10(counter, seed);
                assert_eq!(words[i], expected, "{level:?}");
                let [a, b, c, d] = expected;
                let [[w, x], [y, z]] = [box_muller(a, b), box_muller(c, d)];
                assert_eq!(normals[i], [w, x, y, z].map(f32::to_bits), "{level:?}");
                assert_eq!(radii[i], expected.map(|word| half_radius(word).to_bits()), "{level:?}");
            }
        }
    }
}
