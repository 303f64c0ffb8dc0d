// The destination of 16-bit elements for everything else. The halves of a word may belong to two invocations, or one
// of them to nobody here: a half is written by atomic operations that leave the other one as it is, whoever
// else writes that one.
@group(0) @binding(1) var<storage, read_write> destination: array<atomic<u32>>;

// Elements that an invocation stores.
const STORED: u32 = 4u;

// `at` wraps below zero for the elements of a block that lie before the binding; those are then far
// above `end`.
fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    let v = narrow(block_values(element >> 2u));
    if (at & 1u) == 0u {
        store_pair(at, v.x, v.y, begin, end);
        store_pair(at + 2u, v.z, v.w, begin, end);
    } else {
        store_pair(at - 1u, 0u, v.x, max(begin, at), end);
        store_pair(at + 1u, v.y, v.z, begin, end);
        store_pair(at + 3u, v.w, 0u, begin, min(end, at + 4u));
    }
}

fn store_pair(at: u32, low: u32, high: u32, begin: u32, end: u32) {
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
