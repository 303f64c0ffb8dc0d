//! One word -> one value: what `shaders/fill_uniform.wgsl` and `shaders/fill_identity.wgsl` compute.

/// `low + range · u`, of at most `most`.
#[inline(always)]
pub(crate) fn uniform(word: u32, low: f32, range: f32, most: f32) -> f32 {
    let u = (word & 0x00FF_FFFF) as i32 as f32 * (1.0 / 16_777_216.0);
    let x = u * range + low;
    if x > most { most } else { x }
}

/// Within the bounds.
#[inline(always)]
pub(crate) fn within(x: f32, least: f32, most: f32) -> f32 {
    let at_least = if x < least { least } else { x };
    if at_least > most { most } else { at_least }
}
