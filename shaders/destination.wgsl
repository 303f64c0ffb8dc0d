// The fast destination: vectors of elements, each on a 16-byte boundary.
@group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;

fn store(vector: u32, value: vec4<u32>) {
    destination[vector] = value;
}
