// The fast destination of 16-bit elements: two whole blocks at once, on a 16-byte boundary, all of them
// inside the range.
@group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;

fn packed(block: u32) -> vec2<u32> {
    let v = narrow(block_values(block));
    return vec2<u32>(v.x | (v.y << 16u), v.z | (v.w << 16u));
}

fn store_block(pair: u32) {
    let at = (params.origin >> 3u) + pair;
    destination[at] = vec4<u32>(packed(2u * pair), packed(2u * pair + 1u));
}
