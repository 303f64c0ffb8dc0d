// A random permutation of a column's rows, whose first few are the zeros of sparse_. The new index of a row is computed
// from the row alone, so nothing is sorted or stored.
//
// The rows lie in a rectangle of width * height cells, which has fewer than `width` cells more than there are rows. A
// Feistel network permutes the cells (Black and Rogaway: "Ciphers with arbitrary finite domains", 2002): each of its
// eight rounds adds a hash of one coordinate to the other coordinate. If the result is not a valid row, it is permuted
// again (cycle walking, their section 3), at most as many times as there are cells too many.

// A hash of 32 bits: MurmurHash3's finaliser (Appleby), which lets every bit change every other.
fn mix(x: u32) -> u32 {
    var h = x;
    h = (h ^ (h >> 16u)) * 0x85EBCA6Bu;
    h = (h ^ (h >> 13u)) * 0xC2B2AE35u;
    return h ^ (h >> 16u);
}

// The high word of h * n for n up to 2^16: a number below n, from a hash.
fn scale_down(h: u32, n: u32) -> u32 {
    return ((h >> 16u) * n + (((h & 0xFFFFu) * n) >> 16u)) >> 16u;
}

fn add_below(a: u32, b: u32, n: u32) -> u32 {
    let sum = a + b;
    return select(sum, sum - n, sum >= n);
}

// Two rounds, with two words of the column's key.
fn two_rounds(cell: vec2<u32>, first: u32, second: u32) -> vec2<u32> {
    let x = add_below(cell.x, scale_down(mix(cell.y ^ first), params.width), params.width);
    let y = add_below(cell.y, scale_down(mix(x ^ second), params.height), params.height);
    return vec2<u32>(x, y);
}

fn permute(row: u32, key: vec4<u32>) -> u32 {
    var at = row;
    // The cells too many bound the walks; they are fewer than `width`.
    for (var walk = 0u; walk <= params.width; walk++) {
        var cell = vec2<u32>(at % params.width, at / params.width);
        cell = two_rounds(cell, key.x, key.y);
        cell = two_rounds(cell, key.z, key.w);
        cell = two_rounds(cell, ~key.y, ~key.x);
        cell = two_rounds(cell, ~key.w, ~key.z);
        at = cell.y * params.width + cell.x;
        if at < params.rows {
            break;
        }
    }
    return at;
}
