// Two blocks per invocation, on llvmpipe: each invocation has a high fixed cost there. A block lies inside the range
// or outside it.
fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    // Without a second block, the first one is written twice.
    let next = select(0u, 1u, at + 4u < end);
    let two = two_blocks(element >> 2u, (element >> 2u) + next);
    write_vector(at >> 2u, two[0]);
    write_vector((at >> 2u) + next, two[1]);
}
