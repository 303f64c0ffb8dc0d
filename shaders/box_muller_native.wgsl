// Box-Muller (Box and Muller, 1958) by WGSL's built-in functions. Their results differ between
// devices, by 2^-11 for sin and cos (WGSL, section 15.7.4), so the normals do too: this file is
// chosen by `Math::Native` alone.

fn box_muller(w0: u32, w1: u32) -> vec2<f32> {
    let u1 = (f32(w0) + 0.5) * 0x1p-32f;
    let angle = (f32(w1) + 0.5) * 1.46291808e-9; // 2 pi / 2^32
    // f32(w0) can round up to 2^32, and log(1) may come out a little above 0.
    let r = sqrt(max(-2.0 * log(u1), 0.0));
    return r * vec2<f32>(cos(angle), sin(angle));
}
