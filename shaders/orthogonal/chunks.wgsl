// The parameters of a dispatch, its workgroups, and the rows of a chunk.
@group(0) @binding(0) var<uniform> params: Params;

fn group_index(id: vec3<u32>) -> u32 {
    return id.y * params.group_row + id.x;
}

// The rows of a chunk that the panel changes, counted from the window's first row.
fn chunk_rows(chunk: u32) -> vec2<u32> {
    let begin = max(chunk * CHUNK, params.start);
    let end = min((chunk + 1u) * CHUNK, params.end_row);
    return vec2<u32>(begin, end) - params.first_row;
}
