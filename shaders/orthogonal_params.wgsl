// What one dispatch of an orthogonal matrix is told. `Params` in src/orthogonal/params.rs is the same
// struct; a unit test compares the two. Quads are four columns that lie side by side.

struct Params {
    // Philox key: the seed's low and high half.
    seed: vec2<u32>,
    // Philox counter of the first block of the panel's first column.
    counter: vec2<u32>,
    // Blocks of one column: the number of rows, divided by four and rounded up.
    column_blocks: u32,
    // The whole matrix: it has more rows than columns, or as many. The result may be its transpose.
    rows: u32,
    columns: u32,
    // The first column of the panel, and the first row and column that it changes.
    start: u32,
    // Quads of a row of the panel's Householder vectors.
    width: u32,
    // The rows of the binding: first_row <= row < end_row.
    first_row: u32,
    end_row: u32,
    // The chunks of rows that the panel changes in this window.
    first_chunk: u32,
    chunks: u32,
    // Whether this is the first window of the panel, and the last.
    is_first: u32,
    is_last: u32,
    // The matrix that is projected or updated: quads of a row, and those that are worked on.
    stride: u32,
    first_quad: u32,
    quads: u32,
    // Where its sums go: quads of a row, and the first.
    sum_stride: u32,
    first_sum: u32,
    // The elements of the result that are stored, counted in the whole.
    first_element: u32,
    end_element: u32,
    // Whether the result is the transpose.
    is_transposed: u32,
    // Workgroups in all, and in one row of the grid.
    groups: u32,
    group_row: u32,
    // 0 at run time. No compiler can know that, see keep.wgsl.
    zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

// Reflections that are applied together.
const PANEL: u32 = 32u;
// Rows whose products are added one after the other; sums of chunks are then added in their order.
const CHUNK: u32 = 128u;
// Sums of squares that run side by side in a chunk, and over chunks.
const LANES: u32 = 8u;

fn group_index(id: vec3<u32>) -> u32 {
    return id.y * params.group_row + id.x;
}

// The rows of a chunk that the panel changes, counted from the window's first row.
fn chunk_rows(chunk: u32) -> vec2<u32> {
    let begin = max(chunk * CHUNK, params.start);
    let end = min((chunk + 1u) * CHUNK, params.end_row);
    return vec2<u32>(begin, end) - params.first_row;
}
