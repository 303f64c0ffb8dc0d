// A constant on llvmpipe: whole vectors, each inside the range or outside it. Sixteen to an invocation, which share what
// it costs beside them: two neighbours in each of eight strips. The invocations of a group write eight stretches of a
// page's size side by side, which is what processors fetch ahead by.

// Vectors that an invocation stores, and their elements.
const VECTORS: u32 = 16u;
const STORED: u32 = VECTORS << VECTOR_BITS;
// Invocations of a group, of a run: a strip of theirs is 4 KiB.
const GROUP: u32 = 128u;

fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    let vector = vector_values(element);
    let last = ((end - begin) >> VECTOR_BITS) - 1u;
    let invocation = (at - begin) / STORED;
    let place = invocation % GROUP;
    let group = invocation - place;
    // Vectors of a strip. The last group is shorter, and so are its strips.
    let strip = 2u * min(GROUP, last / VECTORS + 1u - group);
    let run = begin >> VECTOR_BITS;
    let first = VECTORS * group + 2u * place;
    // Behind the last vector, that one once more.
    store(run + min(first, last), vector);
    store(run + min(first + strip, last), vector);
    store(run + min(first + 2u * strip, last), vector);
    store(run + min(first + 3u * strip, last), vector);
    store(run + min(first + 4u * strip, last), vector);
    store(run + min(first + 5u * strip, last), vector);
    store(run + min(first + 6u * strip, last), vector);
    store(run + min(first + 7u * strip, last), vector);
    store(run + min(first + 1u, last), vector);
    store(run + min(first + strip + 1u, last), vector);
    store(run + min(first + 2u * strip + 1u, last), vector);
    store(run + min(first + 3u * strip + 1u, last), vector);
    store(run + min(first + 4u * strip + 1u, last), vector);
    store(run + min(first + 5u * strip + 1u, last), vector);
    store(run + min(first + 6u * strip + 1u, last), vector);
    store(run + min(first + 7u * strip + 1u, last), vector);
}
