// Runs of whole vectors begin where a block does, and each has something for all of its stores.
fn store_in_run(store: u32) {
    let of_run = run_of(store);
    let start = start_of(of_run.x);
    let step = STORED * of_run.y;
    store_elements(start.x + step, start.y + step, start.y, start.y + params.end - params.begin);
}
