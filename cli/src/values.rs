//! The values of options: text -> what it means.

use std::str::FromStr;

use clap::ValueEnum;
use seedbed::DType;

/// The values of `--dtype` for one tensor.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum TensorType {
    F32,
    F16,
    Bf16,
}

impl From<TensorType> for DType {
    fn from(dtype: TensorType) -> Self {
        match dtype {
            TensorType::F32 => Self::F32,
            TensorType::F16 => Self::F16,
            TensorType::Bf16 => Self::BF16,
        }
    }
}

/// The values of `--dtype` for a model.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum ModelType {
    F32,
    F16,
    Bf16,
    Keep,
}

impl ModelType {
    /// The type, or `None` to keep the types of the model.
    pub fn chosen(self) -> Option<DType> {
        match self {
            Self::F32 => Some(DType::F32),
            Self::F16 => Some(DType::F16),
            Self::Bf16 => Some(DType::BF16),
            Self::Keep => None,
        }
    }
}

/// The values of `--adapter`.
#[derive(Clone, Debug, PartialEq)]
pub enum AdapterChoice {
    /// A GPU if there is one, or else the host.
    Auto,
    /// The host.
    Host,
    /// The adapter with this name, or part of a name.
    Named(String),
}

impl FromStr for AdapterChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "" => return Err("give auto, host, or a part of an adapter's name"),
            "auto" => Self::Auto,
            "host" => Self::Host,
            name => Self::Named(name.to_owned()),
        })
    }
}

/// The values of `--limits`.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanFor {
    WebGpu,
    Adapter(String),
}

impl FromStr for PlanFor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "" => return Err("give webgpu, or a part of an adapter's name"),
            "webgpu" => Self::WebGpu,
            name => Self::Adapter(name.to_owned()),
        })
    }
}

/// The value of `--shape`.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape(pub Vec<u64>);

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Ok(Self(Vec::new()));
        }
        let dimension = |d: &str| {
            let d = d.trim();
            d.parse()
                .map_err(|_| format!("the dimension {d:?} is not a whole number below 2^64; write 128,256"))
        };
        text.split(',').map(dimension).collect::<Result<_, _>>().map(Self)
    }
}

/// Reads a whole number, decimal or hexadecimal after 0x.
pub fn integer(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        // from_str_radix would accept a plus sign after 0x; parse rejects the whole text.
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16),
        _ => text.parse(),
    };
    parsed.map_err(|_| "not a whole number from 0 to 2^64 - 1 (decimal, or hexadecimal after 0x)".into())
}

/// Reads a size in bytes: a whole number with or without a unit, such as 5GB (10^9) or 2GiB (2^30).
pub fn byte_size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "" | "B" => Some(1),
        "KB" => Some(1000),
        "MB" => Some(1000_u64.pow(2)),
        "GB" => Some(1000_u64.pow(3)),
        "TB" => Some(1000_u64.pow(4)),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        "TiB" => Some(1 << 40),
        _ => None,
    };
    let size = number.parse::<u64>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    size.filter(|&size| size > 0).ok_or_else(|| "not a size; write 5GB, 500MB or 2GiB".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(byte_size("5GB"), Ok(5_000_000_000));
        assert_eq!(byte_size("2 GiB"), Ok(1 << 31));
        assert_eq!(byte_size("123"), Ok(123));
        for bad in ["", "GB", "0", "-1", "1.5GB", "5gb", "99999999999999TB", "5 G B"] {
            assert!(byte_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn integers() {
        assert_eq!(integer("0"), Ok(0));
        assert_eq!(integer("0xFFFFFFFFFFFFFFFF"), Ok(u64::MAX));
        assert_eq!(integer("18446744073709551615"), Ok(u64::MAX));
        for bad in ["", "-1", "0x", "0x+1", "1e3", "18446744073709551616", "0x10000000000000000", "1_000"] {
            assert!(integer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shapes() {
        assert_eq!("128, 256".parse(), Ok(Shape(vec![128, 256])));
        assert_eq!("0".parse(), Ok(Shape(vec![0])));
        assert_eq!("".parse(), Ok(Shape(vec![])));
        for bad in ["1,,2", "1,", "-1", "2x3", "1.5"] {
            assert!(bad.parse::<Shape>().is_err(), "{bad}");
        }
    }
}
