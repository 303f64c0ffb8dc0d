//! Fans of a shape, as PyTorch, JAX and Keras count them.

use std::fmt;
use std::str::FromStr;

use crate::{Axes, Error};

/// How many inputs feed one unit and how many outputs one unit feeds
/// (`torch.nn.init._calculate_fan_in_and_fan_out`).
///
/// For a weight of shape `[out, in, k…]`: `fan_in = in · ∏k`, `fan_out = out · ∏k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fans {
    /// Inputs of one unit.
    pub fan_in: u64,
    /// Units that one input feeds.
    pub fan_out: u64,
}

impl Fans {
    /// The fans of a weight of this shape.
    ///
    /// # Errors
    /// [`Error::TooFewDimensions`] below two dimensions, [`Error::ShapeOverflow`] past 64 bits.
    pub fn of(shape: &[u64]) -> Result<Self, Error> {
        let [out, input, kernel @ ..] = shape else {
            return Err(Error::TooFewDimensions { shape: shape.to_vec() });
        };
        let overflow = || Error::ShapeOverflow { shape: shape.to_vec() };
        let field = product(kernel).ok_or_else(overflow)?;
        Ok(Self {
            fan_in: input.checked_mul(field).ok_or_else(overflow)?,
            fan_out: out.checked_mul(field).ok_or_else(overflow)?,
        })
    }

    /// The fans of a weight whose axes have these meanings (`jax.nn.initializers`): all others are the
    /// receptive field.
    ///
    /// # Errors
    /// [`Error::TooFewAxes`] below two dimensions, [`Error::AxisOutOfRange`],
    /// [`Error::ShapeOverflow`] past 64 bits.
    pub fn with_axes(shape: &[u64], in_axis: Axes, out_axis: Axes, batch_axis: Axes) -> Result<Self, Error> {
        if shape.len() < 2 {
            return Err(Error::TooFewAxes { shape: shape.to_vec() });
        }
        let overflow = || Error::ShapeOverflow { shape: shape.to_vec() };
        let (inputs, outputs) = (in_axis.resolve(shape)?, out_axis.resolve(shape)?);
        let batch = batch_axis.resolve(shape)?;
        let size = |axes: &[usize]| product(&axes.iter().map(|&a| shape[a]).collect::<Vec<_>>());
        let field: Vec<_> =
            (0..shape.len()).filter(|a| ![&inputs, &outputs, &batch].iter().any(|x| x.contains(a))).collect();
        let field = size(&field).ok_or_else(overflow)?;
        let fan = |axes| size(axes).and_then(|n| n.checked_mul(field)).ok_or_else(overflow);
        Ok(Self { fan_in: fan(&inputs)?, fan_out: fan(&outputs)? })
    }

    /// The fans of a weight of shape `[k…, in, out]`, and of vectors and scalars
    /// (`keras.initializers`).
    ///
    /// # Errors
    /// [`Error::ShapeOverflow`] past 64 bits.
    pub fn keras(shape: &[u64]) -> Result<Self, Error> {
        match *shape {
            [] => Ok(Self { fan_in: 1, fan_out: 1 }),
            [n] => Ok(Self { fan_in: n, fan_out: n }),
            _ => Self::with_axes(shape, Axes::from(-2), Axes::from(-1), Axes::NONE),
        }
    }

    /// The one, the other, or a mean of both.
    pub fn of_mode(self, mode: FanMode) -> f64 {
        let (fan_in, fan_out) = (self.fan_in as f64, self.fan_out as f64);
        match mode {
            FanMode::FanIn => fan_in,
            FanMode::FanOut => fan_out,
            FanMode::FanAvg => (fan_in + fan_out) / 2.0,
            FanMode::FanGeoAvg => (fan_in * fan_out).sqrt(),
        }
    }

    /// Glorot and Bengio's standard deviation, `gain · sqrt(2 / (fan_in + fan_out))` (2010,
    /// equation 16 with the gain of `torch.nn.init.xavier_normal_`).
    pub fn xavier_std(self, gain: f64) -> f64 {
        gain * (2.0 / (self.fan_in as f64 + self.fan_out as f64)).sqrt()
    }
}

