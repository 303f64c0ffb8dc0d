// A job whose runs lie within loops: rows of a part of a matrix, or of padded ones.

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

fn store_in_run(store: u32) {
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
