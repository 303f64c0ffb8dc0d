// Copies a window of the matrix into the result: without the padding of rows to whole quads, or transposed.

@group(0) @binding(1) var<storage, read> matrix: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn orthogonal(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let at = group_index(id) * WORKGROUP_SIZE + local;
    if at >= params.end_element - params.first_element {
        return;
    }
    let element = params.first_element + at;
    let length = select(params.columns, params.rows, params.is_transposed != 0u);
    let outer = element / length;
    let inner = element % length;
    let row = select(outer, inner, params.is_transposed != 0u);
    let column = select(inner, outer, params.is_transposed != 0u);
    if row >= params.first_row && row < params.end_row {
        result[at] = matrix[(row - params.first_row) * 4u * params.stride + column];
    }
}
