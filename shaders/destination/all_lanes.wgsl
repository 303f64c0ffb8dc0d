// max(x, 0) changes no word. It stops LLVM from sinking the last operations, as far back as into Philox, into the code
// that writes each SIMD lane by itself: they are then computed for all lanes at once.
fn all_lanes(value: vec4<u32>) -> vec4<u32> {
    return max(value, vec4<u32>(params.zero));
}
