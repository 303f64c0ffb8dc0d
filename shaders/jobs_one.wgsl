// A dispatch for one job, on a grid of as many rows as it takes.
@group(0) @binding(0) var<uniform> params: Params;

// Which store of the job this invocation makes.
fn take_store(id: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return id.y * workgroups.x * WORKGROUP_SIZE + id.x;
}
