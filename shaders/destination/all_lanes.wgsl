// max(x, 0) changes no word. But max() stops LLVM from sinking the last operations, as far back as Philox,
// into the code that writes each SIMD lane by itself. So those operations are computed for all SIMD lanes at
// once.
fn all_lanes(value: vec4<u32>) -> vec4<u32> {
    return max(value, vec4<u32>(params.zero));
}
