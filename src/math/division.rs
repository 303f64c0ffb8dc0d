//! Division of unsigned integers by a divisor that is known before the kernel runs.

/// The `factor` and `shift` by which `shaders/addressing/strided.wgsl` divides: `n / divisor` is
/// `(2 * n * factor >> 32) >> shift` for every n below 2^31 (Granlund and Montgomery: "Division by invariant integers using
/// multiplication", 1994, theorem 4.2). A work item has fewer invocations than that (see `MAX_BINDING_BYTES`).
pub(crate) fn reciprocal(divisor: u32) -> [u32; 2] {
    let shift = u32::BITS - (divisor - 1).leading_zeros();
    [(1_u64 << (31 + shift)).div_ceil(divisor.into()) as u32, shift]
}

/// The division of `shaders/addressing/strided.wgsl`.
#[cfg(test)]
pub(crate) fn divide(n: u32, factor: u32, shift: u32) -> u32 {
    let high = (u64::from(n << 1) * u64::from(factor)) >> 32;
    high as u32 >> shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_the_shader_multiplies_by_divides(
            divisor in prop_oneof![1_u32..70, 1_u32..=1 << 31, (0_u32..31).prop_map(|i| (1 << i) + 1)],
            n in prop_oneof![0_u32..1 << 31, (1_u32 << 31) - 70..1 << 31],
            turns in any::<u32>(),
        ) {
            let [factor, shift] = reciprocal(divisor);
            // Before and after a step of the quotient, too.
            let step = turns % ((1 << 31) / divisor) * divisor;
            for n in [n, step, step.saturating_sub(1)] {
                prop_assert_eq!(divide(n, factor, shift), n / divisor);
            }
        }
    }
}
