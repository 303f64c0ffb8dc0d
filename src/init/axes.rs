//! Lists of axes: a weight's inputs, outputs, or batch.

use std::fmt;

use crate::error::Error;

/// A few axes of a tensor, as JAX takes them: one, or several. Negative axes count from the end.
///
/// ```
/// use seedbed::Axes;
///
/// assert_eq!(Axes::from(-2).to_string(), "-2");
/// assert_eq!(Axes::from([0, 1]).to_string(), "(0,1)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Axes {
    axes: [i8; Self::MAX],
    len: u8,
}

impl Axes {
    /// The most axes of a list.
    pub const MAX: usize = 8;
    /// No axis at all.
    pub const NONE: Self = Self { axes: [0; Self::MAX], len: 0 };

    /// A single axis.
    pub const fn one(axis: i8) -> Self {
        let mut axes = [0; Self::MAX];
        axes[0] = axis;
        Self { axes, len: 1 }
    }

    /// These axes; `None` for more than [`Self::MAX`] of them, and for an axis beyond ±127.
    pub fn new(axes: &[i64]) -> Option<Self> {
        let mut all = Self { len: axes.len() as u8, ..Self::NONE };
        if axes.len() > Self::MAX {
            return None;
        }
        for (to, &from) in all.axes.iter_mut().zip(axes) {
            *to = i8::try_from(from).ok()?;
        }
        Some(all)
    }

    /// The axes, as they were given.
    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        self.axes[..usize::from(self.len)].iter().map(|&axis| axis.into())
    }

    /// The axes of a tensor of this shape, counted from 0.
    pub(crate) fn resolve(&self, shape: &[u64]) -> Result<Vec<usize>, Error> {
        let rank = shape.len();
        self.iter()
            .map(|axis| {
                let index = if axis < 0 { axis + rank as i64 } else { axis };
                usize::try_from(index)
                    .ok()
                    .filter(|&index| index < rank)
                    .ok_or(Error::AxisOutOfRange { axis, rank })
            })
            .collect()
    }
}

impl From<i8> for Axes {
    fn from(axis: i8) -> Self {
        Self::one(axis)
    }
}

impl<const N: usize> From<[i8; N]> for Axes {
    /// Takes up to [`Self::MAX`] axes; more do not compile.
    fn from(axes: [i8; N]) -> Self {
        const { assert!(N <= Self::MAX) }
        let mut all = Self { len: N as u8, ..Self::NONE };
        all.axes[..N].copy_from_slice(&axes);
        all
    }
}

impl fmt::Display for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.axes[..usize::from(self.len)] {
            [axis] => write!(f, "{axis}"),
            axes => write!(f, "({})", axes.iter().map(i8::to_string).collect::<Vec<_>>().join(",")),
        }
    }
}

impl fmt::Debug for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Axes{self}")
    }
}
