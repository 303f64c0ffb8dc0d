// Adds the sums of a window's chunks, in their order, to the totals of the windows before.

@group(0) @binding(1) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> totals: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn orthogonal(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let size = 4u * params.width * params.sum_stride;
    let at = group_index(id) * WORKGROUP_SIZE + local;
    if at >= size {
        return;
    }
    var total = vec4<f32>();
    if params.is_first == 0u {
        total = totals[at];
    }
    for (var chunk = 0u; chunk < params.chunks; chunk++) {
        total = keep4(total + sums[chunk * size + at]);
    }
    totals[at] = total;
}
