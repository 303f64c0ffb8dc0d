// A random permutation of a column's rows, of which the first few are the zeros of sparse_: where a row
// comes to is computed from the row alone, so nothing is sorted or stored.
//
// The rows lie in a rectangle of width * height places, a little larger than their number (by less than
// `width`). Each round of a Feistel network on its two coordinates (Black and Rogaway: "Ciphers with
// arbitrary finite domains", 2002) adds a hash of the one to the other; eight rounds permute the
// rectangle. A row that comes to none of the rows goes on from there until it does: it is a permutation
// of the rows then (their section 3), and takes at most as many turns as there are places too many.

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
fn two_rounds(place: vec2<u32>, first: u32, second: u32) -> vec2<u32> {
    let x = add_below(place.x, scale_down(mix(place.y ^ first), params.width), params.width);
    let y = add_below(place.y, scale_down(mix(x ^ second), params.height), params.height);
    return vec2<u32>(x, y);
}

fn permute(row: u32, key: vec4<u32>) -> u32 {
    var at = row;
    // Bounded by the places too many, fewer than `width`.
    for (var turn = 0u; turn <= params.width; turn++) {
        var place = vec2<u32>(at % params.width, at / params.width);
        place = two_rounds(place, key.x, key.y);
        place = two_rounds(place, key.z, key.w);
        place = two_rounds(place, ~key.y, ~key.x);
        place = two_rounds(place, ~key.w, ~key.z);
        at = place.y * params.width + place.x;
        if at < params.rows {
            break;
        }
    }
    return at;
}
