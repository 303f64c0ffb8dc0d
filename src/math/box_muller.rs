//! Portable Box-Muller: the sequence of `shaders/math/box_muller.wgsl`, whose comments explain it. Rust
//! neither fuses nor reassociates, so nothing here needs the shader's `keep()`.

#[inline(always)]
pub(crate) fn select<T>(if_false: T, if_true: T, condition: bool) -> T {
    if condition { if_true } else { if_false }
}

/// `sqrt(-2 ln u1) / 2`, where `u1 = (w + 1/2) / 2^32`.
#[inline(always)]
pub fn half_radius(w: u32) -> f32 {
    half_sqrt(neg_ln(reduce_argument(w)))
}

// The steps of `half_radius` and `double_cos_sin`. `src/host/tile.rs` has a loop for each.

/// `t` and `e` of `u1 = (1 + t) * 2^-e`.
#[inline(always)]
pub(crate) fn reduce_argument(w: u32) -> (f32, f32) {
    let near_one = w >= 0x851E_B800; // 0.52 * 2^32
    let v = select(w, !w, near_one);
    let high = f32::from_bits(0x5300_0000 | (v >> 16)) - 549_760_008_192.0; // - 2^39 - 2^22
    let low = f32::from_bits(0x4A80_0001 | ((v << 1) & 0x1_FFFF)); // 2^22 + low half + 1/2
    let x = (high + low).to_bits();

    let scaled = x.wrapping_sub(0x3F05_1EB8); // 0.52
    let e = select(32 - ((scaled as i32) >> 23), 0, near_one);
    let m = f32::from_bits((scaled & 0x007F_FFFF) + 0x3F05_1EB8);
    let t = select(m - 1.0, f32::from_bits(x.wrapping_add(0x7000_0000)), near_one); // or -x * 2^-32
    (t, e as f32)
}

/// `-ln u1`.
#[inline(always)]
pub(crate) fn neg_ln((t, e): (f32, f32)) -> f32 {
    let mut q = 0.988_260_2 * t;
    q += 0.760_204_43;
    q *= t;
    q += 0.578_616_3;
    q *= t;
    q -= 0.104_416_48;
    q *= t;
    q += 0.261_179_48;
    q *= t;
    q -= 0.332_760_8;
    q *= t;
    q += 0.500_008_17;
    let linear = e * std::f32::consts::LN_2 - t;
    linear + (t * t) * q
}

/// `sqrt(2 h) / 2`.
#[inline(always)]
pub(crate) fn half_sqrt(h: f32) -> f32 {
    let guess = f32::from_bits(0x5F05_B93B_u32.wrapping_sub(h.to_bits() >> 1));
    let s = (guess * guess) * h;
    let y = guess * ((s - 1.962_213_4) * s + 1.730_177_5);

    let r = h * y;
    let miss = 0.5 - r * y;
    r + r * miss
}

/// `2 (cos 2πu2, sin 2πu2)`, where `u2 = (w + 1/2) / 2^32`.
#[inline(always)]
pub fn double_cos_sin(w: u32) -> [f32; 2] {
    let a = rotate_eighth(w);
    to_quadrant(a, within_quadrant(angle(a)))
}

// The steps of it.

/// By an eighth: the quadrant is then in the two top bits.
#[inline(always)]
pub(crate) fn rotate_eighth(w: u32) -> u32 {
    w.wrapping_add(0x2000_0000)
}

/// `t` of `2πu2 = (quadrant + t/2) π/2`.
#[inline(always)]
pub(crate) fn angle(a: u32) -> f32 {
    let high = f32::from_bits(0x4480_0000 | ((a >> 16) & 0x3FFF)) - 1_025.007_8; // 2^10 + 1 + 2^-7
    let low = f32::from_bits(0x3C00_0001 | ((a << 1) & 0x1_FFFF)); // 2^-7 + (low half + 1/2) * 2^-29
    high + low
}

/// `2 (cos πt/4, sin πt/4)`.
#[inline(always)]
pub(crate) fn within_quadrant(t: f32) -> [f32; 2] {
    let z = t * t;

    let mut sine = -7.316_121_6e-5 * z;
    sine += 0.004_981_968_6;
    sine *= z;
    sine -= 0.161_491_65;
    sine *= z;
    sine += std::f32::consts::FRAC_PI_2;
    sine *= t;

    let mut cosine = -0.000_638_099 * z;
    cosine += 0.031_700_492;
    cosine *= z;
    cosine -= 0.616_848_9;
    cosine *= z;
    cosine += 2.0;
    [cosine, sine]
}

/// Turns what is within the quadrant to it.
#[inline(always)]
pub(crate) fn to_quadrant(a: u32, [cosine, sine]: [f32; 2]) -> [f32; 2] {
    let odd = a & 0x4000_0000 != 0;
    let x = select(cosine, sine, odd).to_bits();
    let y = select(sine, cosine, odd).to_bits();
    let x_sign = (a ^ (a << 1)) & 0x8000_0000;
    let y_sign = a & 0x8000_0000;
    [f32::from_bits(x ^ x_sign), f32::from_bits(y ^ y_sign)]
}

/// Two standard normals: the cosine first.
#[inline(always)]
pub fn box_muller(w0: u32, w1: u32) -> [f32; 2] {
    let r = half_radius(w0);
    let [x, y] = double_cos_sin(w1);
    [r * x, r * y]
}

#[cfg(test)]
mod tests {
    use crate::math::literals::assert_same_literals;

    #[test]
    fn constants_are_the_shaders() {
        let shaders = [include_str!("../../shaders/math/box_muller.wgsl")];
        assert_same_literals(&shaders, include_str!("box_muller.rs"), 39);
    }
}
