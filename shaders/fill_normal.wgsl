// normal_ and xavier_normal_: mean + std * z. A block's words pair up: (w0, w1) and (w2, w3).
fn block_values(block: u32) -> vec4<u32> {
    let w = philox4x32_10(block_counter(block), params.seed);
    let z = vec4<f32>(box_muller(w.x, w.y), box_muller(w.z, w.w));
    return bitcast<vec4<u32>>(keep4(z * params.std_dev) + params.mean);
}
