//! For tests: the numbers of a source file, so that a shader's can be compared with its mirror's.

/// Float and hexadecimal literals of WGSL or Rust, in order, as f32 or u32 bits.
pub(super) fn literals(text: &str) -> Vec<u32> {
    let code: String = text.lines().flat_map(|line| [line.split("//").next().unwrap_or(""), " "]).collect();
    code.replace("std::f32::consts::LN_2", "0.6931471805599453")
        .replace("std::f32::consts::FRAC_PI_2", "1.5707963267948966")
        .split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))
        .map(|token| token.trim_start_matches('-').replace('_', ""))
        .filter(|token| token.starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|token| match token.strip_prefix("0x") {
            Some(digits) => {
                {
                    // Before the type's suffix, or a method.
                    u32::from_str_radix(digits.split(['u', '.']).next().unwrap_or(""), 16).ok()
                }
            }
            None if token.contains('.') => token.parse::<f32>().ok().map(f32::to_bits),
            None => None,
        })
        .collect()
}
