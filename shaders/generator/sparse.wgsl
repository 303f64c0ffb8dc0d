// sparse_: 0 where the column's permutation puts a row among the first `zeros`, else mean + std * z with a mean of 0.
fn is_zero(index: vec2<u32>) -> bool {
    let low = params.second_counter.x + index.y;
    let counter = vec2<u32>(low, params.second_counter.y + u32(low < index.y));
    return permute(index.x, philox4x32_10(counter, params.second_seed)) < params.zeros;
}

fn block_values(block: u32) -> vec4<u32> {
    let w = philox4x32_10(block_counter(block), params.seed);
    let z = standard_normals(w);
    let x = bitcast<vec4<u32>>(keep4(z * params.std_dev) + params.mean);
    let a = matrix_index(block);
    let b = next_index(a);
    let c = next_index(b);
    let d = next_index(c);
    return select(x, vec4<u32>(0u), vec4<bool>(is_zero(a), is_zero(b), is_zero(c), is_zero(d)));
}
