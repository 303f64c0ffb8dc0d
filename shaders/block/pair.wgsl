// Two blocks, one after the other.
fn two_blocks(block: u32, next: u32) -> array<vec4<u32>, 2> {
    return array<vec4<u32>, 2>(block_values(block), block_values(next));
}
