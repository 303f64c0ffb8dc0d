//! Identities: zeros, and a pattern of ones.

use crate::dtype::DType;
use crate::error::Error;
use crate::init::checks::float;
use crate::init::kernel_args::{Generator, IdentityPattern, KernelArgs};
use crate::layout::matrix::Matrix;
use crate::layout::product;

/// A matrix of zeros and ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Identity {
    matrix: Matrix,
    pattern: IdentityPattern,
}

impl Identity {
    /// Ones on the diagonal.
    pub(crate) fn eye(rows: u64, columns: u64) -> Self {
        let pattern = IdentityPattern { group: rows, inputs: columns, field: 1, centre: 0 };
        Self { matrix: Matrix { rows, columns }, pattern }
    }

    /// The identity of a convolution of shape `[out, inputs, kernel…]`: in each group of `group` outputs,
    /// output `i` has a one in the middle of the kernel of input `i`. No dimension is 0.
    ///
    /// # Errors
    /// [`Error::ShapeOverflow`].
    pub(crate) fn convolution(shape: &[u64], group: u64) -> Result<Self, Error> {
        let matrix = Matrix::flattened(shape)?;
        // A shape that is flattened has two dimensions or more.
        let (inputs, kernel) = (shape[1], &shape[2..]);
        let centre = kernel.iter().fold(0, |index, &k| index * k + k / 2);
        let field = product(kernel).unwrap_or(0);
        Ok(Self { matrix, pattern: IdentityPattern { group, inputs, field, centre } })
    }

    pub(crate) fn kernel_args(self, dtype: DType) -> Result<KernelArgs, Error> {
        float(dtype)?;
        let (matrix, identity) = (self.matrix.checked()?, self.pattern);
        Ok(KernelArgs { matrix, identity, ..KernelArgs::new(Generator::Identity) })
    }

    /// The mean of all elements, and their standard deviation as a whole population.
    pub(crate) fn moments(self) -> (f64, f64) {
        let Self { matrix, pattern } = self;
        // A matrix of whole groups.
        let ones = (matrix.rows / pattern.group.max(1)) * pattern.group.min(pattern.inputs);
        let p = ones as f64 / (matrix.rows as f64 * matrix.columns as f64);
        (p, (p * (1.0 - p)).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_too_large_are_named() {
        let error = Identity::eye(1, 1 << 31).kernel_args(DType::F32).unwrap_err().to_string();
        assert!(error.starts_with("a matrix of 1 rows and 2147483648 columns"), "{error}");
    }

    #[test]
    fn a_convolution_has_its_ones_in_the_middle() {
        let Ok(Identity { matrix, pattern }) = Identity::convolution(&[4, 2, 3, 5], 2) else {
            panic!("no identity")
        };
        let ones = |row| (0..30_u64).filter(move |&e| pattern.value(matrix.index_of(row * 30 + e)) == 1.0);
        // Row 1, column 2 of a kernel of 3 x 5 is its element 7.
        assert_eq!([0_u64, 1, 2, 3].map(|row| ones(row).collect::<Vec<_>>()), [[7], [22], [7], [22]]);
    }
}
