// The fast destination of 16-bit elements: two whole blocks at once, on a 16-byte boundary, all of them
// inside the range.
@group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;

// Elements that an invocation stores.
const STORED: u32 = 8u;

fn packed(block: u32) -> vec2<u32> {
    let v = narrow(block_values(block));
    return vec2<u32>(v.x | (v.y << 16u), v.z | (v.w << 16u));
}

fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    let block = element >> 2u;
    destination[at >> 3u] = vec4<u32>(packed(block), packed(block + 1u));
}
