//! Portable exponential: the sequence of `shaders/math/exp.wgsl`, whose comments explain the steps. Rust neither
//! fuses nor reassociates, so nothing here needs the shader's `keep4()`.

/// The least f32 whose exponential is a normal f32.
const LEAST_EXPONENT: f32 = -87.336_54;

/// `exp(x)` within 1 ulp, for `x` up to 88.72283. An `x` below -87.33654 counts as -87.33654, so that no result is
/// subnormal or zero.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let bounded = if x < LEAST_EXPONENT { LEAST_EXPONENT } else { x };

    let shifted = bounded * std::f32::consts::LOG2_E + 12_582_912.0;
    let n = shifted - 12_582_912.0;

    let high = bounded - n * 0.693_145_75;
    let low = n * 1.428_606_8e-6;
    let r = high - low;

    let mut q = 0.001_378_948_5 * r;
    q += 0.008_368_671;
    q *= r;
    q += 0.041_668_89;
    q *= r;
    q += 0.166_665_21;
    q *= r;
    q += 0.499_999_9;

    let curved = (r * r) * q - low;
    let m = (high + curved) + 1.0;

    f32::from_bits(m.to_bits().wrapping_add(shifted.to_bits() << 23))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::literals::assert_same_literals;

    /// The greatest f32 whose exponential is finite.
    const GREATEST_EXPONENT: f32 = 88.722_83;

    /// The error in units of the last f32 place of the exact value. An f64 exponential is exact enough: an
    /// f32 ulp is 2^29 of its ulps.
    fn ulps(x: f32) -> f64 {
        let exact = f64::from(x).exp();
        let ulp = f64::from_bits((exact.to_bits() & 0x7FF0_0000_0000_0000) - (23 << 52));
        ((f64::from(exp(x)) - exact) / ulp).abs()
    }

    #[test]
    fn constants_are_the_shaders() {
        assert_same_literals(&[include_str!("../../shaders/math/exp.wgsl")], include_str!("exp.rs"), 12);
    }

    /// Every 1009th f32 of the domain.
    #[test]
    fn is_within_one_ulp_and_never_falls() {
        for (sign, last) in [(0, GREATEST_EXPONENT), (0x8000_0000, LEAST_EXPONENT)] {
            let mut before = 1.0;
            for bits in (sign..=last.to_bits()).step_by(1009) {
                let x = f32::from_bits(bits);
                let now = exp(x);
                assert!(ulps(x) <= 1.0, "{x:e}");
                assert!(if sign == 0 { now >= before } else { now <= before }, "{x:e}");
                before = now;
            }
        }
    }

    /// The 2001 f32 around each half of ln 2: there `n` changes, and there the result passes a power of two.
    #[test]
    fn is_within_one_ulp_where_the_reduction_changes() {
        for half in (-252..=256).filter(|&half| half != 0) {
            let centre = (0.5 * f64::from(half) * std::f64::consts::LN_2) as f32;
            for bits in centre.to_bits() - 1000..=centre.to_bits() + 1000 {
                let x = f32::from_bits(bits);
                if (LEAST_EXPONENT..=GREATEST_EXPONENT).contains(&x) {
                    assert!(ulps(x) <= 1.0, "{x:e}");
                }
            }
        }
    }

    /// Known answers, all of them the f32 nearest to the exponential.
    #[test]
    fn special_points() {
        for (x, wanted) in [
            (0.0, 1.0),
            (-0.0, 1.0),
            (f32::from_bits(1), 1.0),
            (-f32::MIN_POSITIVE, 1.0),
            (1.0, std::f32::consts::E),
            (std::f32::consts::LN_2, 2.0),
            (-std::f32::consts::LN_2, 0.5),
            (GREATEST_EXPONENT, 3.402_798_5e38),
        ] {
            assert_eq!(exp(x), wanted, "{x:e}");
        }
    }

    #[test]
    fn results_stay_normal() {
        let least = exp(LEAST_EXPONENT);
        assert_eq!(least.to_bits(), 0x0080_0026);
        for x in [LEAST_EXPONENT.next_down(), -88.0, -104.0, -1e10, f32::MIN, f32::NEG_INFINITY] {
            assert_eq!(exp(x), least, "{x:e}");
        }
        assert!(exp(GREATEST_EXPONENT).is_finite());
        assert!(!exp(GREATEST_EXPONENT.next_up()).is_finite());
    }
}
