// Work item of one run: all elements are neighbours.
fn write_invocation(invocation: u32) {
    let element = ELEMENTS_PER_INVOCATION * invocation;
    store_elements(element, params.origin + element, params.begin, params.end);
}
