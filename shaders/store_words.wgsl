// The destination of 32-bit elements for everything else: the ragged ends of a range, and ranges whose
// blocks do not lie on 16-byte boundaries. Word by word, because writing one component of a vec4 may
// touch all of it (WGSL, section 6.4.7), and a neighbour belongs to somebody else.
@group(0) @binding(1) var<storage, read_write> destination: array<u32>;

// Elements that an invocation stores.
const STORED: u32 = 4u;

// `at` wraps below zero for the elements of a block that lie before the binding; those are then far
// above `end`.
fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    let values = block_values(element >> 2u);
    store_word(at, values.x, begin, end);
    store_word(at + 1u, values.y, begin, end);
    store_word(at + 2u, values.z, begin, end);
    store_word(at + 3u, values.w, begin, end);
}

fn store_word(at: u32, value: u32, begin: u32, end: u32) {
    if at >= begin && at < end {
        destination[at] = value;
    }
}
