// The fast destination of 16-bit elements: whole blocks, each on an 8-byte boundary, all of them inside
// the range.
@group(0) @binding(1) var<storage, read_write> destination: array<vec2<u32>>;

fn store_block(block: u32) {
    let v = narrow(block_values(block));
    destination[(params.origin >> 2u) + block] = vec2<u32>(v.x | (v.y << 16u), v.z | (v.w << 16u));
}
