//! The same value everywhere.

use crate::dtype::DType;
use crate::error::Error;
use crate::init::checks::float;
use crate::init::kernel_args::{Generator, KernelArgs};

/// Every element is the value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Constant {
    pub(crate) value: f64,
}

impl Constant {
    /// Rounds the value once to the element type, to nearest even. Infinities and NaN are values like others;
    /// every NaN becomes the quiet one without payload.
    pub(crate) fn kernel_args(self, dtype: DType) -> Result<KernelArgs, Error> {
        let Self { value } = self;
        let rounded = float(dtype)?.round(value);
        if rounded.is_infinite() && value.is_finite() {
            return Err(Error::Overflow { parameter: "value", value, dtype });
        }
        let bits = match dtype {
            // See `shaders/rounding/f16.wgsl`.
            DType::F16 if rounded.is_nan() => 98_304_f32.to_bits(),
            DType::F16 if rounded.is_infinite() => 65_536_f32.copysign(rounded).to_bits(),
            _ => rounded.to_bits(),
        };
        Ok(KernelArgs { value: bits, ..KernelArgs::new(Generator::Constant) })
    }

    pub(crate) fn moments(self) -> (f64, f64) {
        (self.value, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_round_once_to_nearest_even() {
        let bits = |value, dtype| match (Constant { value }).kernel_args(dtype) {
            Ok(KernelArgs { generator: Generator::Constant, value, .. }) => value,
            other => panic!("{other:?}"),
        };
        assert_eq!(bits(0.01, DType::F32), 0x3C23_D70A);
        assert_eq!(bits(1.0 + f64::from(f32::EPSILON) / 2.0, DType::F32), 1.0_f32.to_bits());
        assert_eq!(bits(-0.0, DType::F32), 0x8000_0000);
        assert_eq!(bits(f64::NEG_INFINITY, DType::F32), 0xFF80_0000);
        assert_eq!(bits(-f64::NAN, DType::BF16), 0x7FC0_0000);
        // Once: by way of f32 this would be a tie, and 2048.
        assert_eq!(f32::from_bits(bits(2049.0 + 1e-9, DType::F16)), 2050.0);
        assert_eq!(f32::from_bits(bits(0.01, DType::BF16)), 0.010_009_766);
    }

    #[test]
    fn values_that_overflow_are_named() {
        let error = |value, dtype| Constant { value }.kernel_args(dtype).unwrap_err().to_string();
        let starts = |error: String, message: &str| assert!(error.starts_with(message), "{error}");
        starts(error(-1e39, DType::F32), "value = -1e39 overflows f32");
        starts(error(65_520.0, DType::F16), "value = 6.552e4 overflows f16");
    }
}
