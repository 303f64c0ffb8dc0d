// Box-Muller (Box and Muller, 1958) by WGSL's built-in functions, for `Math::Native` alone. The results of the built-in
// functions differ between devices, by 2^-11 for sin and cos (WGSL, section 15.7.4), and so do the normals.

// One normal of each pair by the cosine, and one by the sine.
struct CosSin {
    cosine: Floats,
    sine: Floats,
}

fn box_muller(w0: Words, w1: Words) -> CosSin {
    let u1 = (Floats(w0) + 0.5) * 0x1p-32f;
    let angle = (Floats(w1) + 0.5) * 1.46291808e-9; // 2 pi / 2^32
    // f32(w0) can round up to 2^32, and log(1) may come out a little above 0.
    let r = sqrt(max(-2.0 * log(u1), Floats(0.0)));
    return CosSin(r * cos(angle), r * sin(angle));
}
