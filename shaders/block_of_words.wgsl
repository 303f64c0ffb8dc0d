// A block whose values come of its words, and of nothing else.
fn block_values(block: u32) -> vec4<u32> {
    return values_of(philox4x32_10(block_counter(block), params.seed));
}
