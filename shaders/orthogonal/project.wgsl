// V^T times a matrix, chunk by chunk of rows: an invocation computes 16 rows and one quad of a chunk's sum.

@group(0) @binding(1) var<storage, read> panel: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> matrix: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> sums: array<vec4<f32>>;

// The chunk's rows of V, 4 quads of each. All invocations read the same one at a time.
var<workgroup> staged: array<vec4<f32>, 4u * CHUNK>;

fn add_product(sum: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    return keep4(sum + keep4(x * y));
}

fn add_row(sums: array<vec4<f32>, 16>, row: u32, q: vec4<f32>) -> array<vec4<f32>, 16> {
    let v0 = staged[4u * row];
    let v1 = staged[4u * row + 1u];
    let v2 = staged[4u * row + 2u];
    let v3 = staged[4u * row + 3u];
    return array<vec4<f32>, 16>(
        add_product(sums[0], v0.x, q),
        add_product(sums[1], v0.y, q),
        add_product(sums[2], v0.z, q),
        add_product(sums[3], v0.w, q),
        add_product(sums[4], v1.x, q),
        add_product(sums[5], v1.y, q),
        add_product(sums[6], v1.z, q),
        add_product(sums[7], v1.w, q),
        add_product(sums[8], v2.x, q),
        add_product(sums[9], v2.y, q),
        add_product(sums[10], v2.z, q),
        add_product(sums[11], v2.w, q),
        add_product(sums[12], v3.x, q),
        add_product(sums[13], v3.y, q),
        add_product(sums[14], v3.z, q),
        add_product(sums[15], v3.w, q),
    );
}

// Writes four rows of a sum, one for each of four reflections. The panel may have fewer.
fn store_sums(at: u32, i: u32, s0: vec4<f32>, s1: vec4<f32>, s2: vec4<f32>, s3: vec4<f32>) {
    if i < params.width {
        let first = at + 4u * i * params.sum_stride;
        sums[first] = s0;
        sums[first + params.sum_stride] = s1;
        sums[first + 2u * params.sum_stride] = s2;
        sums[first + 3u * params.sum_stride] = s3;
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn orthogonal(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let group = group_index(id);
    if group >= params.groups {
        return;
    }
    let across = (params.quads + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
    let down = (params.width + 3u) / 4u;
    let i = group / across % down * 4u;
    let chunk = group / across / down;
    let rows = chunk_rows(params.first_chunk + chunk);
    for (var at = local; at < 4u * (rows.y - rows.x); at += WORKGROUP_SIZE) {
        let v_quad = min(i + at % 4u, params.width - 1u);
        staged[at] = panel[(rows.x + at / 4u) * params.width + v_quad];
    }
    workgroupBarrier();

    let quad = group % across * WORKGROUP_SIZE + local;
    if quad >= params.quads {
        return;
    }
    var s = array<vec4<f32>, 16>();
    var at = rows.x * params.stride + params.first_quad + quad;
    for (var row = 0u; row < rows.y - rows.x; row++) {
        s = add_row(s, row, matrix[at]);
        at += params.stride;
    }
    let first = chunk * params.width * 4u * params.sum_stride + params.first_sum + quad;
    store_sums(first, i, s[0], s[1], s[2], s[3]);
    store_sums(first, i + 1u, s[4], s[5], s[6], s[7]);
    store_sums(first, i + 2u, s[8], s[9], s[10], s[11]);
    store_sums(first, i + 3u, s[12], s[13], s[14], s[15]);
}
