// A whole vector, all of it inside the range. Neighbours store neighbours, as a GPU likes it.

// Elements that an invocation stores.
const STORED: u32 = 1u << VECTOR_BITS;

fn store_elements(element: u32, at: u32, begin: u32, end: u32) {
    store(at >> VECTOR_BITS, vector_values(element));
}
