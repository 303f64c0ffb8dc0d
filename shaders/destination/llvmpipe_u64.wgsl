// Destination of whole vectors on llvmpipe with 64-bit integers. llvmpipe writes each component of each SIMD
// lane by itself, and a vector has half as many 64-bit components as 32-bit components.
@group(0) @binding(1) var<storage, read_write> destination: array<vec2<u64>>;

fn write_vector(vector: u32, value: vec4<u32>) {
    let wide = vec4<u64>(all_lanes(value));
    destination[vector] = wide.xz | (wide.yw << vec2<u32>(32u));
}
