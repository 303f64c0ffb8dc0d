// Q -= V Y: an invocation updates 16 rows of one quad.

@group(0) @binding(1) var<storage, read> panel: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> totals: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> matrix: array<vec4<f32>>;

// The rows of V. All invocations read the same quad at a time.
var<workgroup> staged: array<vec4<f32>, UPDATE_ROWS * PANEL / 4u>;

// Adds the products of four reflections, in their order.
fn add_products(sum: vec4<f32>, v: vec4<f32>, y: array<vec4<f32>, 4>) -> vec4<f32> {
    let s0 = keep4(sum + keep4(v.x * y[0]));
    let s1 = keep4(s0 + keep4(v.y * y[1]));
    let s2 = keep4(s1 + keep4(v.z * y[2]));
    return keep4(s2 + keep4(v.w * y[3]));
}

fn add_reflections(sums: array<vec4<f32>, 16>, i: u32, quad: u32) -> array<vec4<f32>, 16> {
    let at = 4u * i * params.sum_stride + params.first_sum + quad;
    let y = array<vec4<f32>, 4>(
        totals[at],
        totals[at + params.sum_stride],
        totals[at + 2u * params.sum_stride],
        totals[at + 3u * params.sum_stride],
    );
    return array<vec4<f32>, 16>(
        add_products(sums[0], staged[i], y),
        add_products(sums[1], staged[8u + i], y),
        add_products(sums[2], staged[16u + i], y),
        add_products(sums[3], staged[24u + i], y),
        add_products(sums[4], staged[32u + i], y),
        add_products(sums[5], staged[40u + i], y),
        add_products(sums[6], staged[48u + i], y),
        add_products(sums[7], staged[56u + i], y),
        add_products(sums[8], staged[64u + i], y),
        add_products(sums[9], staged[72u + i], y),
        add_products(sums[10], staged[80u + i], y),
        add_products(sums[11], staged[88u + i], y),
        add_products(sums[12], staged[96u + i], y),
        add_products(sums[13], staged[104u + i], y),
        add_products(sums[14], staged[112u + i], y),
        add_products(sums[15], staged[120u + i], y),
    );
}

fn subtract(row: u32, quad: u32, sum: vec4<f32>) {
    if row < params.end_row - params.first_row {
        let at = row * params.stride + params.first_quad + quad;
        matrix[at] = keep4(matrix[at] - sum);
    }
}

fn stage(row: u32, at: u32) {
    let i = at % (PANEL / 4u);
    let v_row = row + at / (PANEL / 4u);
    var v = vec4<f32>();
    if v_row < params.end_row - params.first_row && i < params.width {
        v = panel[v_row * params.width + i];
    }
    staged[at] = v;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn orthogonal(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let group = group_index(id);
    if group >= params.groups {
        return;
    }
    let across = (params.quads + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
    let row = max(params.first_row, params.start) - params.first_row + group / across * UPDATE_ROWS;
    stage(row, local);
    stage(row, local + WORKGROUP_SIZE);
    workgroupBarrier();

    let quad = group % across * WORKGROUP_SIZE + local;
    if quad >= params.quads {
        return;
    }
    var s = array<vec4<f32>, 16>();
    for (var i = 0u; i < params.width; i++) {
        s = add_reflections(s, i, quad);
    }
    subtract(row, quad, s[0]);
    subtract(row + 1u, quad, s[1]);
    subtract(row + 2u, quad, s[2]);
    subtract(row + 3u, quad, s[3]);
    subtract(row + 4u, quad, s[4]);
    subtract(row + 5u, quad, s[5]);
    subtract(row + 6u, quad, s[6]);
    subtract(row + 7u, quad, s[7]);
    subtract(row + 8u, quad, s[8]);
    subtract(row + 9u, quad, s[9]);
    subtract(row + 10u, quad, s[10]);
    subtract(row + 11u, quad, s[11]);
    subtract(row + 12u, quad, s[12]);
    subtract(row + 13u, quad, s[13]);
    subtract(row + 14u, quad, s[14]);
    subtract(row + 15u, quad, s[15]);
}
