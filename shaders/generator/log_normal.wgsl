// log_normal_: exp(mean + std * z).
fn values_of(words: vec4<u32>) -> vec4<u32> {
    let z = standard_normals(words);
    return bitcast<vec4<u32>>(portable_exp(keep4(keep4(z * params.std_dev) + params.mean)));
}
