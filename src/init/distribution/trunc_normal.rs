//! The normal distribution, cut off at two bounds.

use crate::dtype::DType;
use crate::error::Error;
use crate::init::checks::{fitting, float, standard_deviation};
use crate::init::distribution::constant::Constant;
use crate::init::distribution::normal::LARGEST_NORMAL;
use crate::init::kernel_args::{Generator, KernelArgs};
use crate::math::truncated_normal::{self, Truncation};

/// The truncated normal distribution: `mean + std · z`, z standard normal, on the condition that it lies in
/// `[a, b]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TruncNormal {
    pub(crate) mean: f64,
    pub(crate) std: f64,
    pub(crate) a: f64,
    pub(crate) b: f64,
}

/// The largest distance from the mean to the nearest bound, in standard deviations, at which a truncated
/// normal is not yet a constant. A distribution at the distance `n` is about `40 / n` standard deviations
/// wide.
const FARTHEST_MODE: f64 = 1e30;

impl TruncNormal {
    pub(crate) fn kernel_args(self, dtype: DType) -> Result<KernelArgs, Error> {
        let Self { mean, std, a, b } = self;
        let dtype = float(dtype)?;
        fitting("mean", mean, DType::F32)?;
        let std_rounded = standard_deviation(std, DType::F32)?;
        // A comparison with NaN gives None.
        if a.partial_cmp(&b) != Some(std::cmp::Ordering::Less) {
            return Err(Error::TruncBounds { a, b });
        }
        let (least, most) = (dtype.at_least(a), dtype.at_most(b));
        if least > most {
            return Err(Error::NoValue { a, b, dtype });
        }
        let Some(truncation) = self.truncation() else {
            return Constant { value: mean.clamp(least, most) }.kernel_args(dtype);
        };
        // The most likely value. Kernels compute every element as a distance from it.
        let mode = mean.clamp(a, b);
        let value = (mode - a).max(b - mode).min(LARGEST_NORMAL * std);
        if value > DType::F32.max() {
            return Err(Error::Overflow {
                parameter: "the largest deviation, 6.77 std",
                value,
                dtype: DType::F32,
            });
        }
        let (mode, least, most) = (mode as f32, least as f32, most as f32);
        Ok(KernelArgs {
            mean: mode,
            std: std_rounded,
            min: least,
            max: most,
            truncation: Some(truncation),
            ..KernelArgs::new(Generator::TruncNormal)
        })
    }

    pub(crate) fn moments(self) -> (f64, f64) {
        let Self { mean, std, a, b } = self;
        match self.truncation() {
            None => (mean.clamp(a, b), 0.0),
            Some(truncation) => {
                let (m, s) = truncated_normal::moments(truncation);
                (mean.clamp(a, b) + std * m, std * s)
            }
        }
    }

    /// The bounds in standard deviations; `None` if all values are the same.
    fn truncation(self) -> Option<Truncation> {
        let Self { mean, std, a, b } = self;
        if std == 0.0 {
            return None;
        }
        let truncation = Truncation::new(mean, std, a, b);
        let is_constant = truncation.mode().abs() > FARTHEST_MODE || truncation.is_empty();
        (!is_constant).then_some(truncation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunc_normal(mean: f64, std: f64, a: f64, b: f64, dtype: DType) -> Result<KernelArgs, Error> {
        TruncNormal { mean, std, a, b }.kernel_args(dtype)
    }

    fn error(args: Result<KernelArgs, Error>) -> String {
        args.unwrap_err().to_string()
    }

    #[test]
    fn bounds_of_a_truncated_normal_are_values_of_the_type() {
        let bounds = |a, b, dtype| match trunc_normal(0.0, 1.0, a, b, dtype) {
            Ok(KernelArgs { generator: Generator::TruncNormal, min, max, .. }) => [min, max],
            other => panic!("{other:?}"),
        };
        assert_eq!(bounds(-2.0, 2.0, DType::BF16), [-2.0, 2.0]);
        assert_eq!(bounds(-0.3, 0.3, DType::BF16), [-0.298_828_13, 0.298_828_13]);
        assert_eq!(bounds(f64::NEG_INFINITY, 0.1, DType::F16), [-65_504.0, 0.099_975_586]);
        let constant = |mean, std, a, b| match trunc_normal(mean, std, a, b, DType::F32) {
            Ok(KernelArgs { generator: Generator::Constant, value, .. }) => f32::from_bits(value),
            other => panic!("{other:?}"),
        };
        assert_eq!(constant(0.5, 0.0, 0.0, 1.0), 0.5);
        assert_eq!(constant(-7.0, 0.0, 0.0, 1.0), 0.0);
        assert_eq!(constant(0.0, 1e-40, 1.0, 2.0), 1.0);
        assert_eq!(constant(0.0, 1e-40, -2.0, -1.0), -1.0);
        assert!(
            error(trunc_normal(0.0, 1e38, f64::NEG_INFINITY, f64::INFINITY, DType::F32))
                .starts_with("the largest deviation, 6.77 std")
        );
        assert!(trunc_normal(0.0, 1e38, -1.0, 1.0, DType::F32).is_ok());
        assert!(
            error(trunc_normal(0.0, 1.0, 1.001, 1.002, DType::BF16))
                .starts_with("no value of bf16 lies between a=1.001e0 and b=1.002e0")
        );
        for (a, b) in [(2.0, 2.0), (3.0, 2.0), (f64::NAN, 2.0), (0.0, f64::NAN)] {
            let error = error(trunc_normal(0.0, 1.0, a, b, DType::F32));
            assert!(error.starts_with("trunc_normal expects a < b"), "{error}");
        }
    }

    #[test]
    fn moments_of_what_is_constant() {
        let moments = |mean, std, a, b| TruncNormal { mean, std, a, b }.moments();
        assert_eq!(moments(-7.0, 0.0, 0.1, 1.0), (0.1, 0.0));
        assert_eq!(moments(0.0, 1e-40, 1.0, 2.0), (1.0, 0.0));
        assert_eq!(moments(0.0, 0.02, -2.0, 2.0).0, 0.0);
    }
}
