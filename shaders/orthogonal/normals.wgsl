// A panel's normals, and the sums of their squares below the diagonal: a workgroup computes one chunk.

@group(0) @binding(1) var<storage, read_write> panel: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

var<workgroup> partials: array<f32, WORKGROUP_SIZE>;

// Writes a normal, or zero above the diagonal.
fn store_normal(row: u32, j: u32, x: f32) {
    if row < params.end_row {
        panel[(row - params.first_row) * 4u * params.width + j] =
            select(x, 0.0, row < params.start + j);
    }
}

fn add_square(sum: f32, row: u32, j: u32, x: f32) -> f32 {
    let square = keep(x * x);
    return select(sum, keep(sum + square), row < params.end_row && row > params.start + j);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn orthogonal(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let group = group_index(id);
    if group >= params.groups {
        return;
    }
    let chunk = params.first_chunk + group;
    let j = local % PANEL;
    let partial = local / PANEL;
    let column = params.start + j;
    var sum = 0.0;
    for (var four = partial; four < CHUNK / 4u; four += PARTIALS) {
        let row = chunk * CHUNK + 4u * four;
        if row >= params.start && row < params.end_row && j < 4u * params.width {
            var x = vec4<f32>();
            if column < params.columns && column < row + 4u {
                let w = philox4x32_10(block_counter(j * params.column_blocks + row / 4u), params.seed);
                x = standard_normals(w);
            }
            store_normal(row, j, x.x);
            store_normal(row + 1u, j, x.y);
            store_normal(row + 2u, j, x.z);
            store_normal(row + 3u, j, x.w);
            sum = add_square(sum, row, j, x.x);
            sum = add_square(sum, row + 1u, j, x.y);
            sum = add_square(sum, row + 2u, j, x.z);
            sum = add_square(sum, row + 3u, j, x.w);
        }
    }
    partials[local] = sum;
    sum_partials(local);
    if partial == 0u {
        sums[group * PANEL + j] = partials[j];
    }
}
