// A job of one run: neighbours, from its first block on.
fn store_in_run(store: u32) {
    let element = STORED * store;
    store_elements(element, params.origin + element, params.begin, params.end);
}
