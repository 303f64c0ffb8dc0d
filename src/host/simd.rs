//! The widest SIMD vectors of this processor, found at run time.

#[cfg(feature = "vectors")]
use fearless_simd::Level;
#[cfg(all(feature = "vectors", any(target_arch = "x86", target_arch = "x86_64")))]
use fearless_simd::Simd;

/// Calls `f`, compiled for AVX-512 (as Ice Lake has it) or AVX2 where the processor has them, and otherwise
/// for the vectors that every processor of the target has (SSE2, NEON). Vectors of any width give the same
/// bits: no operation is fused or reordered.
///
/// Only code that is inlined into `f` is compiled for the wider vectors. So `f` is `#[inline(always)]`, and
/// so is all of its arithmetic.
#[inline(always)]
pub(super) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(feature = "vectors")]
    return at(Level::new(), f);
    #[cfg(not(feature = "vectors"))]
    f()
}

/// Calls `f`, compiled for the vectors of `simd_level`.
#[cfg(feature = "vectors")]
#[inline(always)]
pub(super) fn at<R>(simd_level: Level, f: impl FnOnce() -> R) -> R {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        if let Some(avx512) = simd_level.as_avx512() {
            return avx512.vectorize(f);
        }
        if let Some(avx2) = simd_level.as_avx2() {
            return avx2.vectorize(f);
        }
    }
    let _ = simd_level;
    f()
}

/// The levels of this processor to test: the baseline, the best level, and AVX2.
#[cfg(all(test, feature = "vectors"))]
pub(super) fn simd_levels() -> Vec<Level> {
    let best = Level::new();
    let levels = [Level::baseline(), best];
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let levels = levels.into_iter().chain(best.as_avx2().map(Level::Avx2));
    Vec::from_iter(levels)
}
