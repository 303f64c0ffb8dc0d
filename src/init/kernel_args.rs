//! The arguments of a kernel: plain data, validated and rounded by the distributions that make it.

use crate::layout::matrix::{Matrix, MatrixIndex};
use crate::math::truncated_normal::Truncation;

/// What a kernel computes for each element of a fill.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum KernelArgs {
    /// Every element is what this f32 narrows to: a value that the element type holds exactly.
    Constant { bits: u32 },
    /// Every element is a raw word of the stream.
    Words,
    /// An element is `low + range · u`, u uniform on [0, 1), and never above `most`.
    Uniform { low: f32, range: f32, most: f32 },
    /// An element is `mean + std · z`, z standard normal.
    Normal { mean: f32, std: f32 },
    /// An element is `exp(mean + std · z)`, z standard normal.
    LogNormal { mean: f32, std: f32 },
    /// An element is `mode + std · (z - mode of z)`, z standard normal and cut off; never outside `least` and
    /// `most`.
    TruncNormal { truncation: Truncation, mode: f32, std: f32, least: f32, most: f32 },
    /// Elements are 0 but for a pattern of ones.
    Identity { matrix: Matrix, identity: IdentityPattern },
    /// Elements are normals of mean 0; each column has `zeros` zeros.
    Sparse { matrix: Matrix, zeros: u32, std: f32 },
    /// A matrix with orthonormal rows or columns, times the gain.
    Orthogonal { matrix: Matrix, gain: f32 },
}

/// Where the ones of an identity stand: row `r` has a one in column `field · (r mod group) + centre` if
/// `r mod group` is below `inputs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdentityPattern {
    /// Rows of a group.
    pub(crate) group: u64,
    /// Inputs of a row.
    pub(crate) inputs: u64,
    /// Columns of an input.
    pub(crate) field: u64,
    /// The middle one of an input's columns.
    pub(crate) centre: u64,
}

impl IdentityPattern {
    /// The element at this place of a matrix that is checked: rows and columns fit 31 bits.
    #[inline(always)]
    pub(crate) fn value(self, index: MatrixIndex) -> f32 {
        let member = u64::from(index.row) % self.group;
        let is_one = member < self.inputs && u64::from(index.column) == self.field * member + self.centre;
        if is_one { 1.0 } else { 0.0 }
    }
}
