// The fast destination of 32-bit elements: whole blocks, each on a 16-byte boundary, all of them inside
// the range.
@group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;

fn store_block(block: u32) {
    destination[(params.origin >> 2u) + block] = block_values(block);
}
