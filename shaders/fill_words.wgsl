// The raw stream: element e is word e mod 4 of block e div 4.
fn block_values(block: u32) -> vec4<u32> {
    return philox4x32_10(block_counter(block), params.seed);
}
