// Turns a panel's normals into Householder vectors, and puts the signs on the diagonal of Q: one workgroup. The panel
// and Q are bound in the window of their diagonal, whichever window's sums are added.

@group(0) @binding(1) var<storage, read_write> panel: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> matrix: array<f32>;
// A sum and its error for each partial sum, then 2 / |v|^2 for each column, from TAU on.
@group(0) @binding(4) var<storage, read_write> state: array<f32>;

var<workgroup> partials: array<f32, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn orthogonal(@builtin(local_invocation_index) local: u32) {
    let j = local % PANEL;
    let partial = local / PANEL;
    var sum = 0.0;
    var error = 0.0;
    if params.is_first == 0u {
        sum = state[local];
        error = state[WORKGROUP_SIZE + local];
    }
    // Knuth's TwoSum. Chunks are counted in the whole matrix, so that windows change nothing.
    for (var i = (partial - params.first_chunk) % PARTIALS; i < params.chunks; i += PARTIALS) {
        let part = sums[i * PANEL + j];
        let total = keep(sum + part);
        let added = keep(total - sum);
        let lost = keep(keep(sum - keep(total - added)) + keep(part - added));
        sum = total;
        error = keep(error + lost);
    }
    state[local] = sum;
    state[WORKGROUP_SIZE + local] = error;
    partials[local] = keep(sum + error);
    sum_partials(local);
    if params.is_last != 0u && partial == 0u {
        state[TAU + j] = reflection(j, partials[j]);
    }
}

// Finishes the vector of column j. Returns 2 / |v|^2.
fn reflection(j: u32, below: f32) -> f32 {
    let column = params.start + j;
    if column >= params.columns {
        return 0.0;
    }
    let row = column - params.first_row;
    let diagonal = row * 4u * params.width + j;
    let x = panel[diagonal];
    let sign = bitcast<u32>(x) & 0x80000000u;
    // A single number has no reflection: its sign does it, exactly.
    let alone = column + 1u == params.rows;
    let minus = select(sign ^ 0x80000000u, sign, alone);
    matrix[row * 4u * params.stride + column] = bitcast<f32>(minus | 0x3F800000u);
    if alone {
        return 0.0;
    }
    let square = keep(below + keep(x * x));
    let norm = keep(square * reciprocal_root(square));
    let v = keep(x + bitcast<f32>(bitcast<u32>(norm) | sign));
    panel[diagonal] = v;
    return double_reciprocal(keep(below + keep(v * v)));
}
