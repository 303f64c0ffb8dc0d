// What one job is told: a run of elements, or runs within loops. `Params` in src/params.rs is the same struct; a unit
// test compares the two byte for byte. A kernel reads the fields that it needs. Positions count elements from the
// beginning of the binding.

struct Params {
    // Philox key: the seed's low and high half.
    seed: vec2<u32>,
    // Philox counter of the first block: low and high half of `offset + block`.
    counter: vec2<u32>,
    // The same of a second stream: of the columns' permutations (fill_sparse.wgsl).
    second_seed: vec2<u32>,
    second_counter: vec2<u32>,

    // How many of the job's invocations come before those of this row of the grid, if it is a grid of many jobs.
    first_store: u32,
    // How many invocations have something to store, or may have.
    stores: u32,
    // Where the first block lies; modulo 2^32, because its first elements may lie before the binding.
    origin: u32,
    // The positions of the first run: begin <= position < end.
    begin: u32,
    end: u32,

    // The loops around the runs (runs_nested.wgsl): how many, how many invocations store a run.
    levels: u32,
    stores_of_run: u32,
    // 0 at run time. No compiler can know that, see keep.wgsl.
    zero: u32,
    // Of each loop, the innermost first: its turns, and what a turn adds to the element and to the position.
    level_count: vec4<u32>,
    level_stride: vec4<u32>,
    level_pitch: vec4<u32>,
    // What divides by its turns.
    level_factor: vec4<u32>,
    level_shift: vec4<u32>,
    // What divides by `stores_of_run`.
    run_factor: u32,
    run_shift: u32,

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

    // The matrix: its rows, its columns, and where the first block begins.
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
    // Where in `source` the first block's elements lie (fill_copy.wgsl).
    source_origin: u32,
    // To the alignment of a vec4.
    padding: u32,
    more_padding: vec2<u32>,
}