/// Which fan the variance is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FanMode {
    /// `fan_in`: keeps the variance of the forward pass.
    #[default]
    FanIn,
    /// `fan_out`: keeps the variance of the backward pass.
    FanOut,
    /// `fan_avg`: the arithmetic mean of both (JAX, Keras).
    FanAvg,
    /// `fan_geo_avg`: the geometric mean of both (JAX).
    FanGeoAvg,
}

impl FanMode {
    pub(crate) const ALL: [Self; 4] = [Self::FanIn, Self::FanOut, Self::FanAvg, Self::FanGeoAvg];

    /// As the frameworks write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FanIn => "fan_in",
            Self::FanOut => "fan_out",
            Self::FanAvg => "fan_avg",
            Self::FanGeoAvg => "fan_geo_avg",
        }
    }
}

impl fmt::Display for FanMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FanMode {
    type Err = String;

    /// In any case of letters, as in PyTorch.
    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_lowercase();
        Self::ALL.into_iter().find(|mode| mode.name() == lower).ok_or_else(|| {
            format!("Mode {text} not supported, please use one of {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}

/// Product of the dimensions: 1 for none, `None` past 64 bits. A zero anywhere makes it 0.
pub(crate) fn product(dimensions: &[u64]) -> Option<u64> {
    if dimensions.contains(&0) {
        return Some(0);
    }
    dimensions.iter().try_fold(1_u64, |n, &d| n.checked_mul(d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fans_match_pytorch() {
        // torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
        for (shape, fan_in, fan_out) in [
            (&[3, 5][..], 5, 3),
            (&[64, 3, 7, 7], 147, 3136),
            (&[8, 4, 3], 12, 24),
            (&[0, 5], 5, 0),
            (&[2, 3, 0], 0, 0),
        ] {
            assert_eq!(Fans::of(shape).unwrap(), Fans { fan_in, fan_out }, "{shape:?}");
        }
    }

    #[test]
    fn fewer_than_two_dimensions_is_pytorchs_error() {
        for shape in [&[][..], &[768]] {
            let message = Fans::of(shape).unwrap_err().to_string();
            assert!(
                message.starts_with(
                    "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
                ),
                "{message}"
            );
        }
    }

    #[test]
    fn fans_match_jax_and_keras() {
        // jax._src.nn.initializers._compute_fans(shape, in_axis, out_axis, batch_axis)
        let fans = |shape: &[u64], i, o, b| Fans::with_axes(shape, i, o, b).map(|f| (f.fan_in, f.fan_out));
        let (second, last) = (Axes::from(-2), Axes::from(-1));
        assert_eq!(fans(&[3, 5], second, last, Axes::NONE), Ok((3, 5)));
        assert_eq!(fans(&[7, 7, 3, 64], second, last, Axes::NONE), Ok((147, 3136)));
        assert_eq!(fans(&[8, 2, 3, 5], Axes::from([1, 2]), last, Axes::from(0)), Ok((6, 5)));
        assert_eq!(fans(&[4, 3, 5], Axes::from(0), Axes::from([1, -1]), Axes::NONE), Ok((4, 15)));
        assert!(matches!(fans(&[5], second, last, Axes::NONE), Err(Error::TooFewAxes { .. })));
        assert!(matches!(
            fans(&[5, 5], Axes::from(-3), last, Axes::NONE),
            Err(Error::AxisOutOfRange { axis: -3, rank: 2 })
        ));
        // keras.src.initializers.random_initializers.compute_fans(shape)
        for (shape, fan_in, fan_out) in
            [(&[][..], 1, 1), (&[9], 9, 9), (&[3, 5], 3, 5), (&[3, 3, 16, 32], 144, 288)]
        {
            assert_eq!(Fans::keras(shape), Ok(Fans { fan_in, fan_out }), "{shape:?}");
        }
        let fans = Fans { fan_in: 4, fan_out: 9 };
        assert_eq!(FanMode::ALL.map(|mode| fans.of_mode(mode)), [4.0, 9.0, 6.5, 6.0]);
    }

    #[test]
    fn overflow_is_an_error() {
        let huge = [1, u64::MAX, 2];
        assert_eq!(Fans::of(&huge), Err(Error::ShapeOverflow { shape: huge.to_vec() }));
        assert_eq!(product(&[u64::MAX, 0, u64::MAX]), Some(0));
        assert_eq!(product(&[]), Some(1));
    }
}
