// eye_, dirac_: row r has a one in column `field * (r mod group) + centre` if `r mod group` is an input.
fn identity_value(index: vec2<u32>) -> u32 {
    let member = index.x % params.group;
    let is_one = member < params.inputs && index.y == params.field * member + params.centre;
    return select(0u, 0x3F800000u, is_one);
}

fn block_values(block: u32) -> vec4<u32> {
    let a = matrix_index(block);
    let b = next_index(a);
    let c = next_index(b);
    let d = next_index(c);
    return vec4<u32>(identity_value(a), identity_value(b), identity_value(c), identity_value(d));
}
