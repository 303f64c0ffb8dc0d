//! Element types, and rounding to them.

use std::fmt;
use std::str::FromStr;

/// The type of the elements of a tensor.
///
/// The textual form is the name in lower case. [`FromStr`] reads the names of PyTorch, NumPy and safetensors
/// too:
///
/// ```
/// use seedbed::DType;
///
/// assert_eq!(DType::BF16.to_string(), "bf16");
/// for name in ["bf16", "BF16", "bfloat16", "torch.bfloat16"] {
///     assert_eq!(name.parse(), Ok(DType::BF16));
/// }
/// ```
///
/// The feature `serde` serialises a `DType` as a string, such as `"bf16"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16. Subnormal values are kept.
    F16,
    /// The upper half of binary32 ("brain float").
    BF16,
    /// Raw words of the stream: [`FillRecorder::fill_words`](crate::FillRecorder::fill_words) only.
    U32,
}

impl DType {
    /// Bytes of one element.
    pub const fn size(self) -> u64 {
        match self {
            Self::F32 | Self::U32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }

    /// The largest finite value.
    pub(crate) const fn max(self) -> f64 {
        match self {
            Self::F32 => f32::MAX as f64,
            Self::F16 => 65_504.0,
            // Seven mantissa bits: (2 - 2^-7) * 2^127.
            Self::BF16 => f32::from_bits(0x7F7F_0000) as f64,
            Self::U32 => u32::MAX as f64,
        }
    }

    /// The significand's bits, the leading one included, and the least exponent of a normal value.
    const fn precision(self) -> (i32, i32) {
        match self {
            Self::F16 => (11, -14),
            Self::BF16 => (8, -126),
            Self::F32 | Self::U32 => (24, -126),
        }
    }

    /// The distance of neighbours around a finite value.
    fn spacing(self, value: f64) -> f64 {
        let (bits, least) = self.precision();
        let exponent = ((value.to_bits() >> 52) & 0x7FF) as i32 - 1023;
        // A power of two from its exponent, exactly.
        let power = exponent.max(least) - (bits - 1);
        f64::from_bits(((power + 1023) as u64) << 52)
    }

    /// Rounds once, to nearest even, to a value of this type, which f32 holds exactly. A value that is too
    /// large becomes an infinity; every NaN becomes the quiet one without payload.
    pub(crate) fn round(self, value: f64) -> f32 {
        if value.is_nan() {
            return f32::from_bits(0x7FC0_0000);
        }
        if value.is_infinite() {
            return value as f32;
        }
        let spacing = self.spacing(value);
        // Exact but for the rounding: division and multiplication are by a power of two.
        let rounded = (value / spacing).round_ties_even() * spacing;
        if rounded.abs() > self.max() {
            return f32::INFINITY.copysign(value as f32);
        }
        // None of these operations loses the sign of a zero.
        rounded as f32
    }

    /// The least value of this type that is `value` or more; the least finite one for -∞.
    pub(crate) fn at_least(self, value: f64) -> f64 {
        let rounded = f64::from(self.round(value.max(-self.max())));
        if rounded < value { rounded + self.spacing_above(rounded) } else { rounded }
    }

    /// The greatest value of this type that is `value` or less; the greatest finite one for ∞.
    pub(crate) fn at_most(self, value: f64) -> f64 {
        // Not a negation, which would make -0 of 0.
        0.0 - self.at_least(-value)
    }

    /// The greatest value of this type below `value`.
    pub(crate) fn below(self, value: f64) -> f64 {
        let most = self.at_most(value);
        if most < value { most } else { most - self.spacing_above(-most) }
    }

    /// The distance from a value of this type to the next one above.
    fn spacing_above(self, value: f64) -> f64 {
        let spacing = self.spacing(value);
        // Towards zero from a power of two, the neighbour is half as far, unless subnormals begin there.
        let power_of_two = value.to_bits() & ((1 << 52) - 1) == 0;
        let half = self.spacing(value / 2.0);
        if value < 0.0 && power_of_two { half } else { spacing }
    }
}

impl DType {
    const ALL: [Self; 4] = [Self::F32, Self::F16, Self::BF16, Self::U32];

    /// The name of the textual form, and PyTorch's.
    const fn names(self) -> [&'static str; 2] {
        match self {
            Self::F32 => ["f32", "float32"],
            Self::F16 => ["f16", "float16"],
            Self::BF16 => ["bf16", "bfloat16"],
            Self::U32 => ["u32", "uint32"],
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names()[0])
    }
}

/// A text that names no [`DType`].
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[error(
    "the element type {text:?} is unknown; there are {known}",
    known = DType::ALL.map(|dtype| dtype.names().join(" or ")).join(", ")
)]
#[non_exhaustive]
pub struct UnknownDType {
    /// The text.
    pub text: String,
}

impl FromStr for DType {
    type Err = UnknownDType;

