// f32 -> bfloat16, to nearest even, by integer operations. The result is the upper half, plus one where the lower half
// is more than one half of its range, or where it is exactly one half and the upper half is odd. A carry moves into the
// exponent, which is the right result.
fn round_to_16(bits: vec4<u32>) -> vec4<u32> {
    return (bits + vec4<u32>(0x7FFFu) + ((bits >> vec4<u32>(16u)) & vec4<u32>(1u))) >> vec4<u32>(16u);
}
