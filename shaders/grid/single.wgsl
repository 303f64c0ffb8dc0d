// Grid of a single work item: as many rows of workgroups as the item needs.
@group(0) @binding(0) var<uniform> params: Params;

// The number of this invocation within the work item.
fn invocation_of(id: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return id.y * workgroups.x * WORKGROUP_SIZE + id.x;
}
