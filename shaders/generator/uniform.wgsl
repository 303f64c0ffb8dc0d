// uniform_: low + range * u, where u = (word mod 2^24) * 2^-24. The conversion of 24 bits and the first product are
// exact. A value that rounding lifts to the upper bound becomes the value below that bound.
fn values_of(words: vec4<u32>) -> vec4<u32> {
    let u = keep4(vec4<f32>(vec4<i32>(words & vec4<u32>(0xFFFFFFu))) * 0x1p-24f);
    let x = keep4(keep4(u * params.range) + params.low);
    return bitcast<vec4<u32>>(select(x, vec4<f32>(params.max_value), x > vec4<f32>(params.max_value)));
}
