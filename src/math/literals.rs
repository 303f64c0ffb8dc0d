//! For tests: the numbers of a source file, so that a shader's can be compared with its mirror's.

/// Float and hexadecimal literals of WGSL or Rust, in order, as the bits of f32 or u32.
fn literals(text: &str) -> Vec<u32> {
    let code: String = text.lines().flat_map(|line| [line.split("//").next().unwrap_or(""), " "]).collect();
    code.replace("std::f32::consts::LOG2_E", "1.4426950408889634")
        .replace("std::f32::consts::LN_2", "0.6931471805599453")
        .replace("std::f32::consts::FRAC_PI_2", "1.5707963267948966")
        .split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))
        .map(|token| token.trim_start_matches('-').replace('_', ""))
        .filter(|token| token.starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|token| match token.strip_prefix("0x") {
            // A power of two, such as 0x1p-24f.
            Some(digits) if digits.starts_with("1p") => {
                let exponent: i32 = digits[2..].trim_end_matches('f').parse().ok()?;
                Some(2_f32.powi(exponent).to_bits())
            }
            // The digits end before the type's suffix, or before a method.
            Some(digits) => u32::from_str_radix(digits.split(['l', 'u', '.']).next().unwrap_or(""), 16).ok(),
            None if token.contains('.') => token.parse::<f32>().ok().map(f32::to_bits),
            None => None,
        })
        .collect()
}

/// Checks that a mirror has the same numbers as its shaders, in the same order, and as many as expected.
pub(crate) fn assert_same_literals(shaders: &[&str], mirror: &str, count: usize) {
    let shader: Vec<u32> = shaders.iter().flat_map(|shader| literals(shader)).collect();
    let code = mirror.split("#[cfg(test)]\nmod tests").next().unwrap_or("");
    assert_eq!(shader, literals(code));
    assert_eq!(shader.len(), count);
}
