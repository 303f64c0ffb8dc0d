// The fast destination of 32-bit elements on llvmpipe: whole blocks, each on a 16-byte boundary and inside the
// range or outside it. Two to an invocation, which share what it costs beside them.
@group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;

// Elements that an invocation stores.
const STORED: u32 = 8u;

fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    // Without a second block, the first one twice.
    let next = select(0u, 1u, at + 4u < end);
    let two = two_blocks(element >> 2u, (element >> 2u) + next);
    // No word is less than 0. But what comes before is then computed for all lanes at once: LLVM would put off the last
    // operations of Philox until each lane is stored by itself.
    let least = vec4<u32>(params.zero);
    destination[at >> 2u] = max(two[0], least);
    destination[(at >> 2u) + next] = max(two[1], least);
}
