// Two blocks whose values come of their words. The words come first: side by side, they wait for each other less.
fn two_blocks(block: u32, next: u32) -> array<vec4<u32>, 2> {
    let v = philox4x32_10(block_counter(block), params.seed);
    let w = philox4x32_10(block_counter(next), params.seed);
    return array<vec4<u32>, 2>(values_of(v), values_of(w));
}
