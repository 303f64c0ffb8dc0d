// normal_ and its scaled forms (xavier_normal_, kaiming_normal_, ...): mean + std * z.
fn values_of(words: vec4<u32>) -> vec4<u32> {
    let z = standard_normals(words);
    return bitcast<vec4<u32>>(keep4(z * params.std_dev) + params.mean);
}
