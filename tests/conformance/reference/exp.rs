//! The exponential of the contract (section 13), step by step.

/// The least exponent that counts.
pub const LEAST: f32 = f32::from_bits(0xC2AE_AC4F);

/// The greatest f32 whose exponential is finite.
pub const GREATEST: f32 = 88.722_83;

/// `exp(x)`, each operation rounded once.
pub fn exp(x: f32) -> f32 {
    let y = x.max(LEAST);
    let spacing_of_one = 1.5 * 2_f32.powi(23);
    let a = y * std::f32::consts::LOG2_E + spacing_of_one;
    let n = a - spacing_of_one;
    let [high, low] = [y - n * 0.693_145_75, n * 1.428_606_8e-6];
    let r = high - low;
    let c = [0x3EFF_FFFD, 0x3E2A_AA49, 0x3D2A_ACFF, 0x3C09_1CC0, 0x3AB4_BDD5].map(f32::from_bits);
    let q = (((c[4] * r + c[3]) * r + c[2]) * r + c[1]) * r + c[0];
    let m = (high + ((r * r) * q - low)) + 1.0;
    // n is an integer from -126 to 128, and m is in [0.7, 1.42].
    (f64::from(m) * 2_f64.powi(n as i32)) as f32
}
