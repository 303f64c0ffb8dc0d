//! The arguments of a kernel: plain data, validated and rounded by the distributions that make it.

use strum::{IntoStaticStr, VariantArray};

use crate::layout::matrix::{Matrix, MatrixIndex};
use crate::math::truncated_normal::Truncation;

/// What a kernel computes for each element of a fill, z being standard normal and u uniform on [0, 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Generator {
    /// What `value` rounds to.
    Constant,
    /// A raw word of the stream.
    Words,
    /// `low + range · u`, and never above `max`.
    Uniform,
    /// `mean + std · z`.
    Normal,
    /// `exp(mean + std · z)`.
    LogNormal,
    /// `mean + std · z`, z cut off by `truncation` and measured from the mode, which is `mean`; never outside `min` and
    /// `max`.
    TruncNormal,
    /// A one where `identity` puts one in `matrix`, else 0.
    Identity,
    /// `std · z`, or 0 in `zeros` places of each column of `matrix`.
    Sparse,
    /// An element of an orthogonal matrix, which other kernels compute, times `std`.
    Copy,
}

/// The arguments of a kernel: plain data, validated and rounded by the distribution that makes it. A generator reads the
/// fields that its documentation names; the others are zero.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KernelArgs {
    pub(crate) generator: Generator,
    /// Bits of an f32 that rounds to the constant: the element type holds it exactly.
    pub(crate) value: u32,
    pub(crate) mean: f32,
    pub(crate) std: f32,
    pub(crate) low: f32,
    pub(crate) range: f32,
    pub(crate) min: f32,
    pub(crate) max: f32,
    pub(crate) matrix: Matrix,
    pub(crate) identity: IdentityPattern,
    pub(crate) zeros: u32,
    pub(crate) truncation: Option<Truncation>,
}

impl KernelArgs {
    /// A generator whose arguments are all zero.
    pub(crate) const fn new(generator: Generator) -> Self {
        Self {
            generator,
            value: 0,
            mean: 0.0,
            std: 0.0,
            low: 0.0,
            range: 0.0,
            min: 0.0,
            max: 0.0,
            matrix: Matrix { rows: 0, columns: 0 },
            identity: IdentityPattern { group: 0, inputs: 0, field: 0, centre: 0 },
            zeros: 0,
            truncation: None,
        }
    }

    /// Whether every element is +0.
    pub(crate) fn are_zeros(&self) -> bool {
        self.generator == Generator::Constant && self.value == 0
    }
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
