// Vector of 16-bit elements: two blocks.
const VECTOR_BITS: u32 = 3u;

fn vector_values(element: u32) -> vec4<u32> {
    let two = two_blocks(element >> 2u, (element >> 2u) + 1u);
    let v = round_to_16(two[0]);
    let w = round_to_16(two[1]);
    return vec4<u32>(v.x | (v.y << 16u), v.z | (v.w << 16u), w.x | (w.y << 16u), w.z | (w.w << 16u));
}
