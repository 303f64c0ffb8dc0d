// Destination of whole vectors on llvmpipe, which writes component after component of SIMD lane after SIMD lane.
// 64-bit components are half as many.
@group(0) @binding(1) var<storage, read_write> destination: array<vec2<u64>>;

fn write_vector(vector: u32, value: vec4<u32>) {
    let wide = vec4<u64>(all_lanes(value));
    destination[vector] = wide.xz | (wide.yw << vec2<u32>(32u));
}
