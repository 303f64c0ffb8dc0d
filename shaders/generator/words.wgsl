// The raw stream: element e is word e mod 4 of block e div 4.
fn values_of(words: vec4<u32>) -> vec4<u32> {
    return words;
}
