// Entry point with a bounds check: an invocation beyond the work item writes nothing.
@compute @workgroup_size(WORKGROUP_SIZE)
fn fill(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let invocation = invocation_of(id, workgroups);
    if invocation < params.invocations {
        write_invocation(invocation);
    }
}
