// The entry point of every fill: an invocation makes one block of four elements, or the two of a vector of 16-bit
// elements. JOBS is 1 or more (jobs_one.wgsl, jobs_many.wgsl); of many, each row of the grid works for one, or for a
// stretch of one.
const WORKGROUP_SIZE: u32 = 256u;

@group(0) @binding(0) var<uniform> jobs: array<Params, JOBS>;

// The job of this workgroup, where everything else looks for it.
var<private> params: Params;

// The element where a run begins, counted from the beginning of the job's first block, and its position.
fn start_of(run: u32) -> vec2<u32> {
    var start = vec2<u32>(params.begin - params.origin, params.begin);
    var rest = run;
    for (var level = 0u; level < params.levels; level++) {
        let count = params.level_count[level];
        start += (rest % count) * vec2<u32>(params.level_stride[level], params.level_pitch[level]);
        rest /= count;
    }
    return start;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn fill(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    // Of one job a compiler sees that it is always the same, of many that a workgroup shares it.
    params = jobs[min(group.y, JOBS - 1u)];
    let workgroup = params.first_workgroup + group.y * params.grid_row + group.x;
    let store = workgroup * WORKGROUP_SIZE + local;
    if store >= params.stores {
        return;
    }
    if params.levels == 0u {
        let element = STORED * store;
        store_elements(element, params.origin + element, params.begin, params.end);
        return;
    }
    let start = start_of(store / params.stores_of_run);
    // Elements of the run's first block before the run, and how far from that block's beginning this store is.
    let before = start.x & 3u;
    let step = STORED * (store % params.stores_of_run);
    let length = params.end - params.begin;
    // Where runs begin anywhere in a block, some touch a block less than others.
    if step < before + length {
        store_elements(start.x - before + step, start.y - before + step, start.y, start.y + length);
    }
}
