// The destination of 32-bit elements for everything else: the ragged ends of a range, and ranges whose
// blocks do not lie on 16-byte boundaries. Word by word, because writing one component of a vec4 may
// touch all of it (WGSL, section 6.4.7), and a neighbour belongs to somebody else.
@group(0) @binding(1) var<storage, read_write> destination: array<u32>;

fn store_word(at: u32, value: u32) {
    if at >= params.begin && at < params.end {
        destination[at] = value;
    }
}

fn store_block(block: u32) {
    // Wraps below zero for the elements of the first block that lie before the binding; those are
    // then far above `end`.
    let at = params.origin + 4u * block;
    let values = block_values(block);
    store_word(at, values.x);
    store_word(at + 1u, values.y);
    store_word(at + 2u, values.z);
    store_word(at + 3u, values.w);
}
