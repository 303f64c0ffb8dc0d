// The entry point of a dispatch with many jobs, or with one whose runs lie within loops. A workgroup works for one job.
const WORKGROUP_SIZE: u32 = 256u;

@group(0) @binding(0) var<storage, read> jobs: array<Params>;

// The job of this workgroup, where everything else looks for it.
var<private> params: Params;

// The last job that begins at this workgroup or before.
fn job_of(workgroup: u32) -> u32 {
    var low = 0u;
    var high = arrayLength(&jobs);
    while high - low > 1u {
        let middle = (low + high) >> 1u;
        if jobs[middle].first_workgroup <= workgroup {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

// The element where a run begins, counted from the job's first block, and its position.
fn start_of(run: u32) -> vec2<u32> {
    var start = vec2<u32>(params.begin - params.origin, params.begin);
    var rest = run;
    for (var level = 0u; level < params.levels; level++) {
        let turn = rest % params.level_count[level];
        start += turn * vec2<u32>(params.level_stride[level], params.level_pitch[level]);
        rest /= params.level_count[level];
    }
    return start;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn fill(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let workgroup = group.y * jobs[0].grid_row + group.x;
    params = jobs[job_of(workgroup)];
    let store = (workgroup - params.first_workgroup) * WORKGROUP_SIZE + local;
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
