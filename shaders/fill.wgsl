// The entry point of every fill but those of fill_clamped.wgsl: an invocation makes one block of four elements, or a few
// of them.
@compute @workgroup_size(WORKGROUP_SIZE)
fn fill(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let store = take_store(id, workgroups);
    if store < params.stores {
        store_in_run(store);
    }
}
