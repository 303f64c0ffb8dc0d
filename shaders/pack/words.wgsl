// Vector of 32-bit elements: one block.
const VECTOR_BITS: u32 = 2u;

fn vector_values(element: u32) -> vec4<u32> {
    return block_values(element >> 2u);
}
