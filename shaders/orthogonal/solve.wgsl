// T W of W = V^T Q, in place, by back substitution in the inverse of T. That inverse is the upper triangle of V^T V,
// which lies in the first columns, with |v|^2 / 2 on the diagonal. An invocation solves one column.

@group(0) @binding(1) var<storage, read_write> totals: array<f32>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;

var<workgroup> triangle: array<f32, PANEL * PANEL>;
var<workgroup> y: array<f32, PANEL * WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn orthogonal(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let reflections = 4u * params.width;
    let stride = 4u * params.sum_stride;
    for (var at = local; at < PANEL * reflections; at += WORKGROUP_SIZE) {
        let j = at % PANEL;
        if j < reflections {
            triangle[at] = totals[at / PANEL * stride + j];
        }
    }
    workgroupBarrier();

    let column = group_index(id) * WORKGROUP_SIZE + local;
    if column >= 4u * params.quads {
        return;
    }
    var at = reflections * stride + 4u * params.first_sum + column;
    for (var i = reflections; i > 0u; ) {
        i--;
        at -= stride;
        var sum = totals[at];
        for (var j = reflections - 1u; j > i; j--) {
            sum = keep(sum - keep(triangle[i * PANEL + j] * y[j * WORKGROUP_SIZE + local]));
        }
        sum = keep(sum * state[TAU + i]);
        y[i * WORKGROUP_SIZE + local] = sum;
        totals[at] = sum;
    }
}
