// V^T times a matrix, chunk by chunk of rows: an invocation makes 16 rows and one quad of a chunk's sum.
const WORKGROUP_SIZE: u32 = 64u;

@group(0) @binding(1) var<storage, read> panel: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> matrix: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> sums: array<vec4<f32>>;

fn add_product(sum: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    return keep4(sum + keep4(x * y));
}

// Four rows of a sum, of as many reflections, which the panel may not have.
fn store_sums(chunk: u32, i: u32, quad: u32, s0: vec4<f32>, s1: vec4<f32>, s2: vec4<f32>, s3: vec4<f32>) {
    if i < params.width {
        let at = (chunk * params.width + i) * 4u * params.sum_stride + params.first_sum + quad;
        sums[at] = s0;
        sums[at + params.sum_stride] = s1;
        sums[at + 2u * params.sum_stride] = s2;
        sums[at + 3u * params.sum_stride] = s3;
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn orthogonal(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let group = group_index(id);
    let across = (params.quads + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
    let quad = group % across * WORKGROUP_SIZE + local;
    let down = (params.width + 3u) / 4u;
    let i = group / across % down * 4u;
    let chunk = group / across / down;
    if group >= params.groups || quad >= params.quads {
        return;
    }
    let i1 = min(i + 1u, params.width - 1u) - i;
    let i2 = min(i + 2u, params.width - 1u) - i;
    let i3 = min(i + 3u, params.width - 1u) - i;
    let rows = chunk_rows(params.first_chunk + chunk);
    var at = rows.x * params.stride + params.first_quad + quad;
    var v = rows.x * params.width + i;
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    var s4 = vec4<f32>();
    var s5 = vec4<f32>();
    var s6 = vec4<f32>();
    var s7 = vec4<f32>();
    var s8 = vec4<f32>();
    var s9 = vec4<f32>();
    var s10 = vec4<f32>();
    var s11 = vec4<f32>();
    var s12 = vec4<f32>();
    var s13 = vec4<f32>();
    var s14 = vec4<f32>();
    var s15 = vec4<f32>();
    for (var row = rows.x; row < rows.y; row++) {
        let q = matrix[at];
        let v0 = panel[v];
        let v1 = panel[v + i1];
        let v2 = panel[v + i2];
        let v3 = panel[v + i3];
        s0 = add_product(s0, v0.x, q);
        s1 = add_product(s1, v0.y, q);
        s2 = add_product(s2, v0.z, q);
        s3 = add_product(s3, v0.w, q);
        s4 = add_product(s4, v1.x, q);
        s5 = add_product(s5, v1.y, q);
        s6 = add_product(s6, v1.z, q);
        s7 = add_product(s7, v1.w, q);
        s8 = add_product(s8, v2.x, q);
        s9 = add_product(s9, v2.y, q);
        s10 = add_product(s10, v2.z, q);
        s11 = add_product(s11, v2.w, q);
        s12 = add_product(s12, v3.x, q);
        s13 = add_product(s13, v3.y, q);
        s14 = add_product(s14, v3.z, q);
        s15 = add_product(s15, v3.w, q);
        at += params.stride;
        v += params.width;
    }
    store_sums(chunk, i, quad, s0, s1, s2, s3);
    store_sums(chunk, i + 1u, quad, s4, s5, s6, s7);
    store_sums(chunk, i + 2u, quad, s8, s9, s10, s11);
    store_sums(chunk, i + 3u, quad, s12, s13, s14, s15);
}
