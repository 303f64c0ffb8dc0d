// f32 -> binary16, to nearest even, by integer operations: `pack2x16float` may round as it likes (WGSL,
// section 17.9), and flush what is subnormal.
fn narrow(bits: vec4<u32>) -> vec4<u32> {
    let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
    let magnitude = bits & vec4<u32>(0x7FFFFFFFu);

    // From 2^-14 on: another bias, 13 bits fewer. A carry may go up to infinity and not beyond.
    let rebased = magnitude - vec4<u32>(0x38000000u);
    let rounded = (rebased + vec4<u32>(0xFFFu) + ((magnitude >> vec4<u32>(13u)) & vec4<u32>(1u))) >> vec4<u32>(13u);
    let normal = min(rounded, vec4<u32>(0x7C00u));

    // Below: in units of 2^-24. What is shifted by 25 or more is less than half of one.
    let shift = min(vec4<u32>(126u) - (magnitude >> vec4<u32>(23u)), vec4<u32>(25u));
    let significand = (magnitude & vec4<u32>(0x007FFFFFu)) | vec4<u32>(0x00800000u);
    let odd = (significand >> shift) & vec4<u32>(1u);
    let half_less_one = (vec4<u32>(1u) << (shift - vec4<u32>(1u))) - vec4<u32>(1u);
    let subnormal = (significand + half_less_one + odd) >> shift;

    let finite = select(subnormal, normal, magnitude >= vec4<u32>(0x38800000u));
    let not_a_number = magnitude > vec4<u32>(0x7F800000u);
    return select(sign | finite, vec4<u32>(0x7E00u), not_a_number);
}
