// The entry point of a job of whole vectors alone on llvmpipe, whose invocations are lanes of a processor's vectors:
// behind a condition, each store of each lane would look whether it is meant. So there is none: invocations past the end
// do what the last one with something to store does, and store the same words once more. By the letter that is a data
// race, of equal words: nothing to a processor, and nothing that a GPU should have to do. Many small jobs would repeat
// more than they look.
@compute @workgroup_size(WORKGROUP_SIZE)
fn fill(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    store_in_run(min(take_store(id, workgroups), params.stores - 1u));
}
