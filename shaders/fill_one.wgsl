// The entry point of a dispatch with one job, a run of elements: an invocation makes one block of four elements, or
// the two of a vector of 16-bit elements.
const WORKGROUP_SIZE: u32 = 256u;

@group(0) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn fill(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let store = (group.y * params.grid_row + group.x) * WORKGROUP_SIZE + local;
    if store < params.stores {
        let element = STORED * store;
        store_elements(element, params.origin + element, params.begin, params.end);
    }
}
