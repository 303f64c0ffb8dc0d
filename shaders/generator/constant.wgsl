// constant_, zeros_, ones_: every element is the same bit pattern, which the host rounded.
fn block_values(block: u32) -> vec4<u32> {
    return vec4<u32>(params.value);
}
