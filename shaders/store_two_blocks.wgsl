// Whole blocks, each inside the range or outside it, on llvmpipe. Two to an invocation, which share what it costs beside
// them.

// Elements that an invocation stores.
const STORED: u32 = 8u;

fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    // Without a second block, the first one twice.
    let next = select(0u, 1u, at + 4u < end);
    let two = two_blocks(element >> 2u, (element >> 2u) + next);
    store(at >> 2u, two[0]);
    store((at >> 2u) + next, two[1]);
}
