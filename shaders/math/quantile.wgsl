// Portable inverse transform: one word -> one value of the distribution whose quantile function `table` holds, by
// integer operations and f32 + - * alone. src/math/truncated_normal.rs computes the table; shaders/table declares it;
// src/math/quantile.rs is the same sequence in Rust.
//
// A segment of the table is an eighth of an octave of the probability, counted from the nearer end of
// the distribution, so both tails are resolved down to 2^-33. Each has a cubic.

// The quantile of u = (w + 1/2) / 2^32.
fn quantile(w: u32) -> f32 {
    // v + 1/2, as in box_muller.wgsl; the greatest v would round up to 2^31 and out of the table.
    let v = select(w, ~w, w >= 0x80000000u);
    let high = keep(bitcast<f32>(0x53000000u | (v >> 16u)) - 549760008192.0); // - 2^39 - 2^22
    let low = bitcast<f32>(0x4A800001u | ((v << 1u) & 0x1FFFFu)); // 2^22 + low half + 1/2
    let y = min(bitcast<u32>(keep(high + low)), 0x4EFFFFFFu);

    // Exponent and three bits of the mantissa choose the segment, the others the place in it.
    let c = table[((y - 0x3F000000u) >> 20u) + ((w >> 31u) << 8u)];
    let t = keep(bitcast<f32>(0x3F800000u | ((y << 3u) & 0x007FFFF8u)) - 1.5); // in [-1/2, 1/2)
    var z = keep(c.w * t);
    z = keep(z + c.z);
    z = keep(z * t);
    z = keep(z + c.y);
    z = keep(z * t);
    return keep(z + c.x);
}
