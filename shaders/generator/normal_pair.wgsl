// normal_ and its scaled forms, two blocks at once: mean + std * z.
fn two_blocks(block: u32, next: u32) -> array<vec4<u32>, 2> {
    let v = philox4x32_10(block_counter(block), params.seed);
    let w = philox4x32_10(block_counter(next), params.seed);
    let z = box_muller(vec4<u32>(v.xz, w.xz), vec4<u32>(v.yw, w.yw));
    return array<vec4<u32>, 2>(
        scaled(vec4<f32>(z.cosine.x, z.sine.x, z.cosine.y, z.sine.y)),
        scaled(vec4<f32>(z.cosine.z, z.sine.z, z.cosine.w, z.sine.w)),
    );
}

fn scaled(z: vec4<f32>) -> vec4<u32> {
    return bitcast<vec4<u32>>(keep4(z * params.std_dev) + params.mean);
}
