//! One word -> one value: what `shaders/generator/uniform.wgsl` computes. Also the clamp of a truncated normal.

/// `low + range · u`, and at most `max`.
#[inline(always)]
pub(crate) fn uniform(word: u32, low: f32, range: f32, max: f32) -> f32 {
    let u = (word & 0x00FF_FFFF) as i32 as f32 * 5.960_464_5e-8; // 2^-24
    let x = u * range + low;
    if x > max { max } else { x }
}

/// `x`, brought within the bounds: what `shaders/generator/trunc_normal.wgsl` does.
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
