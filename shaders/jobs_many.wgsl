// A dispatch for many jobs: 15 KiB of parameters, which every device can bind. Each row of the grid works for one job,
// or for a stretch of one.
@group(0) @binding(0) var<uniform> jobs: array<Params, 64>;

// The job of this invocation.
var<private> params: Params;

// Which store of the job this invocation makes.
fn take_store(id: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    params = jobs[id.y];
    return params.first_store + id.x;
}
