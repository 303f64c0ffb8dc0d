// Work item of many runs: nested strided dimensions say where each run begins, such as the rows of a shard or padded rows.

// n / d for n below 2^31, by the factor and shift of d (src/math/division.rs). A division would take longer.
fn divide(n: u32, factor: u32, shift: u32) -> u32 {
    return multiply_high(n << 1u, factor) >> shift;
}

// The run of an invocation, and the invocation's number within the run.
fn run_of(invocation: u32) -> vec2<u32> {
    let run = divide(invocation, params.run_factor, params.run_shift);
    return vec2<u32>(run, invocation - run * params.invocations_per_run);
}

// The first element of a run, counted from the beginning of the work item's first block, and its position.
fn start_of(run: u32) -> vec2<u32> {
    var start = vec2<u32>(params.begin - params.origin, params.begin);
    var rest = run;
    // The quotient that remains is the index in the outermost dimension.
    let outermost = params.dims - 1u;
    for (var dim = 0u; dim < outermost; dim++) {
        let quotient = divide(rest, params.dim_factor[dim], params.dim_shift[dim]);
        let index = rest - quotient * params.dim_count[dim];
        start += index * vec2<u32>(params.src_stride[dim], params.dst_stride[dim]);
        rest = quotient;
    }
    return start + rest * vec2<u32>(params.src_stride[outermost], params.dst_stride[outermost]);
}
