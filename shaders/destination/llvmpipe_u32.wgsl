// Destination of whole vectors on llvmpipe without 64-bit integers.
@group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;

fn write_vector(vector: u32, value: vec4<u32>) {
    destination[vector] = all_lanes(value);
}
