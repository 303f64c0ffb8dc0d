// Runs that begin anywhere in a block: some touch a block less than others.
fn store_in_run(store: u32) {
    let of_run = run_of(store);
    let start = start_of(of_run.x);
    // Elements of the run's first block before the run, and how far from that block's beginning this store is.
    let before = start.x & 3u;
    let step = STORED * of_run.y;
    let length = params.end - params.begin;
    if step < before + length {
        store_elements(start.x - before + step, start.y - before + step, start.y, start.y + length);
    }
}
