// WGSL lets a compiler fuse `a*b + c` and reassociate sums, and real ones do; then two devices
// round differently. A value that has passed through an integer operation with an unknown operand
// can be neither fused nor reassociated, so every f32 result passes through here before another
// f32 operation uses it. src/shaders/lint.rs has the test that enforces it.
fn keep(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

fn keep4(x: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) ^ vec4<u32>(params.zero));
}
