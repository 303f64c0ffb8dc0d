// The high word of a 32x32-bit product, for devices with SHADER_INT64.
fn multiply_high(a: u32, b: u32) -> u32 {
    return u32((u64(a) * u64(b)) >> 32u);
}
