//! The arithmetic of `shaders/generator/uniform.wgsl`, one word -> one value, and the clamp of
//! `shaders/generator/trunc_normal.wgsl`.

/// `low + range · u`, but at most `max`.
#[inline(always)]
pub(crate) fn uniform(word: u32, low: f32, range: f32, max: f32) -> f32 {
    let u = (word & 0x00FF_FFFF) as i32 as f32 * 5.960_464_5e-8; // 2^-24
    let x = u * range + low;
    if x > max { max } else { x }
}

/// `x`, clamped to the bounds as `shaders/generator/trunc_normal.wgsl` does it.
#[inline(always)]
pub(crate) fn within(x: f32, min: f32, max: f32) -> f32 {
    let at_least = if x < min { min } else { x };
    if at_least > max { max } else { at_least }
}

#[cfg(test)]
mod tests {
    use crate::math::literals::assert_same_literals;

    #[test]
    fn constants_are_the_shaders() {
        let shaders = [include_str!("../../shaders/generator/uniform.wgsl")];
        assert_same_literals(&shaders, include_str!("uniform.rs"), 2);
    }
}
