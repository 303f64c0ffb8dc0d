// The standard normals of a block's words, which pair up: (w0, w1) and (w2, w3).
fn standard_normals(w: vec4<u32>) -> vec4<f32> {
    let z = box_muller(w.xz, w.yw);
    return vec4<f32>(z.cosine.x, z.sine.x, z.cosine.y, z.sine.y);
}
