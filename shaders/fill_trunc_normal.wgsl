// trunc_normal_: mode + std * z, z from the table of the quantile function, one word each. The mode is the
// likeliest value, and z counts from there, so that nothing cancels where the bounds are far from the mean.
fn values_of(w: vec4<u32>) -> vec4<u32> {
    let z = vec4<f32>(quantile(w.x), quantile(w.y), quantile(w.z), quantile(w.w));
    let x = keep4(keep4(z * params.std_dev) + params.mean);
    let at_least = select(x, vec4<f32>(params.least), x < vec4<f32>(params.least));
    let within = select(at_least, vec4<f32>(params.most), at_least > vec4<f32>(params.most));
    return bitcast<vec4<u32>>(within);
}
