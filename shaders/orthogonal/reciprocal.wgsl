// 1 / sqrt(x) for a positive normal x: Newton's iteration from a guess of the exponent.
fn reciprocal_root(x: f32) -> f32 {
    let half = keep(0.5 * x);
    var y = bitcast<f32>(0x5F375A86u - (bitcast<u32>(x) >> 1u));
    y = keep(y * keep(1.5 - keep(keep(half * y) * y)));
    y = keep(y * keep(1.5 - keep(keep(half * y) * y)));
    y = keep(y * keep(1.5 - keep(keep(half * y) * y)));
    return y;
}

// 2 / x, corrected once by what it misses.
fn double_reciprocal(x: f32) -> f32 {
    let y = reciprocal_root(x);
    let reciprocal = keep(y * y);
    let miss = keep(1.0 - keep(x * reciprocal));
    return keep(2.0 * keep(reciprocal + keep(reciprocal * miss)));
}
