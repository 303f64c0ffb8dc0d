//! f32 -> 16 bits, to nearest even: `shaders/rounding/f16.wgsl` and `shaders/rounding/bf16.wgsl`, whose comments explain
//! the operations.

/// The bits of an f32 that does not overflow -> the bits of a binary16.
#[inline(always)]
pub(crate) fn round_to_f16(bits: u32) -> u16 {
    let magnitude = bits & 0x7FFF_FFFF;

    let odd = (magnitude >> 13) & 1;
    let normal = magnitude.wrapping_add(odd).wrapping_sub(0x37FF_F001) >> 13; // - 0x38000000 + 0xFFF

    let sum = f32::from_bits(magnitude) + 0.5;
    let subnormal = sum.to_bits().wrapping_sub(0x3F00_0000);

    let sign = (bits >> 16) & 0x8000;
    (sign | if magnitude >= 0x3880_0000 { normal } else { subnormal }) as u16
}

/// The bits of an f32 -> the bits of a bfloat16.
#[inline(always)]
pub(crate) fn round_to_bf16(bits: u32) -> u16 {
    (bits.wrapping_add(0x7FFF).wrapping_add((bits >> 16) & 1) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;
    use crate::math::literals::assert_same_literals;

    /// Against the crate `half`, for every pattern of upper bits with telling lower ones.
    #[test]
    fn rounds_to_nearest_even() {
        for upper in 0..=0xFFFF_u32 {
            for lower in [0, 1, 0x0FFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001, 0xFFFF] {
                let bits = upper << 16 | lower;
                let x = f32::from_bits(bits);
                if x.abs() < 65_520.0 {
                    assert_eq!(round_to_f16(bits), f16::from_f32_const(x).to_bits(), "{bits:#x}");
                }
                if !x.is_nan() {
                    assert_eq!(round_to_bf16(bits), bf16::from_f32_const(x).to_bits(), "{bits:#x}");
                }
            }
        }
        assert_eq!(round_to_bf16(0x7FC0_0000), 0x7FC0);
    }

    #[test]
    fn what_is_not_finite_has_its_own_exponent() {
        let narrow = |x: f32| round_to_f16(x.to_bits());
        assert_eq!(narrow(65_536.0), f16::INFINITY.to_bits());
        assert_eq!(narrow(-65_536.0), f16::NEG_INFINITY.to_bits());
        assert_eq!(narrow(98_304.0), f16::NAN.to_bits());
    }

    #[test]
    fn constants_are_the_shaders() {
        let shaders = [
            include_str!("../../shaders/rounding/f16.wgsl"),
            include_str!("../../shaders/rounding/bf16.wgsl"),
        ];
        assert_same_literals(&shaders, include_str!("rounding.rs"), 7);
    }
}
