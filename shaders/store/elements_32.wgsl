// Single 32-bit elements: the ragged ends of a run, and runs whose blocks do not lie on 16-byte boundaries. Each word is
// written alone, because a write to one component of a vec4 may touch all of it (WGSL, section 6.4.7), and the
// neighbours belong to somebody else.
@group(0) @binding(1) var<storage, read_write> destination: array<u32>;

// `at` wraps below zero for the elements of a block that lie before the binding. Such a position is far above `end`.
fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    let values = block_values(element >> 2u);
    write_word(at, values.x, begin, end);
    write_word(at + 1u, values.y, begin, end);
    write_word(at + 2u, values.z, begin, end);
    write_word(at + 3u, values.w, begin, end);
}

fn write_word(at: u32, value: u32, begin: u32, end: u32) {
    if at >= begin && at < end {
        destination[at] = value;
    }
}
