// One block of a generator that maps words to values.
fn block_values(block: u32) -> vec4<u32> {
    return values_of(philox4x32_10(block_counter(block), params.seed));
}
