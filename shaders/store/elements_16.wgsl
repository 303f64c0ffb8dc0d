// Single 16-bit elements: the ragged ends of a run, and runs whose blocks do not lie on 16-byte boundaries. The two
// halves of a word may belong to two invocations, or one half to somebody else. So atomic operations write a half and
// keep the other half, whoever writes that one.
@group(0) @binding(1) var<storage, read_write> destination: array<atomic<u32>>;

// `at` wraps below zero for the elements of a block that lie before the binding. Such a position is far above `end`.
fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    let v = round_to_16(block_values(element >> 2u));
    if (at & 1u) == 0u {
        write_pair(at, v.x, v.y, begin, end);
        write_pair(at + 2u, v.z, v.w, begin, end);
    } else {
        write_pair(at - 1u, 0u, v.x, max(begin, at), end);
        write_pair(at + 1u, v.y, v.z, begin, end);
        write_pair(at + 3u, v.w, 0u, begin, min(end, at + 4u));
    }
}

fn write_pair(at: u32, low: u32, high: u32, begin: u32, end: u32) {
    let has_low = at >= begin && at < end;
    let has_high = at + 1u >= begin && at + 1u < end;
    if has_low && has_high {
        atomicStore(&destination[at >> 1u], low | (high << 16u));
    } else if has_low {
        atomicAnd(&destination[at >> 1u], 0xFFFF0000u);
        atomicOr(&destination[at >> 1u], low);
    } else if has_high {
        atomicAnd(&destination[at >> 1u], 0x0000FFFFu);
        atomicOr(&destination[at >> 1u], high << 16u);
    }
}
