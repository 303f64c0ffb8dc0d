// Two pairs of words side by side: those of one block. Each step is taken for all of them before the next one, so that
// a processor that would wait for one pair's result has another pair's work to do.
alias Words = vec2<u32>;
alias Integers = vec2<i32>;
alias Floats = vec2<f32>;

// What comes of each pair, the cosine's first.
struct CosSin {
    cosine: Floats,
    sine: Floats,
}

// The standard normals of a block's words, which pair up: (w0, w1) and (w2, w3).
fn standard_normals(w: vec4<u32>) -> vec4<f32> {
    let z = box_muller(w.xz, w.yw);
    return vec4<f32>(z.cosine.x, z.sine.x, z.cosine.y, z.sine.y);
}
