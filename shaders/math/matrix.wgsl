// Row and column of a block's elements. `first_row` and `first_column` belong to the work item's first block, so that
// 32 bits are enough.
fn matrix_index(block: u32) -> vec2<u32> {
    let at = params.first_column + 4u * block;
    return vec2<u32>(params.first_row + at / params.columns, at % params.columns);
}

fn next_index(index: vec2<u32>) -> vec2<u32> {
    let column = index.y + 1u;
    let wraps = column == params.columns;
    return vec2<u32>(index.x + u32(wraps), select(column, 0u, wraps));
}
