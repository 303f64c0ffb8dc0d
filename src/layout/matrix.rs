//! Tensors as matrices: which row and column an element has.

use crate::error::Error;
use crate::layout::product;
use crate::layout::region::Region;

/// A row-major matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Matrix {
    pub(crate) rows: u64,
    pub(crate) columns: u64,
}

/// Row and column, both from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MatrixIndex {
    pub(crate) row: u32,
    pub(crate) column: u32,
}

impl Matrix {
    /// All dimensions but the first make the columns, as in `torch.nn.init.orthogonal_`.
    ///
    /// # Errors
    /// [`Error::Dimensions`] below two dimensions.
    pub(crate) fn flattened(shape: &[u64]) -> Result<Self, Error> {
        let [rows, ref rest @ ..] = *shape else {
            return Err(Error::Dimensions { supported: "2 or more dimensions", shape: Vec::new() });
        };
        if rest.is_empty() {
            return Err(Error::Dimensions { supported: "2 or more dimensions", shape: shape.to_vec() });
        }
        let columns = product(rest).ok_or_else(|| Error::ShapeOverflow { shape: shape.to_vec() })?;
        Ok(Self { rows, columns })
    }

    /// Kernels count rows and columns in 32 bits, and step by up to a window within a row.
    ///
    /// # Errors
    /// [`Error::MatrixTooLarge`] from 2^31 rows or columns on; [`Error::ShapeOverflow`].
    pub(crate) fn checked(self) -> Result<Self, Error> {
        let Self { rows, columns } = self;
        Region::from([rows, columns]).element_count()?;
        if rows.max(columns) >= 1 << 31 {
            return Err(Error::MatrixTooLarge { rows, columns });
        }
        Ok(self)
    }

    /// Where an element stands, of a matrix that is [`checked`](Self::checked).
    pub(crate) fn index_of(self, element: u64) -> MatrixIndex {
        let columns = self.columns.max(1);
        MatrixIndex { row: (element / columns) as u32, column: (element % columns) as u32 }
    }
}

impl MatrixIndex {
    /// Of the element after this one.
    pub(crate) fn next(self, columns: u32) -> Self {
        if self.column + 1 == columns {
            Self { row: self.row + 1, column: 0 }
        } else {
            Self { column: self.column + 1, ..self }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other() {
        for columns in [1, 2, 3, 7] {
            let matrix = Matrix { rows: 5, columns };
            let mut index = matrix.index_of(0);
            for element in 0..20 {
                assert_eq!(matrix.index_of(element), index);
                index = index.next(columns as u32);
            }
        }
        assert_eq!(Matrix { rows: 3, columns: 5 }.index_of(13), MatrixIndex { row: 2, column: 3 });
    }

    #[test]
    fn flattens_as_pytorch_does() {
        assert_eq!(Matrix::flattened(&[4, 3, 5]), Ok(Matrix { rows: 4, columns: 15 }));
        assert!(Matrix::flattened(&[4]).is_err());
        assert!(Matrix::flattened(&[]).is_err());
        assert!(Matrix { rows: 1 << 31, columns: 1 }.checked().is_err());
    }
}