    /// In any case of letters, and after `torch.` too.
    fn from_str(text: &str) -> Result<Self, UnknownDType> {
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_prefix("torch.").unwrap_or(&lower);
        let dtype = Self::ALL.into_iter().find(|dtype| dtype.names().contains(&name));
        dtype.ok_or_else(|| UnknownDType { text: text.to_owned() })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for DType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for DType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    /// Every pair of neighbours of a 16-bit type, and what lies between them.
    fn check_neighbours(dtype: DType, from_bits: fn(u16) -> f64) {
        // Negative values from the largest magnitude on, then positive ones.
        let finite = |bits: &u16| from_bits(*bits).is_finite();
        let ascending: Vec<f64> = (0x8001..=0xFFFF_u16)
            .rev()
            .filter(finite)
            .chain((0..0x8000).filter(finite))
            .map(from_bits)
            .collect();
        for pair in ascending.windows(2) {
            let [low, high] = [pair[0], pair[1]];
            assert!(low < high);
            let middle = low / 2.0 + high / 2.0;
            for value in [low, high] {
                assert_eq!(f64::from(dtype.round(value)), value);
                assert_eq!((dtype.at_least(value), dtype.at_most(value)), (value, value));
            }
            assert_eq!(dtype.below(high), low);
            assert_eq!((dtype.at_most(middle), dtype.at_least(middle)), (low, high), "{middle:e}");
            let tiny = (high - low) * 1e-6;
            assert_eq!(f64::from(dtype.round(middle - tiny)), low);
            assert_eq!(f64::from(dtype.round(middle + tiny)), high);
            let even = f64::from(dtype.round(middle));
            assert!(even == low || even == high);
        }
        assert_eq!(*ascending.last().unwrap(), dtype.max());
    }

    #[test]
    fn names_round_trip() {
        for dtype in DType::ALL {
            assert_eq!(dtype.to_string().parse(), Ok(dtype));
            let [own, torch] = dtype.names();
            for name in [own.to_uppercase(), torch.to_owned(), format!("torch.{torch}")] {
                assert_eq!(name.parse(), Ok(dtype), "{name}");
            }
        }
        for bad in ["f64", "", "torch.", "torch.torch.f32", "f32 ", "float"] {
            assert_eq!(
                bad.parse::<DType>().unwrap_err().to_string(),
                format!(
                    "the element type {bad:?} is unknown; there are f32 or float32, f16 or float16, \
                     bf16 or bfloat16, u32 or uint32"
                )
            );
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serialises_as_its_name() {
        for dtype in DType::ALL {
            let json = serde_json::to_string(&dtype).unwrap();
            assert_eq!(json, format!("\"{dtype}\""));
            assert_eq!(serde_json::from_str::<DType>(&json).unwrap(), dtype);
        }
        assert_eq!(serde_json::from_str::<DType>(r#""torch.float16""#).unwrap(), DType::F16);
        let error = serde_json::from_str::<DType>(r#""f64""#).unwrap_err().to_string();
        assert!(error.starts_with(&"f64".parse::<DType>().unwrap_err().to_string()), "{error}");
        assert!(serde_json::from_str::<DType>("32").is_err());
    }

    #[test]
    fn sixteen_bits() {
        check_neighbours(DType::F16, |bits| f16::from_bits(bits).to_f64());
        check_neighbours(DType::BF16, |bits| bf16::from_bits(bits).to_f64());
    }

    #[test]
    fn ties_go_to_even_and_overflow_to_infinity() {
        assert_eq!(DType::F16.round(2049.0), 2048.0);
        assert_eq!(DType::F16.round(2051.0), 2052.0);
        assert_eq!(DType::F16.round(65_519.999), 65_504.0);
        assert_eq!(DType::F16.round(-65_520.0), f32::NEG_INFINITY);
        assert_eq!(DType::BF16.round(f64::from(f32::MAX)), f32::INFINITY);
        assert_eq!(DType::F16.round(-0.0).to_bits(), 0x8000_0000);
        assert_eq!(DType::F16.round(-1e-9).to_bits(), 0x8000_0000);
        assert!(DType::F16.round(f64::NAN).is_nan());
        assert_eq!(DType::F16.at_most(f64::INFINITY), 65_504.0);
        assert_eq!(DType::F16.below(5e-8).to_bits(), 0);
        assert_eq!(DType::F32.at_least(f64::NEG_INFINITY), f64::from(f32::MIN));
    }

    #[test]
    fn f32_rounds_as_rust_does() {
        for value in [0.1, -0.3, 1e-40, 1e-46, 1e38, 3.5e38, f64::from(f32::MAX), 1.0 + 1e-9, 16_777_217.0] {
            assert_eq!(DType::F32.round(value).to_bits(), (value as f32).to_bits(), "{value}");
        }
        assert_eq!(DType::F32.below(1.0), f64::from(1.0_f32.next_down()));
        assert_eq!(DType::F32.below(0.0), f64::from((-0.0_f32).next_down()));
        assert_eq!(DType::F32.at_least(0.1), f64::from(0.1_f32));
        assert_eq!(DType::F32.at_most(0.1), f64::from(0.1_f32.next_down()));
    }
}
