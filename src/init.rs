//! The initialisers, under PyTorch's names.

mod text;

use crate::distribution::Distribution;
use crate::{DType, Error, Fans};

/// How to initialise a tensor: the functions of `torch.nn.init`, by their names and with their
/// defaults. Parameters are f64 and rounded once, after all arithmetic.
///
/// The textual form round-trips through [`FromStr`](std::str::FromStr) and
/// [`Display`](std::fmt::Display), and takes arguments by name or by position, as Python does:
///
/// ```
/// use seedbed::Init;
///
/// let init: Init = "xavier_normal(gain=1.4142135)".parse()?;
/// assert_eq!(init, Init::XavierNormal { gain: 1.4142135 });
/// assert_eq!(init.to_string(), "xavier_normal(gain=1.4142135)");
/// assert_eq!("normal(std=0.02)".parse::<Init>()?.to_string(), "normal(mean=0,std=0.02)");
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// Every element is the value (`constant_`).
    Constant {
        /// Any f64, infinities and NaN too; a finite value must be finite in the element type.
        value: f64,
    },
    /// Every element is 0 (`zeros_`).
    Zeros,
    /// Every element is 1 (`ones_`).
    Ones,
    /// Normal distribution (`normal_`, whose defaults are 0 and 1).
    Normal {
        /// Finite.
        mean: f64,
        /// Finite, 0 or more.
        std: f64,
    },
    /// Glorot and Bengio's normal initialisation (2010; `xavier_normal_`): mean 0,
    /// `std = gain · sqrt(2 / (fan_in + fan_out))`. Two dimensions or more.
    XavierNormal {
        /// 1 by default; finite, 0 or more.
        gain: f64,
    },
}

impl Init {
    /// `constant_(value)`.
    pub const fn constant(value: f64) -> Self {
        Self::Constant { value }
    }

    /// `normal_(mean, std)`.
    pub const fn normal(mean: f64, std: f64) -> Self {
        Self::Normal { mean, std }
    }

    /// `xavier_normal_()`, of gain 1.
    pub const fn xavier_normal() -> Self {
        Self::XavierNormal { gain: 1.0 }
    }

    /// The expectation of every element of a tensor of this shape.
    ///
    /// # Errors
    /// As a fill of that shape would give.
    pub fn mean(&self, shape: &[u64]) -> Result<f64, Error> {
        self.moments(shape).map(|(mean, _)| mean)
    }

    /// The standard deviation of every element of a tensor of this shape, before rounding to f32.
    ///
    /// # Errors
    /// As a fill of that shape would give: [`Error::TooFewDimensions`] where fans are needed, …
    pub fn std(&self, shape: &[u64]) -> Result<f64, Error> {
        self.moments(shape).map(|(_, std)| std)
    }

    fn moments(&self, shape: &[u64]) -> Result<(f64, f64), Error> {
        Ok(match *self {
            Self::Constant { value } => (value, 0.0),
            Self::Zeros => (0.0, 0.0),
            Self::Ones => (1.0, 0.0),
            Self::Normal { mean, std } => (mean, std),
            Self::XavierNormal { gain } => match Fans::of(shape)? {
                // Such a shape has no elements, and so no spread.
                Fans { fan_in: 0, fan_out: 0 } => (0.0, 0.0 * gain),
                fans => (0.0, fans.xavier_std(gain)),
            },
        })
    }

    /// What the kernels are to do for a tensor of this shape.
    pub(crate) fn distribution(&self, shape: &[u64], dtype: DType) -> Result<Distribution, Error> {
        if let Self::XavierNormal { gain } = *self
            && !gain.is_finite()
        {
            return Err(Error::NotFinite { parameter: "gain", value: gain });
        }
        let (mean, std) = self.moments(shape)?;
        match self {
            Self::Constant { .. } | Self::Zeros | Self::Ones => Distribution::constant(mean, dtype),
            Self::Normal { .. } | Self::XavierNormal { .. } => Distribution::normal(mean, std, dtype),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn std_bits(init: Init, shape: &[u64]) -> u32 {
        match init.distribution(shape, DType::F32).unwrap() {
            Distribution::Normal { std, .. } => std.to_bits(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn xavier_std_is_computed_in_f64_and_rounded_once() {
        // numpy.float32(gain * math.sqrt(2.0 / (fan_in + fan_out)))
        assert_eq!(std_bits(Init::xavier_normal(), &[768, 2304]), 0x3CD1_05EC);
        assert_eq!(std_bits(Init::XavierNormal { gain: 5.0 / 3.0 }, &[64, 3, 7, 7]), 0x3D28_7ED8);
        assert_eq!(std_bits(Init::XavierNormal { gain: 0.0 }, &[3, 3]), 0);
    }

    #[test]
    fn mistakes_are_errors() {
        let error = |init: Init, shape: &[u64]| init.distribution(shape, DType::F32).unwrap_err();
        assert!(matches!(error(Init::xavier_normal(), &[768]), Error::TooFewDimensions { .. }));
        assert!(matches!(error(Init::XavierNormal { gain: -1.0 }, &[2, 2]), Error::NegativeStd { .. }));
        assert!(matches!(
            error(Init::XavierNormal { gain: f64::NAN }, &[2, 2]),
            Error::NotFinite { parameter: "gain", .. }
        ));
        assert!(matches!(error(Init::normal(0.0, -0.5), &[2]), Error::NegativeStd { .. }));
    }

    #[test]
    fn empty_tensors_have_a_distribution() {
        for shape in [&[0, 0][..], &[0, 5], &[4, 4, 0]] {
            assert!(Init::xavier_normal().distribution(shape, DType::F32).is_ok(), "{shape:?}");
        }
    }
}
