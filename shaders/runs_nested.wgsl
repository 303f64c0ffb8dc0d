// A job whose runs lie within loops: rows of a part of a matrix, or of padded ones.

// n / d for n below 2^31. Division takes long; `factor` and `shift` are of d alone, see `reciprocal` in src/params.rs.
fn divide(n: u32, factor: u32, shift: u32) -> u32 {
    return multiply_high(n << 1u, factor) >> shift;
}

// The run of a store, and which of the run's stores it is.
fn run_of(store: u32) -> vec2<u32> {
    let run = divide(store, params.run_factor, params.run_shift);
    return vec2<u32>(run, store - run * params.stores_of_run);
}

// The element where a run begins, counted from the beginning of the job's first block, and its position.
fn start_of(run: u32) -> vec2<u32> {
    var start = vec2<u32>(params.begin - params.origin, params.begin);
    var rest = run;
    // What is left in the end is the turn of the outermost loop.
    let outermost = params.levels - 1u;
    for (var level = 0u; level < outermost; level++) {
        let turns = divide(rest, params.level_factor[level], params.level_shift[level]);
        let turn = rest - turns * params.level_count[level];
        start += turn * vec2<u32>(params.level_stride[level], params.level_pitch[level]);
        rest = turns;
    }
    return start + rest * vec2<u32>(params.level_stride[outermost], params.level_pitch[outermost]);
}
