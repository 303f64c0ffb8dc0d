// The fast destination on llvmpipe, which stores component after component of lane after lane: of 64 bits, they are half
// as many.
@group(0) @binding(1) var<storage, read_write> destination: array<vec2<u64>>;

fn store(vector: u32, value: vec4<u32>) {
    let wide = vec4<u64>(all_lanes(value));
    destination[vector] = wide.xz | (wide.yw << vec2<u32>(32u));
}
