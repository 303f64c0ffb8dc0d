// Runs that begin anywhere in a block. Some runs touch one block fewer than others, so their last invocation has
// nothing to write.
fn write_invocation(invocation: u32) {
    let of_run = run_of(invocation);
    let start = start_of(of_run.x);
    // Elements of the run's first block that lie before the run, and this invocation's distance from that block.
    let before = start.x & 3u;
    let step = ELEMENTS_PER_INVOCATION * of_run.y;
    let length = params.end - params.begin;
    if step < before + length {
        store_elements(start.x - before + step, start.y - before + step, start.y, start.y + length);
    }
}
