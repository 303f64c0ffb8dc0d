// Row and column of a block's elements. `first_row` and `first_column` are those of the job's first block, so
// that 32 bits do.
fn place_of(block: u32) -> vec2<u32> {
    let at = params.first_column + 4u * block;
    return vec2<u32>(params.first_row + at / params.columns, at % params.columns);
}

fn next_place(place: vec2<u32>) -> vec2<u32> {
    let column = place.y + 1u;
    let wraps = column == params.columns;
    return vec2<u32>(place.x + u32(wraps), select(column, 0u, wraps));
}
