// Runs of whole vectors: each begins where a block does, and each of its invocations has something to write.
fn write_invocation(invocation: u32) {
    let of_run = run_of(invocation);
    let start = start_of(of_run.x);
    let step = ELEMENTS_PER_INVOCATION * of_run.y;
    store_elements(start.x + step, start.y + step, start.y, start.y + params.end - params.begin);
}
