// Q -= V Y: an invocation does eight rows of one quad.
const WORKGROUP_SIZE: u32 = 64u;

@group(0) @binding(1) var<storage, read> panel: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> totals: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> matrix: array<vec4<f32>>;

const ROWS: u32 = 8u;

// Four reflections' worth, the first first.
fn add_products(
    sum: vec4<f32>,
    v: vec4<f32>,
    y0: vec4<f32>,
    y1: vec4<f32>,
    y2: vec4<f32>,
    y3: vec4<f32>,
) -> vec4<f32> {
    let s0 = keep4(sum + keep4(v.x * y0));
    let s1 = keep4(s0 + keep4(v.y * y1));
    let s2 = keep4(s1 + keep4(v.z * y2));
    return keep4(s2 + keep4(v.w * y3));
}

fn subtract(row: u32, at: u32, sum: vec4<f32>) {
    if row < params.end_row - params.first_row {
        matrix[at] = keep4(matrix[at] - sum);
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn orthogonal(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let group = group_index(id);
    let across = (params.quads + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
    let quad = group % across * WORKGROUP_SIZE + local;
    if group >= params.groups || quad >= params.quads {
        return;
    }
    let end = params.end_row - params.first_row;
    let row = max(params.first_row, params.start) - params.first_row + group / across * ROWS;
    let last = end - 1u;
    // Rows past the end are computed with the last one's vectors, and not stored.
    let v0 = row * params.width;
    let v1 = min(row + 1u, last) * params.width;
    let v2 = min(row + 2u, last) * params.width;
    let v3 = min(row + 3u, last) * params.width;
    let v4 = min(row + 4u, last) * params.width;
    let v5 = min(row + 5u, last) * params.width;
    let v6 = min(row + 6u, last) * params.width;
    let v7 = min(row + 7u, last) * params.width;
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    var s4 = vec4<f32>();
    var s5 = vec4<f32>();
    var s6 = vec4<f32>();
    var s7 = vec4<f32>();
    var y = params.first_sum + quad;
    for (var i = 0u; i < params.width; i++) {
        let y0 = totals[y];
        let y1 = totals[y + params.sum_stride];
        let y2 = totals[y + 2u * params.sum_stride];
        let y3 = totals[y + 3u * params.sum_stride];
        y += 4u * params.sum_stride;
        s0 = add_products(s0, panel[v0 + i], y0, y1, y2, y3);
        s1 = add_products(s1, panel[v1 + i], y0, y1, y2, y3);
        s2 = add_products(s2, panel[v2 + i], y0, y1, y2, y3);
        s3 = add_products(s3, panel[v3 + i], y0, y1, y2, y3);
        s4 = add_products(s4, panel[v4 + i], y0, y1, y2, y3);
        s5 = add_products(s5, panel[v5 + i], y0, y1, y2, y3);
        s6 = add_products(s6, panel[v6 + i], y0, y1, y2, y3);
        s7 = add_products(s7, panel[v7 + i], y0, y1, y2, y3);
    }
    let at = row * params.stride + params.first_quad + quad;
    subtract(row, at, s0);
    subtract(row + 1u, at + params.stride, s1);
    subtract(row + 2u, at + 2u * params.stride, s2);
    subtract(row + 3u, at + 3u * params.stride, s3);
    subtract(row + 4u, at + 4u * params.stride, s4);
    subtract(row + 5u, at + 5u * params.stride, s5);
    subtract(row + 6u, at + 6u * params.stride, s6);
    subtract(row + 7u, at + 7u * params.stride, s7);
}
