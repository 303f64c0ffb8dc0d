// What one dispatch is told. `Params` in src/params.rs is the same struct; a unit test compares the
// two byte for byte.

struct Params {
    // Philox key: the seed's low and high half.
    seed: vec2<u32>,
    // Philox counter of the dispatch's first block: low and high half of `offset + block`.
    counter: vec2<u32>,
    // How many blocks (of four elements) the dispatch covers.
    blocks: u32,
    // Invocations in one row of the grid.
    row: u32,
    // Where the first block lies in the binding, in words; modulo 2^32, because the first elements
    // of a block may lie before the binding.
    origin: u32,
    // The words of the binding that may be written: begin <= word < end.
    begin: u32,
    end: u32,
    // 0 at run time. No compiler can know that, see keep.wgsl.
    zero: u32,
    // The bit pattern of a constant.
    value: u32,
    mean: f32,
    std_dev: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
