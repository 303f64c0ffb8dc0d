// The Philox counter of a work item's block: a 64-bit sum, so that block 2^32 carries into the high word.
fn block_counter(block: u32) -> vec2<u32> {
    let low = params.counter.x + block;
    return vec2<u32>(low, params.counter.y + u32(low < block));
}
