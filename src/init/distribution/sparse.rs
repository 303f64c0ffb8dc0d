//! Normals, and a number of zeros in each column.

use crate::dtype::DType;
use crate::error::Error;
use crate::init::distribution::normal::Normal;
use crate::init::kernel_args::{Generator, KernelArgs};
use crate::layout::matrix::Matrix;

/// In each column `zeros` zeros at random rows, and normals of mean 0 elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sparse {
    pub(crate) matrix: Matrix,
    /// No more than rows.
    pub(crate) zeros: u64,
    pub(crate) std: f64,
}

impl Sparse {
    pub(crate) fn kernel_args(self, dtype: DType) -> Result<KernelArgs, Error> {
        let (_, std) = Normal::centred(self.std).rounded(dtype)?;
        // A checked matrix has less than 2^31 rows.
        let (matrix, zeros) = (self.matrix.checked()?, self.zeros as u32);
        Ok(KernelArgs { matrix, zeros, std, ..KernelArgs::new(Generator::Sparse) })
    }

    pub(crate) fn moments(self) -> (f64, f64) {
        // A mixture of 0 and a normal, which has the weight p.
        let p = 1.0 - self.zeros as f64 / self.matrix.rows as f64;
        (0.0, self.std * p.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_parameters_are_named() {
        let error = |rows, std| {
            let sparse = Sparse { matrix: Matrix { rows, columns: 1 }, zeros: 0, std };
            sparse.kernel_args(DType::F32).unwrap_err().to_string()
        };
        assert!(error(3, f64::NAN).starts_with("std is NaN"));
        assert!(error(3, -1.0).starts_with("normal expects std >= 0.0, but found std -1"));
        assert!(error(1 << 31, 1.0).starts_with("a matrix of 2147483648 rows and 1 columns"));
    }
}
