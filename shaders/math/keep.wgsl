// keep(x) is x. WGSL lets a compiler fuse `a*b + c` and reassociate sums, and real compilers do, so that two devices
// round differently. A compiler can do neither with a value that passed through an integer operation with an unknown
// operand. So every f32 result passes through keep() before another f32 operation uses that result. A unit test
// (src/kernel/lint.rs) enforces this.
fn keep(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

fn keep4(x: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) ^ vec4<u32>(params.zero));
}
