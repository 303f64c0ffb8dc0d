// Eight vectors of a constant per invocation, on processors other than llvmpipe: each invocation has a high fixed cost
// there. A vector lies inside the range or outside it.
fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    let vector = vector_values(element);
    let first = at >> VECTOR_BITS;
    // Without eight vectors, the last one is written again.
    let last = (end >> VECTOR_BITS) - 1u;
    write_vector(first, vector);
    write_vector(min(first + 1u, last), vector);
    write_vector(min(first + 2u, last), vector);
    write_vector(min(first + 3u, last), vector);
    write_vector(min(first + 4u, last), vector);
    write_vector(min(first + 5u, last), vector);
    write_vector(min(first + 6u, last), vector);
    write_vector(min(first + 7u, last), vector);
}
