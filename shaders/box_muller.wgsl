// Portable Box-Muller (Box and Muller, 1958): two words -> two standard normals, by integer
// operations and f32 + - * alone, each of them the same on every device. docs/CONTRACT.md, section
// 5, says where the constants come from; src/host/box_muller.rs is the same sequence in Rust.
//
// Integers become floats without a rounding that a device could do in its own way: each half of the
// word is put into the mantissa of a power of two, and one addition joins the halves. The low half
// brings the + 1/2 along.

// sqrt(-2 ln u1) / 2, where u1 = (w + 1/2) / 2^32.
fn half_radius(w: u32) -> f32 {
    // Near 1 the logarithm is taken of 1 - (1 - u1), so that it keeps its relative accuracy there.
    let near_one = w >= 0x851EB800u; // 0.52 * 2^32
    let v = select(w, ~w, near_one);
    let high = keep(bitcast<f32>(0x53000000u | (v >> 16u)) - 549760008192.0); // - 2^39 - 2^22
    let low = bitcast<f32>(0x4A800001u | ((v << 1u) & 0x1FFFFu)); // 2^22 + low half + 1/2
    let x = bitcast<u32>(keep(high + low));

    // x = m * 2^k with m in [0.52, 1.04); u1 = (1 + t) * 2^-e.
    let scaled = x - 0x3F051EB8u; // 0.52
    let e = select(32 - (bitcast<i32>(scaled) >> 23u), 0, near_one);
    let m = bitcast<f32>((scaled & 0x007FFFFFu) + 0x3F051EB8u);
    let t = select(keep(m - 1.0), bitcast<f32>(x + 0x70000000u), near_one); // or -x * 2^-32

    // h = -ln u1 = e ln 2 - t - t^2 Q(t), Q of degree 6; `q` is -Q.
    var q = keep(0.98826021 * t);
    q = keep(q + 0.760204434);
    q = keep(q * t);
    q = keep(q + 0.578616321);
    q = keep(q * t);
    q = keep(q - 0.104416482);
    q = keep(q * t);
    q = keep(q + 0.261179477);
    q = keep(q * t);
    q = keep(q - 0.332760811);
    q = keep(q * t);
    q = keep(q + 0.500008166);
    let linear = keep(keep(f32(e) * 0.693147182) - t);
    let h = keep(linear + keep(keep(t * t) * q));

    // y = 1 / sqrt(2 h) within 3.4e-5: a guess from the exponent, one third-order step.
    let guess = bitcast<f32>(0x5F05B93Bu - (bitcast<u32>(h) >> 1u));
    let s = keep(keep(guess * guess) * h);
    let y = keep(guess * keep(keep(keep(s - 1.9622134) * s) + 1.73017752));

    // sqrt(2 h) / 2 = h y, corrected once by what h y^2 misses of 1/2.
    let r = keep(h * y);
    let miss = keep(0.5 - keep(r * y));
    return keep(r + keep(r * miss));
}

// 2 (cos 2 pi u2, sin 2 pi u2), where u2 = (w + 1/2) / 2^32.
fn double_cos_sin(w: u32) -> vec2<f32> {
    // Quadrant in the two top bits of `a`, and t in [-1, 1] within it: 2 pi u2 = (quadrant + t/2) pi/2.
    let a = w + 0x20000000u;
    let high = keep(bitcast<f32>(0x44800000u | ((a >> 16u) & 0x3FFFu)) - 1025.0078125); // 2^10 + 1 + 2^-7
    let low = bitcast<f32>(0x3C000001u | ((a << 1u) & 0x1FFFFu)); // 2^-7 + (low half + 1/2) * 2^-29
    let t = keep(high + low);
    let z = keep(t * t);

    var sine = keep(-7.31612163e-05 * z);
    sine = keep(sine + 0.00498196855);
    sine = keep(sine * z);
    sine = keep(sine - 0.161491647);
    sine = keep(sine * z);
    sine = keep(sine + 1.57079637);
    sine = keep(sine * t);

    var cosine = keep(-0.00063809898 * z);
    cosine = keep(cosine + 0.0317004919);
    cosine = keep(cosine * z);
    cosine = keep(cosine - 0.616848886);
    cosine = keep(cosine * z);
    cosine = keep(2.0 + cosine);

    let odd = (a & 0x40000000u) != 0u;
    let x = bitcast<u32>(select(cosine, sine, odd));
    let y = bitcast<u32>(select(sine, cosine, odd));
    let x_sign = (a ^ (a << 1u)) & 0x80000000u;
    let y_sign = a & 0x80000000u;
    return vec2<f32>(bitcast<f32>(x ^ x_sign), bitcast<f32>(y ^ y_sign));
}

// Two standard normals: the cosine first.
fn box_muller(w0: u32, w1: u32) -> vec2<f32> {
    let r = half_radius(w0);
    let p = double_cos_sin(w1);
    return vec2<f32>(keep(r * p.x), keep(r * p.y));
}
