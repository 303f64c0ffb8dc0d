// No word is less than 0. But what comes before is then computed for all lanes at once: LLVM would put off the last
// operations, as far back as into Philox, until each lane is stored by itself.
fn all_lanes(value: vec4<u32>) -> vec4<u32> {
    return max(value, vec4<u32>(params.zero));
}
