//! Matrices with orthonormal rows or columns.

use crate::dtype::DType;
use crate::error::Error;
use crate::init::checks::{fitting, float};
use crate::init::kernel_args::{Generator, KernelArgs};
use crate::layout::matrix::Matrix;

/// A matrix with orthonormal rows or columns, times the gain: uniform over all such matrices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Orthogonal {
    pub(crate) matrix: Matrix,
    pub(crate) gain: f64,
}

impl Orthogonal {
    pub(crate) fn kernel_args(self, dtype: DType) -> Result<KernelArgs, Error> {
        let matrix = self.matrix.checked()?;
        let std = fitting("gain", self.gain, float(dtype)?)?;
        Ok(KernelArgs { matrix, std, ..KernelArgs::new(Generator::Copy) })
    }

    pub(crate) fn moments(self) -> (f64, f64) {
        // The rows or the columns, whichever are longer, have length 1 before the gain.
        (0.0, self.gain.abs() / (self.matrix.rows.max(self.matrix.columns) as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_that_overflow_are_named() {
        let orthogonal = Orthogonal { matrix: Matrix { rows: 3, columns: 3 }, gain: 7e4 };
        let error = orthogonal.kernel_args(DType::F16).unwrap_err().to_string();
        assert!(error.starts_with("gain = 7e4 overflows f16"), "{error}");
    }
}
