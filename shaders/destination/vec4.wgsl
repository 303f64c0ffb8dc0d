// Destination of whole vectors, each on a 16-byte boundary.
@group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;

fn write_vector(vector: u32, value: vec4<u32>) {
    destination[vector] = value;
}
