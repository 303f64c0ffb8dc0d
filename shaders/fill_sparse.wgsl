// sparse_: 0 where the column's permutation puts a row among the first `zeros`, else mean + std * z with a
// mean of 0.
fn is_zero(place: vec2<u32>) -> bool {
    let low = params.second_counter.x + place.y;
    let counter = vec2<u32>(low, params.second_counter.y + u32(low < place.y));
    return permute(place.x, philox4x32_10(counter, params.second_seed)) < params.zeros;
}

fn block_values(block: u32) -> vec4<u32> {
    let w = philox4x32_10(block_counter(block), params.seed);
    let z = standard_normals(w);
    let x = bitcast<vec4<u32>>(keep4(z * params.std_dev) + params.mean);
    let a = place_of(block);
    let b = next_place(a);
    let c = next_place(b);
    let d = next_place(c);
    return select(x, vec4<u32>(0u), vec4<bool>(is_zero(a), is_zero(b), is_zero(c), is_zero(d)));
}
