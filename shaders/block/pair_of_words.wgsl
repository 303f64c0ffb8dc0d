// Two blocks of a generator that maps words to values. The words of both come first: two independent chains wait less
// for each other's results.
fn two_blocks(block: u32, next: u32) -> array<vec4<u32>, 2> {
    let v = philox4x32_10(block_counter(block), params.seed);
    let w = philox4x32_10(block_counter(next), params.seed);
    return array<vec4<u32>, 2>(values_of(v), values_of(w));
}
