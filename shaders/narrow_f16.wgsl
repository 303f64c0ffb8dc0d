// f32 -> binary16, to nearest even, for values that do not overflow. `pack2x16float` may round as it likes
// (WGSL, section 17.9), and flush what is subnormal. Of constants alone infinities and NaN come here, as 2^16
// and 1.5 * 2^16: the one exponent that binary16 keeps for them.
fn narrow(bits: vec4<u32>) -> vec4<u32> {
    let magnitude = bits & vec4<u32>(0x7FFFFFFFu);

    // From 2^-14 on: another bias, 13 bits fewer. A carry goes into the exponent, as it should.
    let odd = (magnitude >> vec4<u32>(13u)) & vec4<u32>(1u);
    let normal = (magnitude + odd - vec4<u32>(0x37FFF001u)) >> vec4<u32>(13u); // - 0x38000000 + 0xFFF

    // Below, in units of 2^-24: that is the last place of 1/2, so the sum is rounded to it.
    let sum = keep4(bitcast<vec4<f32>>(magnitude)) + 0.5;
    let subnormal = bitcast<vec4<u32>>(sum) - vec4<u32>(0x3F000000u);

    let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
    return sign | select(subnormal, normal, magnitude >= vec4<u32>(0x38800000u));
}
