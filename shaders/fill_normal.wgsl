// normal_ and xavier_normal_: mean + std * z.
fn block_values(block: u32) -> vec4<u32> {
    let z = standard_normals(philox4x32_10(block_counter(block), params.seed));
    return bitcast<vec4<u32>>(keep4(z * params.std_dev) + params.mean);
}
