//! The loops of `torch.eye` and `torch.nn.init.dirac_`.

/// A matrix with ones on the diagonal.
pub fn eye(rows: usize, columns: usize) -> Vec<f32> {
    let mut matrix = vec![0.0; rows * columns];
    for i in 0..rows.min(columns) {
        matrix[i * columns + i] = 1.0;
    }
    matrix
}

/// A tensor with ones at `[g * out_chans_per_grp + d, d, size(2) // 2, …]`, for each group `g` and each `d`
/// below `min(out_chans_per_grp, size(1))`.
pub fn dirac(shape: &[usize], groups: usize) -> Vec<f32> {
    let mut tensor = vec![0.0; shape.iter().product()];
    let out_channels_per_group = shape[0] / groups;
    for g in 0..groups {
        for d in 0..out_channels_per_group.min(shape[1]) {
            let mut index = vec![g * out_channels_per_group + d, d];
            index.extend(shape[2..].iter().map(|size| size / 2));
            tensor[row_major(shape, &index)] = 1.0;
        }
    }
    tensor
}

fn row_major(shape: &[usize], index: &[usize]) -> usize {
    shape.iter().zip(index).fold(0, |at, (size, i)| at * size + i)
}
