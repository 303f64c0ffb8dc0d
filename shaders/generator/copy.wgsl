// orthogonal_: a matrix that the kernels of shaders/orthogonal computed, times the gain.
@group(0) @binding(2) var<storage, read> matrix: array<f32>;

fn block_values(block: u32) -> vec4<u32> {
    // A block may reach past the end of `matrix`: the elements there are not written.
    let at = params.matrix_origin + 4u * block;
    let x = vec4<f32>(matrix[at], matrix[at + 1u], matrix[at + 2u], matrix[at + 3u]);
    return bitcast<vec4<u32>>(x * params.std_dev);
}
