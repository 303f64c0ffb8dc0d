// f32 -> binary16, to nearest even, for values that do not overflow. `pack2x16float` may round in any direction (WGSL,
// section 17.9) and may flush subnormal results. Only constants can be infinities or NaN: the host encodes them as 2^16
// and 1.5 * 2^16, whose exponent becomes the one that binary16 reserves.
fn round_to_16(bits: vec4<u32>) -> vec4<u32> {
    let magnitude = bits & vec4<u32>(0x7FFFFFFFu);

    // From 2^-14 on: another bias, 13 bits fewer. A carry moves into the exponent, which is the right result.
    let odd = (magnitude >> vec4<u32>(13u)) & vec4<u32>(1u);
    let normal = (magnitude + odd - vec4<u32>(0x37FFF001u)) >> vec4<u32>(13u); // - 0x38000000 + 0xFFF

    // Below 2^-14 the unit is 2^-24. That is the last place of 1/2, so adding 1/2 rounds to it.
    let sum = keep4(bitcast<vec4<f32>>(magnitude)) + 0.5;
    let subnormal = bitcast<vec4<u32>>(sum) - vec4<u32>(0x3F000000u);

    let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
    return sign | select(subnormal, normal, magnitude >= vec4<u32>(0x38800000u));
}
