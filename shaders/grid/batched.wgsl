// Grid of many work items: each row of workgroups belongs to one item, or to a part of one. The parameter blocks take
// 15 KiB, which every device can bind.
@group(0) @binding(0) var<uniform> rows: array<Params, MAX_GRID_ROWS>;

// The parameters of this invocation's row.
var<private> params: Params;

// The number of this invocation within the work item.
fn invocation_of(id: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    params = rows[id.y];
    return params.first_invocation + id.x;
}
