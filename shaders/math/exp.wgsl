// Portable exponential, by integer operations and f32 + - * alone, each of them the same on every device.
// docs/CONTRACT.md, section "Log-normal", says where the constants come from; src/math/exp.rs is the same
// sequence in Rust.

// The least f32 whose exponential is a normal f32: exp of it is 2^-126 (1 + 4.5e-6).
const LEAST_EXPONENT: f32 = -87.3365402;

// exp(x) within 0.9 ulp, for x up to 88.7228317, whose exponential is just finite. An x below LEAST_EXPONENT
// counts as LEAST_EXPONENT, so the result is never subnormal and never zero. The caller passes x through
// keep4().
fn portable_exp(x: vec4<f32>) -> vec4<f32> {
    let bounded = select(x, vec4<f32>(LEAST_EXPONENT), x < vec4<f32>(LEAST_EXPONENT));

    // n = round(x / ln 2). From 2^23 to 2^24 floats are the integers, so adding 1.5 * 2^23 rounds to one, and
    // the low bits of the sum are those of n.
    let shifted = keep4(keep4(bounded * 1.44269502) + 12582912.0);
    let n = keep4(shifted - 12582912.0);

    // r = x - n ln 2, in [-0.3466, 0.3466], by two parts of ln 2 (Cody and Waite, 1980). The first part has
    // 16 bits and n has 8, so `high` is exact. `low` is below 2^-12.
    let high = keep4(bounded - keep4(n * 0.693145752));
    let low = keep4(n * 1.42860677e-06);
    let r = keep4(high - low);

    // exp(r) = 1 + r + r^2 Q(r), Q of degree 4.
    var q = keep4(0.00137894845 * r);
    q = keep4(q + 0.00836867094);
    q = keep4(q * r);
    q = keep4(q + 0.0416688882);
    q = keep4(q * r);
    q = keep4(q + 0.166665211);
    q = keep4(q * r);
    q = keep4(q + 0.499999911);

    // What is small is added first. `high - low` instead of r, because r has a rounding that `high` has not.
    let curved = keep4(keep4(keep4(r * r) * q) - low);
    let m = keep4(keep4(high + curved) + 1.0);

    // m 2^n. m is in [0.7, 1.42], and the shift leaves n alone of the sum's bits, modulo 2^9.
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(m) + (bitcast<vec4<u32>>(shifted) << vec4<u32>(23u)));
}
