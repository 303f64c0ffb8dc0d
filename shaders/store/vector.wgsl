// One vector per invocation, all of it inside the range. Neighbouring invocations write neighbouring vectors, so that a
// GPU coalesces them.
fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    write_vector(at >> VECTOR_BITS, vector_values(element));
}
