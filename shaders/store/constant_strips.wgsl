// Sixteen vectors of a constant per invocation, on llvmpipe: each invocation has a high fixed cost there. An invocation
// writes two neighbours in each of eight strips. The STRIP_INVOCATIONS invocations of a group write their eight strips
// of 4 KiB (a page) side by side, because processors prefetch within a page. A vector lies inside the range or outside
// it.
fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    let vector = vector_values(element);
    let last = ((end - begin) >> VECTOR_BITS) - 1u;
    let invocation = (at - begin) / ELEMENTS_PER_INVOCATION;
    let member = invocation % STRIP_INVOCATIONS;
    let group = invocation - member;
    // Vectors of a strip. The last group is shorter, and so are its strips.
    let strip = 2u * min(STRIP_INVOCATIONS, last / STRIP_VECTORS + 1u - group);
    let run = begin >> VECTOR_BITS;
    let first = STRIP_VECTORS * group + 2u * member;
    // Past the last vector, that one is written again.
    write_vector(run + min(first, last), vector);
    write_vector(run + min(first + strip, last), vector);
    write_vector(run + min(first + 2u * strip, last), vector);
    write_vector(run + min(first + 3u * strip, last), vector);
    write_vector(run + min(first + 4u * strip, last), vector);
    write_vector(run + min(first + 5u * strip, last), vector);
    write_vector(run + min(first + 6u * strip, last), vector);
    write_vector(run + min(first + 7u * strip, last), vector);
    write_vector(run + min(first + 1u, last), vector);
    write_vector(run + min(first + strip + 1u, last), vector);
    write_vector(run + min(first + 2u * strip + 1u, last), vector);
    write_vector(run + min(first + 3u * strip + 1u, last), vector);
    write_vector(run + min(first + 4u * strip + 1u, last), vector);
    write_vector(run + min(first + 5u * strip + 1u, last), vector);
    write_vector(run + min(first + 6u * strip + 1u, last), vector);
    write_vector(run + min(first + 7u * strip + 1u, last), vector);
}
