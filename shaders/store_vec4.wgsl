// The fast destination of 32-bit elements: whole blocks, each on a 16-byte boundary, all of them inside
// the range.
@group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;

// Elements that an invocation stores.
const STORED: u32 = 4u;

fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    destination[at >> 2u] = block_values(element >> 2u);
}
