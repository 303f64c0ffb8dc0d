//! The uniform distribution.

use crate::dtype::DType;
use crate::error::Error;
use crate::init::checks::{fitting, float};
use crate::init::kernel_args::{Generator, KernelArgs};

/// Uniform on `[low, high)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Uniform {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Uniform {
    /// Mean 0 and this standard deviation.
    pub(crate) fn centred(std: f64) -> Self {
        let bound = 3_f64.sqrt() * std;
        Self { low: -bound, high: bound }
    }

    pub(crate) fn kernel_args(self, dtype: DType) -> Result<KernelArgs, Error> {
        let Self { low, high } = self;
        let dtype = float(dtype)?;
        let from = fitting("a", low, dtype)?;
        let to = fitting("b", high, dtype)?;
        if low > high {
            return Err(Error::UniformBounds { low, high });
        }
        let range = to - from;
        if range.is_infinite() {
            return Err(Error::UniformRange { low, high });
        }
        let most = if range == 0.0 { to } else { dtype.below(to.into()) as f32 };
        Ok(KernelArgs { low: from, range, max: most, ..KernelArgs::new(Generator::Uniform) })
    }

    pub(crate) fn moments(self) -> (f64, f64) {
        let Self { low, high } = self;
        (low / 2.0 + high / 2.0, (high - low) / 12_f64.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uniform_stays_below_its_upper_bound() {
        let most = |low, high, dtype| match (Uniform { low, high }).kernel_args(dtype) {
            Ok(KernelArgs { generator: Generator::Uniform, max, .. }) => max,
            other => panic!("{other:?}"),
        };
        assert_eq!(most(0.0, 1.0, DType::F32), 1.0_f32.next_down());
        assert_eq!(most(0.0, 1.0, DType::F16), 1.0 - 1.0 / 2048.0);
        assert_eq!(most(-1.0, 0.3, DType::BF16), 0.298_828_13);
        assert_eq!(most(2.0, 2.0, DType::F32), 2.0);
    }

    #[test]
    fn bounds_that_overflow_are_named() {
        let error = |low, high, dtype| Uniform { low, high }.kernel_args(dtype).unwrap_err().to_string();
        let starts = |error: String, message: &str| assert!(error.starts_with(message), "{error}");
        starts(error(0.0, 7e4, DType::F16), "b = 7e4 overflows f16");
        starts(error(-3e38, 3e38, DType::F32), "uniform_ expects to-from <= std::numeric_limits");
    }
}
