// The fast destination of a constant on a processor: whole vectors, each on a 16-byte boundary and inside the range or
// outside it. Eight to an invocation, which share what it costs beside them.
@group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;

// Elements that an invocation stores.
const STORED: u32 = 8u << VECTOR_BITS;

fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    let vector = vector_values(element);
    let first = at >> VECTOR_BITS;
    // Without eight vectors, the last one once more.
    let last = (end >> VECTOR_BITS) - 1u;
    destination[first] = vector;
    destination[min(first + 1u, last)] = vector;
    destination[min(first + 2u, last)] = vector;
    destination[min(first + 3u, last)] = vector;
    destination[min(first + 4u, last)] = vector;
    destination[min(first + 5u, last)] = vector;
    destination[min(first + 6u, last)] = vector;
    destination[min(first + 7u, last)] = vector;
}
