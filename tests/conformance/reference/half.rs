//! The 16-bit types (contract, section 7). Functions search all values of a type.

use std::sync::OnceLock;

use seedbed::DType;
use seedbed::half::{bf16, f16};

/// The two 16-bit types.
pub const HALVES: [DType; 2] = [DType::F16, DType::BF16];

/// All element types.
pub const ALL: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

/// The value of these bits.
pub fn value(dtype: DType, bits: u16) -> f64 {
    match dtype {
        DType::F16 => f16::from_bits(bits).into(),
        DType::BF16 => bf16::from_bits(bits).into(),
        _ => unreachable!("{dtype} is not a 16-bit type"),
    }
}

/// An f32 rounded to nearest even.
pub fn round(dtype: DType, x: f32) -> u16 {
    match dtype {
        DType::F16 => f16::from_f32_const(x).to_bits(),
        DType::BF16 => bf16::from_f32_const(x).to_bits(),
        _ => unreachable!("{dtype} is not a 16-bit type"),
    }
}

/// All finite values without a sign, ascending. The index of a value is its bits.
fn magnitudes(dtype: DType) -> &'static [f64] {
    static ALL: [OnceLock<Vec<f64>>; 2] = [const { OnceLock::new() }; 2];
    ALL[usize::from(dtype == DType::BF16)].get_or_init(|| {
        (0..0x8000_u16).map(|bits| value(dtype, bits)).take_while(|value| value.is_finite()).collect()
    })
}

/// An f64 rounded once to nearest even. (`from_f64` of the crate `half` drops 32 bits before it rounds.)
pub fn round_f64(dtype: DType, x: f64) -> u16 {
    let (all, magnitude) = (magnitudes(dtype), x.abs());
    let below = all.partition_point(|&value| value <= magnitude) - 1;
    let Some(above) = all.get(below + 1) else {
        assert!(x.is_infinite() || magnitude == all[below], "{x:e} is too much for {dtype}");
        return value_bits(below + usize::from(x.is_infinite()), x);
    };
    let middle = (all[below] + above) / 2.0;
    let up = magnitude > middle || (magnitude == middle && below % 2 == 1);
    value_bits(below + usize::from(up), x)
}

fn value_bits(magnitude: usize, sign: f64) -> u16 {
    magnitude as u16 | u16::from(sign.is_sign_negative()) << 15
}

/// The bits of the greatest value that is less than the limit.
pub fn greatest_below(dtype: DType, limit: f64) -> u16 {
    let all = magnitudes(dtype);
    if limit > 0.0 {
        all.partition_point(|&value| value < limit) as u16 - 1
    } else {
        0x8000 | all.partition_point(|&value| value <= -limit) as u16
    }
}

/// The bits of the value in [a, b] that is nearest to the value of `bits`.
pub fn clamp(dtype: DType, bits: u16, [a, b]: [f64; 2]) -> u16 {
    let all = magnitudes(dtype);
    // The greatest value of at most b.
    let at_most = |b: f64| match b >= 0.0 {
        true => all.partition_point(|&value| value <= b) as u16 - 1,
        false => 0x8000 | all.partition_point(|&value| value < -b) as u16,
    };
    match value(dtype, bits) {
        x if x > b => at_most(b),
        x if x < a => at_most(-a) ^ 0x8000,
        _ => bits,
    }
}

pub fn meets_known_values() {
    for (dtype, x, bits) in [
        (DType::F16, 1.0, 0x3C00),
        (DType::F16, -2.0, 0xC000),
        (DType::F16, 6e-8, 0x0001),
        (DType::F16, 2.0_f64.powi(-25), 0x0000),
        (DType::F16, -(2.0_f64.powi(-25)), 0x8000),
        (DType::F16, 2.0_f64.powi(-25) * (1.0 + 1e-15), 0x0001),
        (DType::F16, f64::INFINITY, 0x7C00),
        (DType::BF16, 1.0, 0x3F80),
        (DType::BF16, 1.00390625, 0x3F80),
        (DType::BF16, 1.01171875, 0x3F82),
        (DType::BF16, f64::NEG_INFINITY, 0xFF80),
    ] {
        assert_eq!(round_f64(dtype, x), bits, "{x:e} in {dtype}");
        if f64::from(x as f32) == x {
            assert_eq!(round(dtype, x as f32), bits, "{x:e} in {dtype}");
        }
    }
    for (dtype, limit, bits) in [
        (DType::F16, 1.0, 0x3BFF),
        (DType::F16, 1.0001, 0x3C00),
        (DType::F16, 1e-9, 0x0000),
        (DType::F16, 0.0, 0x8001),
        (DType::F16, -1.0, 0xBC01),
        (DType::BF16, 1.0, 0x3F7F),
        (DType::BF16, -1.0, 0xBF81),
        (DType::BF16, -0.999, 0xBF80),
    ] {
        assert_eq!(greatest_below(dtype, limit), bits, "below {limit} in {dtype}");
    }
    let clamped = |x: f64, bounds| value(DType::BF16, clamp(DType::BF16, round_f64(DType::BF16, x), bounds));
    assert_eq!(clamped(0.5, [-1.0, 1.0]), 0.5);
    assert_eq!(clamped(3.0, [-1.0, 1.001]), 1.0);
    assert_eq!(clamped(3.0, [-2.0, -1.001]), -1.0078125);
    assert_eq!(clamped(0.25, [1.001, 2.0]), 1.0078125);
    assert_eq!(clamped(-9.0, [-1.001, 2.0]), -1.0);
}
