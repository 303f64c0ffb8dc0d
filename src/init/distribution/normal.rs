//! The normal distribution.

use crate::dtype::DType;
use crate::error::Error;
use crate::init::checks::{fitting, float, standard_deviation};
use crate::init::kernel_args::{Generator, KernelArgs};

/// No standard normal of the contract is larger: `sqrt(-2 ln(2^-33))` is 6.7638.
pub(super) const LARGEST_NORMAL: f64 = 6.77;

/// `mean + std · z`, z standard normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Normal {
    pub(crate) mean: f64,
    pub(crate) std: f64,
}

impl Normal {
    /// Mean 0 and this standard deviation.
    pub(crate) fn centred(std: f64) -> Self {
        Self { mean: 0.0, std }
    }

    pub(crate) fn kernel_args(self, dtype: DType) -> Result<KernelArgs, Error> {
        let (mean, std) = self.rounded(dtype)?;
        Ok(KernelArgs { mean, std, ..KernelArgs::new(Generator::Normal) })
    }

    /// Mean and standard deviation in f32. No element overflows the element type.
    pub(super) fn rounded(self, dtype: DType) -> Result<(f32, f32), Error> {
        let Self { mean, std } = self;
        let dtype = float(dtype)?;
        let rounded = (fitting("mean", mean, dtype)?, standard_deviation(std, dtype)?);
        let value = mean.abs() + LARGEST_NORMAL * std;
        if value > dtype.max() {
            return Err(Error::Overflow { parameter: "the largest normal, |mean| + 6.77 std", value, dtype });
        }
        Ok(rounded)
    }

    pub(crate) fn moments(self) -> (f64, f64) {
        (self.mean, self.std)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_parameters_are_named() {
        let error = |mean, std, dtype| Normal { mean, std }.kernel_args(dtype).unwrap_err().to_string();
        assert_eq!(
            error(0.0, -1.0, DType::F32),
            "normal expects std >= 0.0, but found std -1; give a standard deviation (or gain) of 0 or more"
        );
        let starts = |error: String, message: &str| assert!(error.starts_with(message), "{error}");
        starts(error(f64::NAN, 1.0, DType::F32), "mean is NaN");
        starts(error(0.0, f64::INFINITY, DType::F32), "std is inf");
        starts(error(0.0, 1e39, DType::F32), "std = 1e39 overflows f32");
        starts(error(0.0, 1e38, DType::F32), "the largest normal, |mean| + 6.77 std = 6.7");
        starts(
            error(0.0, 1e4, DType::F16),
            "the largest normal, |mean| + 6.77 std = 6.77e4 overflows f16; the largest is 6.5504e4",
        );
        starts(error(7e4, 1.0, DType::F16), "mean = 7e4 overflows f16");
        starts(error(0.0, 1.0, DType::U32), "an initialiser can't write u32");
    }
}
