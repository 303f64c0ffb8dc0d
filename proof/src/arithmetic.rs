//! The host's arithmetic of one word, from the files of the library's `src/math`.

// The tests in the files belong to the library.
#![cfg(not(test))]
// The files hold more than is used here.
#![allow(dead_code)]

#[path = "../../src/math/box_muller.rs"]
mod box_muller;
#[path = "../../src/math/exp.rs"]
mod exponential;
#[path = "../../src/math/quantile.rs"]
mod quantiles;
#[path = "../../src/math/rounding.rs"]
mod rounding;
#[path = "../../src/math/uniform.rs"]
mod uniforms;

pub use box_muller::{box_muller, double_cos_sin, half_radius};
pub use exponential::exp;

/// The value of a truncated normal, whose standardised quantiles the table holds.
#[inline(always)]
pub fn quantile(word: u32, table: &[[f32; 4]]) -> f32 {
    let (segment, t) = quantiles::segment(word);
    quantiles::cubic(table[segment as usize], t)
}

/// `x` between two bounds.
#[inline(always)]
pub fn within(x: f32, min: f32, max: f32) -> f32 {
    uniforms::within(x, min, max)
}

/// `low + range · u`, but at most `max`.
#[inline(always)]
pub fn uniform(word: u32, low: f32, range: f32, max: f32) -> f32 {
    uniforms::uniform(word, low, range, max)
}

/// The bits of an f32 -> the bits of a binary16.
#[inline(always)]
pub fn round_to_f16(bits: u32) -> u16 {
    rounding::round_to_f16(bits)
}

/// The bits of an f32 -> the bits of a bfloat16.
#[inline(always)]
pub fn round_to_bf16(bits: u32) -> u16 {
    rounding::round_to_bf16(bits)
}
