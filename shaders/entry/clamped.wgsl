// Entry point without a bounds check, for whole vectors of a single work item on llvmpipe. There an invocation is a
// SIMD lane, and a bounds check would make LLVM test every store of every lane. So surplus invocations repeat the last
// write: by the letter a data race, but of equal words on a processor. A GPU gets the guarded entry. So do many small
// work items, whose repeats would cost more than the check.
@compute @workgroup_size(WORKGROUP_SIZE)
fn fill(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    write_invocation(min(invocation_of(id, workgroups), params.invocations - 1u));
}
