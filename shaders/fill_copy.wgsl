// orthogonal_: a matrix that other kernels have computed (orthogonal_*.wgsl), times the gain.
@group(0) @binding(2) var<storage, read> source: array<f32>;

fn block_values(block: u32) -> vec4<u32> {
    // What lies past the source's end belongs to elements that are not written.
    let at = params.source_origin + 4u * block;
    let x = vec4<f32>(source[at], source[at + 1u], source[at + 2u], source[at + 3u]);
    return bitcast<vec4<u32>>(x * params.std_dev);
}
