// The destination of 16-bit elements for everything else. An invocation owns two whole words, so that
// no two of them ever write the same one, and keeps the half that lies outside the range. The four
// elements of those words may come from two blocks.
@group(0) @binding(1) var<storage, read_write> destination: array<u32>;

fn store_pair(at: u32, low: u32, high: u32) {
    let has_low = at >= params.begin && at < params.end;
    let has_high = at + 1u >= params.begin && at + 1u < params.end;
    let value = low | (high << 16u);
    if has_low && has_high {
        destination[at >> 1u] = value;
    } else if has_low || has_high {
        let mine = select(0xFFFF0000u, 0x0000FFFFu, has_low);
        destination[at >> 1u] = (destination[at >> 1u] & ~mine) | (value & mine);
    }
}

// Four elements, `shift` after the beginning of a block.
fn group_values(block: u32) -> vec4<u32> {
    let a = block_values(block);
    if params.shift == 0u {
        return a;
    }
    let b = block_values(block + 1u);
    let one = vec4<u32>(a.yzw, b.x);
    let two = vec4<u32>(a.zw, b.xy);
    let three = vec4<u32>(a.w, b.xyz);
    return select(select(three, two, params.shift == 2u), one, params.shift == 1u);
}

fn store_block(block: u32) {
    let at = params.origin + 4u * block;
    let v = narrow(group_values(block));
    store_pair(at, v.x, v.y);
    store_pair(at + 2u, v.z, v.w);
}
