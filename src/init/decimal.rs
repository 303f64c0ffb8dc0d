//! Decimal numbers -> f64, for WebAssembly. The parser of the standard library has a table of 10 kB, which a page would
//! load; this one has none, and is exact too. A page reads few numbers, so speed does not matter.

/// The longest significand that a number needs: f64's longest decimal number has 767 digits. Digits beyond decide only
/// between a tie and what lies above the tie.
const MAX_DIGITS: usize = 800;

/// Reads what `f64::from_str` reads, and rounds to nearest even as it does.
pub(super) fn parse(text: &str) -> Option<f64> {
    let (negative, number) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let is = |word: &str| number.eq_ignore_ascii_case(word.as_bytes());
    let magnitude = if is("inf") || is("infinity") {
        f64::INFINITY
    } else if is("nan") {
        f64::NAN
    } else {
        magnitude(number)?
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// Reads digits, a point among them, and an exponent.
fn magnitude(number: &[u8]) -> Option<f64> {
    let end = number.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(number.len());
    let (significand, exponent) = number.split_at(end);
    let point = significand.iter().position(|&byte| byte == b'.').unwrap_or(end);
    let fraction = significand.get(point + 1..).unwrap_or_default();
    let digits: Vec<u8> =
        significand[..point].iter().chain(fraction).map(|byte| byte.wrapping_sub(b'0')).collect();
    if digits.is_empty() || digits.iter().any(|&digit| digit > 9) {
        return None;
    }
    let zeros = digits.iter().take_while(|&&digit| digit == 0).count();
    let mut digits = digits[zeros..].to_vec();
    // The power of ten of the last digit.
    let mut power = exponent_of(exponent)? - fraction.len() as i64;
    if digits.len() > MAX_DIGITS {
        power += (digits.len() - MAX_DIGITS) as i64;
        let has_more = digits[MAX_DIGITS..].iter().any(|&digit| digit != 0);
        digits.truncate(MAX_DIGITS);
        // One more digit stands for all others.
        digits.push(u8::from(has_more));
        power -= 1;
    }
    let magnitude = power + digits.len() as i64;
    // Below 10^-330 everything is 0, and from 10^310 on everything is infinite.
    if digits.is_empty() || magnitude < -330 {
        return Some(0.0);
    }
    if magnitude > 311 {
        return Some(f64::INFINITY);
    }
    Some(quotient(&digits, power as i32))
}

/// Reads an exponent with its letter; nothing is 0. An exponent far out of range is as good as any such.
fn exponent_of(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [] => return Some(0),
        [_, b'-', digits @ ..] => (true, digits),
        [_, b'+', digits @ ..] | [_, digits @ ..] => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |value: i64, digit: &u8| (value * 10 + i64::from(digit - b'0')).min(1 << 40);
    let value = digits.iter().fold(0, add);
    Some(if negative { -value } else { value })
}

/// `digits · 10^power`, rounded once.
fn quotient(digits: &[u8], power: i32) -> f64 {
    let (mut dividend, mut divisor) = (Natural(Vec::new()), Natural(vec![1]));
    for &digit in digits {
        dividend.multiply_add(10, digit.into());
    }
    for _ in 0..power.unsigned_abs() {
        if power > 0 { &mut dividend } else { &mut divisor }.multiply_add(10, 0);
    }
    // 2^exponent is the value of the quotient's last bit. The quotient has 64 or 65 bits; close to 0 it has fewer, and its
    // last bit lies two below the smallest number's.
    let exponent = (dividend.bits() - divisor.bits() - 64).max(-1076);
    if exponent < 0 { &mut dividend } else { &mut divisor }.shift_left(exponent.unsigned_abs());
    let mut quotient = 0_u128;
    let shift = (dividend.bits() - divisor.bits()).max(0);
    divisor.shift_left(shift.unsigned_abs());
    for _ in 0..=shift {
        quotient = quotient << 1 | u128::from(dividend.subtract_if_larger(&divisor));
        divisor.halve();
    }
    // A remainder makes the last bit odd, so that the number is no tie.
    quotient |= u128::from(dividend.bits() > 0);
    if quotient >> 54 == 0 {
        // Below 2^-1022, where f64 keeps all bits but the last two.
        let (kept, rest) = (quotient >> 2, quotient & 3);
        let up = rest > 2 || (rest == 2 && kept & 1 == 1);
        return f64::from_bits((kept + u128::from(up)) as u64);
    }
    // The conversion rounds. Neither factor makes a subnormal number, so the products are exact or infinite.
    let half = exponent / 2;
    quotient as f64 * 2_f64.powi(half) * 2_f64.powi(exponent - half)
}

/// A natural number: 32 bits in each element, lowest first. The highest element is not 0.
struct Natural(Vec<u32>);

impl Natural {
    fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for word in &mut self.0 {
            carry += u64::from(*word) * u64::from(factor);
            *word = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn bits(&self) -> i32 {
        self.0.last().map_or(0, |highest| 32 * self.0.len() as i32 - highest.leading_zeros() as i32)
    }

    fn shift_left(&mut self, bits: u32) {
        for _ in 0..bits % 32 {
            self.multiply_add(2, 0);
        }
        if !self.0.is_empty() {
            self.0.splice(0..0, std::iter::repeat_n(0, bits as usize / 32));
        }
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for word in self.0.iter_mut().rev() {
            (*word, carry) = (*word >> 1 | carry << 31, *word & 1);
        }
        self.trim();
    }

    /// Subtracts `other` where the result is not negative.
    fn subtract_if_larger(&mut self, other: &Self) -> bool {
        let order =
            self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()));
        if order.is_lt() {
            return false;
        }
        let mut borrow = 0;
        for (i, word) in self.0.iter_mut().enumerate() {
            let difference = i64::from(*word) - i64::from(other.0.get(i).copied().unwrap_or(0)) + borrow;
            *word = difference as u32;
            borrow = difference >> 32;
        }
        self.trim();
        true
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assert_like_std(text: &str) {
        let (own, std) = (parse(text), text.parse::<f64>().ok());
        assert_eq!(own.map(f64::to_bits), std.map(f64::to_bits), "{text:?}: {own:?}, not {std:?}");
    }

    #[test]
    fn edges_are_like_those_of_std() {
        for text in [
            "0",
            "-0",
            "+0.0",
            "1",
            "1.",
            ".5",
            "-.5e1",
            "1e",
            "e1",
            ".",
            "",
            "-",
            "+-1",
            "1.2.3",
            "0x10",
            "1_0",
            " 1",
            "1e5",
            "1E+05",
            "1e-5",
            "1e+-5",
            "1e5.",
            "inf",
            "-Infinity",
            "NaN",
            "-nan",
            "nano",
            "infinit",
            "1e400",
            "1e-400",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "0e99999999999999999999",
            "2e308",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "179769313486231580793728971405301e276",
            "4.9e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "2.5e-324",
            "7.4e-324",
            "2.2250738585072011e-308",
            "2.2250738585072014e-308",
            "9007199254740993",
            "9007199254740992.5",
            "9007199254740993.0000000000000000001",
            "é",
        ] {
            assert_like_std(text);
        }
        // The tie between 0 and the smallest number, and what lies beside the tie.
        let tie = format!("{:.1075}", f64::from_bits(1) / 2.0);
        let halfway = format!("{}5", &format!("{:.1074}", f64::from_bits(1))[..]);
        for text in [tie, halfway] {
            for end in ["", "0", "1", "e0", "00000000001"] {
                assert_like_std(&format!("{text}{end}"));
            }
        }
        // Digits beyond those that are read one by one.
        let tie = format!("9007199254740993.{}", "0".repeat(900));
        for end in ["", "1", "0e3", "1e-20"] {
            assert_like_std(&format!("{tie}{end}"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn floats_are_like_those_of_std(bits: u64, digits in 0_usize..30, nudge in -1_i64..=1) {
            let float = f64::from_bits(bits);
            assert_like_std(&format!("{float}"));
            assert_like_std(&format!("{float:e}"));
            assert_like_std(&format!("{float:.digits$e}"));
            // Between two neighbours, and right beside the middle.
            let (low, high) = (f64::from_bits(bits & !(1 << 63)), f64::from_bits((bits & !(1 << 63)) + 1));
            if high.is_finite() {
                let text = format!("{low:.780e}");
                assert_like_std(&text);
                let middle = (u128::from(bits >> 12) + (1 << 53)) * 2 + 1;
                assert_like_std(&format!("{}", middle as i128 * 10 + i128::from(nudge)));
            }
        }

        #[test]
        fn texts_are_like_those_of_std(text in "[-+]?[0-9]{0,25}[.]?[0-9]{0,25}([eE][-+]?[0-9]{0,3})?") {
            assert_like_std(&text);
        }
    }
}
