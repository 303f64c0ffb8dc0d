// eye_, dirac_: row r has a one in column `field * (r mod group) + centre`, if r mod group is an input.
fn identity_value(place: vec2<u32>) -> u32 {
    let member = place.x % params.group;
    let is_one = member < params.inputs && place.y == params.field * member + params.centre;
    return select(0u, 0x3F800000u, is_one);
}

fn block_values(block: u32) -> vec4<u32> {
    let a = place_of(block);
    let b = next_place(a);
    let c = next_place(b);
    let d = next_place(c);
    return vec4<u32>(identity_value(a), identity_value(b), identity_value(c), identity_value(d));
}
