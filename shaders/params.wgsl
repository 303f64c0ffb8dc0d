// What one dispatch is told. `Params` in src/params.rs is the same struct; a unit test compares the
// two byte for byte. A kernel reads the fields that it needs.

struct Params {
    // Philox key: the seed's low and high half.
    seed: vec2<u32>,
    // Philox counter of the dispatch's first block: low and high half of `offset + block`.
    counter: vec2<u32>,
    // The same of a second stream: of the columns' permutations (fill_sparse.wgsl).
    second_seed: vec2<u32>,
    second_counter: vec2<u32>,

    // How many blocks (of four elements) the dispatch covers.
    blocks: u32,
    // Invocations in one row of the grid.
    grid_row: u32,
    // Where the first block (store_halves.wgsl: the first group) lies in the binding, in elements; modulo
    // 2^32, because the first elements of a block may lie before the binding.
    origin: u32,
    // Elements of the first block before the first group (store_halves.wgsl).
    shift: u32,
    // The positions of the binding that may be written: begin <= position < end.
    begin: u32,
    end: u32,
    // 0 at run time. No compiler can know that, see keep.wgsl.
    zero: u32,

    // The bit pattern of a constant.
    value: u32,
    // Of a truncated distribution the mode.
    mean: f32,
    // Of normals the standard deviation, of a copy the gain.
    std_dev: f32,
    // Of a uniform distribution: its lower bound and its width.
    low: f32,
    range: f32,
    // No element is smaller or larger than these.
    least: f32,
    most: f32,

    // The matrix: its rows, its columns, and where the dispatch's first block begins.
    rows: u32,
    columns: u32,
    first_row: u32,
    first_column: u32,
    // The ones of an identity (fill_identity.wgsl).
    group: u32,
    inputs: u32,
    field: u32,
    centre: u32,
    // Zeros in a column, and the rectangle in which its rows are permuted (fill_sparse.wgsl).
    zeros: u32,
    width: u32,
    height: u32,
    // Where in `source` the first block's elements lie (fill_copy.wgsl), modulo 2^32.
    source_origin: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
