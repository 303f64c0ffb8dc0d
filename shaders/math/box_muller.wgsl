// Portable Box-Muller (Box and Muller, 1958): two words -> two standard normals, by integer operations and f32 + - *
// alone, each of which gives the same result on every device. docs/CONTRACT.md, section 5, says where the constants come
// from; src/math/box_muller.rs is the same sequence in Rust.
//
// An integer becomes a float without a conversion, which a device could round in its own way: each half of the word is
// put into the mantissa of a power of two, and one addition joins the halves. The low half contains the + 1/2.
//
// Several pairs of words are computed side by side: `Words`, `Integers` and `Floats` are vectors of one component per
// pair. A processor that waits for one pair's result has another pair's work to do.

// One normal of each pair by the cosine, and one by the sine.
struct CosSin {
    cosine: Floats,
    sine: Floats,
}

fn keep_lanes(x: Floats) -> Floats {
    return bitcast<Floats>(bitcast<Words>(x) ^ Words(params.zero));
}

// sqrt(-2 ln u1) / 2, where u1 = (w + 1/2) / 2^32.
fn half_radius(w: Words) -> Floats {
    // Near 1 the logarithm is taken of 1 - (1 - u1), so that its relative accuracy is kept there.
    let near_one = w >= Words(0x851EB800u); // 0.52 * 2^32
    let v = select(w, ~w, near_one);
    let high = keep_lanes(bitcast<Floats>(Words(0x53000000u) | (v >> Words(16u))) - 549760008192.0); // - 2^39 - 2^22
    let low = bitcast<Floats>(Words(0x4A800001u) | ((v << Words(1u)) & Words(0x1FFFFu))); // 2^22 + low half + 1/2
    let x = bitcast<Words>(keep_lanes(high + low));

    // x = m * 2^k with m in [0.52, 1.04); u1 = (1 + t) * 2^-e.
    let scaled = x - Words(0x3F051EB8u); // 0.52
    let e = select(Integers(32) - (bitcast<Integers>(scaled) >> Words(23u)), Integers(0), near_one);
    let m = bitcast<Floats>((scaled & Words(0x007FFFFFu)) + Words(0x3F051EB8u));
    let t = select(keep_lanes(m - 1.0), bitcast<Floats>(x + Words(0x70000000u)), near_one); // or -x * 2^-32

    // h = -ln u1 = e ln 2 - t - t^2 Q(t), Q of degree 6; `q` is -Q.
    var q = keep_lanes(0.98826021 * t);
    q = keep_lanes(q + 0.760204434);
    q = keep_lanes(q * t);
    q = keep_lanes(q + 0.578616321);
    q = keep_lanes(q * t);
    q = keep_lanes(q - 0.104416482);
    q = keep_lanes(q * t);
    q = keep_lanes(q + 0.261179477);
    q = keep_lanes(q * t);
    q = keep_lanes(q - 0.332760811);
    q = keep_lanes(q * t);
    q = keep_lanes(q + 0.500008166);
    let linear = keep_lanes(keep_lanes(Floats(e) * 0.693147182) - t);
    let h = keep_lanes(linear + keep_lanes(keep_lanes(t * t) * q));

    // y = 1 / sqrt(2 h) within 3.4e-5: a guess from the exponent, one third-order step.
    let guess = bitcast<Floats>(Words(0x5F05B93Bu) - (bitcast<Words>(h) >> Words(1u)));
    let s = keep_lanes(keep_lanes(guess * guess) * h);
    let y = keep_lanes(guess * keep_lanes(keep_lanes(keep_lanes(s - 1.9622134) * s) + 1.73017752));

    // sqrt(2 h) / 2 = h y, corrected once by what h y^2 misses of 1/2.
    let r = keep_lanes(h * y);
    let miss = keep_lanes(0.5 - keep_lanes(r * y));
    return keep_lanes(r + keep_lanes(r * miss));
}

// 2 (cos 2 pi u2, sin 2 pi u2), where u2 = (w + 1/2) / 2^32.
fn double_cos_sin(w: Words) -> CosSin {
    // Quadrant in the two top bits of `a`, and t in [-1, 1] within it: 2 pi u2 = (quadrant + t/2) pi/2.
    let a = w + Words(0x20000000u);
    let high = keep_lanes(bitcast<Floats>(Words(0x44800000u) | ((a >> Words(16u)) & Words(0x3FFFu))) - 1025.0078125); // 2^10 + 1 + 2^-7
    let low = bitcast<Floats>(Words(0x3C000001u) | ((a << Words(1u)) & Words(0x1FFFFu))); // 2^-7 + (low half + 1/2) * 2^-29
    let t = keep_lanes(high + low);
    let z = keep_lanes(t * t);

    var sine = keep_lanes(-7.31612163e-05 * z);
    sine = keep_lanes(sine + 0.00498196855);
    sine = keep_lanes(sine * z);
    sine = keep_lanes(sine - 0.161491647);
    sine = keep_lanes(sine * z);
    sine = keep_lanes(sine + 1.57079637);
    sine = keep_lanes(sine * t);

    var cosine = keep_lanes(-0.00063809898 * z);
    cosine = keep_lanes(cosine + 0.0317004919);
    cosine = keep_lanes(cosine * z);
    cosine = keep_lanes(cosine - 0.616848886);
    cosine = keep_lanes(cosine * z);
    cosine = keep_lanes(2.0 + cosine);

    let odd = (a & Words(0x40000000u)) != Words(0u);
    let x = bitcast<Words>(select(cosine, sine, odd));
    let y = bitcast<Words>(select(sine, cosine, odd));
    let x_sign = (a ^ (a << Words(1u))) & Words(0x80000000u);
    let y_sign = a & Words(0x80000000u);
    return CosSin(bitcast<Floats>(x ^ x_sign), bitcast<Floats>(y ^ y_sign));
}

// The standard normals of pairs of words.
fn box_muller(w0: Words, w1: Words) -> CosSin {
    let r = half_radius(w0);
    let p = double_cos_sin(w1);
    return CosSin(keep_lanes(r * p.cosine), keep_lanes(r * p.sine));
}
