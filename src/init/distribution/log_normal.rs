//! The log-normal distribution.

use crate::dtype::DType;
use crate::error::Error;
use crate::init::checks::{fitting, float};
use crate::init::distribution::normal::LARGEST_NORMAL;
use crate::init::kernel_args::{Generator, KernelArgs};

/// `exp(mean + std · z)`, z standard normal: the logarithm of the elements is normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LogNormal {
    /// Mean of the logarithm.
    pub(crate) mean: f64,
    /// Standard deviation of the logarithm.
    pub(crate) std: f64,
}

impl LogNormal {
    pub(crate) fn kernel_args(self, dtype: DType) -> Result<KernelArgs, Error> {
        let Self { mean, std } = self;
        let dtype = float(dtype)?;
        // Both belong to the logarithm, which is an f32 whatever the element type is.
        let args = KernelArgs {
            mean: fitting("mean", mean, DType::F32)?,
            std: fitting("std", std, DType::F32)?,
            ..KernelArgs::new(Generator::LogNormal)
        };
        if std <= 0.0 {
            return Err(Error::LogNormalStd { std });
        }
        let (exponent, max) = (mean + LARGEST_NORMAL * std, max_exponent(dtype));
        if exponent > max {
            return Err(Error::LogNormalOverflow { exponent, max, dtype });
        }
        let value = mean.abs() + LARGEST_NORMAL * std;
        if value > DType::F32.max() {
            let parameter = "the largest logarithm, |mean| + 6.77 std";
            return Err(Error::Overflow { parameter, value, dtype: DType::F32 });
        }
        Ok(args)
    }

    /// Mean and standard deviation of the elements, not of their logarithm.
    pub(crate) fn moments(self) -> (f64, f64) {
        let Self { mean, std } = self;
        let expectation = (mean + std * std / 2.0).exp();
        // exp(std²) - 1 cancels for a small std.
        (expectation, (std * std).exp_m1().sqrt() * expectation)
    }
}

/// The largest exponent whose exponential the element type holds: the contract, section "Log-normal".
const fn max_exponent(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 11.09,
        DType::F32 | DType::BF16 | DType::U32 => 88.7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_parameters_are_named() {
        let error = |mean, std, dtype| LogNormal { mean, std }.kernel_args(dtype).unwrap_err().to_string();
        let starts = |error: String, message: &str| assert!(error.starts_with(message), "{error}");
        assert_eq!(
            error(0.0, 0.0, DType::F32),
            "log_normal_ expects std > 0.0, but found std=0; for one value everywhere use constant"
        );
        starts(error(0.0, -1.0, DType::F32), "log_normal_ expects std > 0.0, but found std=-1");
        starts(error(f64::NAN, 1.0, DType::F32), "mean is NaN");
        starts(error(0.0, f64::INFINITY, DType::F32), "std is inf");
        starts(error(0.0, 1.0, DType::U32), "an initialiser can't write u32");
        assert_eq!(
            error(80.0, 2.0, DType::BF16),
            "log_normal can make exp(mean + 6.77 std) = exp(93.54), which overflows bf16; \
             choose mean and std so that mean + 6.77 std is at most 88.7"
        );
        starts(error(1.0, 2.0, DType::F16), "log_normal can make exp(mean + 6.77 std) = exp(14.54)");
        starts(error(-3e38, 3e38, DType::F32), "log_normal can make exp(mean + 6.77 std)");
        starts(error(-3.4e38, 1e37, DType::F32), "the largest logarithm, |mean| + 6.77 std");
    }

    #[test]
    fn a_negative_mean_does_not_overflow() {
        assert!(LogNormal { mean: -200.0, std: 1.0 }.kernel_args(DType::F16).is_ok());
        assert!(LogNormal { mean: 1.0, std: 1.4 }.kernel_args(DType::F16).is_ok());
    }

    #[test]
    fn moments_are_those_of_the_elements() {
        let (mean, std) = LogNormal { mean: 0.5, std: 0.25 }.moments();
        assert!((mean / (0.5_f64 + 0.03125).exp() - 1.0).abs() < 1e-15);
        assert!((std / mean - (0.0625_f64.exp() - 1.0).sqrt()).abs() < 1e-12);
        // Nearly normal, with a standard deviation of std.
        let (mean, std) = LogNormal { mean: 0.0, std: 1e-9 }.moments();
        assert!((mean - 1.0).abs() < 1e-15 && (std / 1e-9 - 1.0).abs() < 1e-9);
    }
}
