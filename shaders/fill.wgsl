// The entry point of every fill: an invocation makes one block of four elements, or the two of a vector of 16-bit
// elements.
const WORKGROUP_SIZE: u32 = 256u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn fill(@builtin(global_invocation_id) id: vec3<u32>) {
    take_job(id.y);
    let store = params.first_store + id.y * params.grid_row + id.x;
    if store < params.stores {
        store_in_run(store);
    }
}
