// A constant on a processor other than llvmpipe (store_constant_strips.wgsl): whole vectors, each inside the range or
// outside it. Eight to an invocation, which share what it costs beside them.

// Elements that an invocation stores.
const STORED: u32 = 8u << VECTOR_BITS;

fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    let vector = vector_values(element);
    let first = at >> VECTOR_BITS;
    // Without eight vectors, the last one once more.
    let last = (end >> VECTOR_BITS) - 1u;
    store(first, vector);
    store(min(first + 1u, last), vector);
    store(min(first + 2u, last), vector);
    store(min(first + 3u, last), vector);
    store(min(first + 4u, last), vector);
    store(min(first + 5u, last), vector);
    store(min(first + 6u, last), vector);
    store(min(first + 7u, last), vector);
}
