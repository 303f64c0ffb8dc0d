// f32 -> binary16, to nearest even. `pack2x16float` may round as it likes (WGSL, section 17.9), and flush
// what is subnormal.
fn narrow(bits: vec4<u32>) -> vec4<u32> {
    let magnitude = bits & vec4<u32>(0x7FFFFFFFu);

    // From 2^-14 on: another bias, 13 bits fewer. A carry may go up to infinity and not beyond.
    let odd = (magnitude >> vec4<u32>(13u)) & vec4<u32>(1u);
    let rounded = (magnitude + odd - vec4<u32>(0x37FFF001u)) >> vec4<u32>(13u); // - 0x38000000 + 0xFFF
    let normal = min(rounded, vec4<u32>(0x7C00u));

    // Below, in units of 2^-24: that is the last place of 1/2, so the sum is rounded to it.
    let sum = keep4(bitcast<vec4<f32>>(magnitude)) + 0.5;
    let subnormal = bitcast<vec4<u32>>(sum) - vec4<u32>(0x3F000000u);

    let finite = select(subnormal, normal, magnitude >= vec4<u32>(0x38800000u));
    let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
    return select(sign | finite, vec4<u32>(0x7E00u), magnitude > vec4<u32>(0x7F800000u));
}
