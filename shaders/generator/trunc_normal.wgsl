// trunc_normal_: mode + std * z, one word each, z from the table of the quantile function. The mode is the likeliest
// value, and z is measured from the mode, so that nothing cancels where the bounds are far from the mean.
fn values_of(w: vec4<u32>) -> vec4<u32> {
    let z = vec4<f32>(quantile(w.x), quantile(w.y), quantile(w.z), quantile(w.w));
    let x = keep4(keep4(z * params.std_dev) + params.mean);
    let at_least = select(x, vec4<f32>(params.min_value), x < vec4<f32>(params.min_value));
    let within = select(at_least, vec4<f32>(params.max_value), at_least > vec4<f32>(params.max_value));
    return bitcast<vec4<u32>>(within);
}
