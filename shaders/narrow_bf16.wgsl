// f32 -> bfloat16, to nearest even, by integer operations: the upper half, one up where the lower half
// is more than a half of it, or just that and the upper half is odd. A carry goes into the exponent, as it should.
fn narrow(bits: vec4<u32>) -> vec4<u32> {
    return (bits + vec4<u32>(0x7FFFu) + ((bits >> vec4<u32>(16u)) & vec4<u32>(1u))) >> vec4<u32>(16u);
}
