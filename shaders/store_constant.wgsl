// The fast destination of a constant on a processor: whole vectors, each on a 16-byte boundary and inside the range or
// outside it. Eight to an invocation, which share what it costs beside them.
@group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;

// Elements that an invocation stores.
const STORED: u32 = 8u << VECTOR_BITS;

fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    let vector = vector_values(element);
    let first = at >> VECTOR_BITS;
    let last = end >> VECTOR_BITS;
    destination[first] = vector;
    store_before(last, first + 1u, vector);
    store_before(last, first + 2u, vector);
    store_before(last, first + 3u, vector);
    store_before(last, first + 4u, vector);
    store_before(last, first + 5u, vector);
    store_before(last, first + 6u, vector);
    store_before(last, first + 7u, vector);
}

fn store_before(last: u32, place: u32, vector: vec4<u32>) {
    if place < last {
        destination[place] = vector;
    }
}
