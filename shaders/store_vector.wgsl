// The fast destination: a whole vector, on a 16-byte boundary, all of it inside the range. Neighbours store
// neighbours, as a GPU likes it.
@group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;

// Elements that an invocation stores.
const STORED: u32 = 1u << VECTOR_BITS;

fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    destination[at >> VECTOR_BITS] = vector_values(element);
}
