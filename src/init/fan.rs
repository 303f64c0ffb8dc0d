//! Fans of a shape, as PyTorch, JAX and Keras count them.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::init::axes::Axes;
use crate::layout::product;
use crate::layout::shape::{IntoShape, check_dimensions};

/// The fans of a weight: how many inputs feed one unit, and how many units one input feeds
/// (`torch.nn.init._calculate_fan_in_and_fan_out`).
///
/// A weight of shape `[out, in, k…]` has `fan_in = in · ∏k` and `fan_out = out · ∏k`. JAX's fans may be
/// fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fans {
    /// Inputs of one unit.
    pub fan_in: f64,
    /// Units that one input feeds.
    pub fan_out: f64,
}

impl Fans {
    /// The fans of a weight of this shape.
    ///
    /// # Errors
    /// [`Error::TooFewDimensions`] below two dimensions, [`Error::ShapeOverflow`] past 64 bits.
    pub fn of<'a>(shape: impl IntoShape<'a>) -> Result<Self, Error> {
        let shape = &*shape.into_shape();
        check_dimensions(shape)?;
        let [out, input, kernel @ ..] = shape else {
            return Err(Error::TooFewDimensions { shape: shape.to_vec() });
        };
        let overflow = || Error::ShapeOverflow { shape: shape.to_vec() };
        let field = product(kernel).ok_or_else(overflow)?;
        let fan = |channels: u64| channels.checked_mul(field).map(|fan| fan as f64).ok_or_else(overflow);
        Ok(Self { fan_in: fan(*input)?, fan_out: fan(*out)? })
    }

    /// The fans of a weight whose axes have these meanings (`jax.nn.initializers`). The receptive field is
    /// what the other axes leave: `∏shape / in / out / batch`, a fraction if an axis has two meanings.
    ///
    /// # Errors
    /// [`Error::TooFewAxes`] below two dimensions, [`Error::AxisOutOfRange`].
    pub fn with_axes<'a>(
        shape: impl IntoShape<'a>,
        in_axis: Axes,
        out_axis: Axes,
        batch_axis: Axes,
    ) -> Result<Self, Error> {
        let shape = &*shape.into_shape();
        check_dimensions(shape)?;
        if shape.len() < 2 {
            return Err(Error::TooFewAxes { shape: shape.to_vec() });
        }
        let size = |axes: Axes| -> Result<f64, Error> {
            Ok(axes.resolve(shape)?.into_iter().map(|axis| shape[axis] as f64).product())
        };
        let (inputs, outputs, batch) = (size(in_axis)?, size(out_axis)?, size(batch_axis)?);
        let whole: f64 = shape.iter().map(|&d| d as f64).product();
        let field = whole / inputs / outputs / batch;
        Ok(Self { fan_in: inputs * field, fan_out: outputs * field })
    }

    /// The fans of a weight of shape `[k…, in, out]`, and of vectors and scalars
    /// (`keras.initializers`).
    ///
    /// # Errors
    /// [`Error::Negative`] for a negative dimension.
    pub fn keras<'a>(shape: impl IntoShape<'a>) -> Result<Self, Error> {
        let shape = &*shape.into_shape();
        check_dimensions(shape)?;
        match *shape {
            [] => Ok(Self { fan_in: 1.0, fan_out: 1.0 }),
            [n] => Ok(Self { fan_in: n as f64, fan_out: n as f64 }),
            _ => Self::with_axes(shape, Axes::from(-2), Axes::from(-1), Axes::NONE),
        }
    }

    /// The fan that the mode says: the one, the other, or a mean of both.
    pub fn of_mode(self, mode: FanMode) -> f64 {
        let Self { fan_in, fan_out } = self;
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
        gain * (2.0 / (self.fan_in + self.fan_out)).sqrt()
    }
}

/// The fan that the variance is divided by.
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

    /// The frameworks' name, such as `fan_in`.
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
    type Err = Error;

    /// Reads the name in any case of letters, as PyTorch does.
    fn from_str(text: &str) -> Result<Self, Error> {
        let lower = text.to_ascii_lowercase();
        let mode = Self::ALL.into_iter().find(|mode| mode.name() == lower);
        let supported = "'fan_in', 'fan_out', 'fan_avg', 'fan_geo_avg'";
        mode.ok_or_else(|| Error::Mode { mode: text.to_owned(), supported })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fans_match_pytorch() {
        // torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
        for (shape, fan_in, fan_out) in [
            (&[3, 5][..], 5.0, 3.0),
            (&[64, 3, 7, 7], 147.0, 3136.0),
            (&[8, 4, 3], 12.0, 24.0),
            (&[0, 5], 5.0, 0.0),
            (&[2, 3, 0], 0.0, 0.0),
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
        assert_eq!(fans(&[3, 5], second, last, Axes::NONE), Ok((3.0, 5.0)));
        assert_eq!(fans(&[7, 7, 3, 64], second, last, Axes::NONE), Ok((147.0, 3136.0)));
        assert_eq!(fans(&[8, 2, 3, 5], Axes::from([1, 2]), last, Axes::from(0)), Ok((6.0, 5.0)));
        assert_eq!(fans(&[4, 3, 5], Axes::from(0), Axes::from([1, -1]), Axes::NONE), Ok((4.0, 15.0)));
        // Flax's embeddings use one axis as input and output. Python's floats give the same fraction.
        let fan = 350.0 / 50.0 / 50.0 * 50.0;
        assert_eq!(fans(&[50, 7], second, Axes::from(0), Axes::NONE), Ok((fan, fan)));
        assert!(matches!(fans(&[5], second, last, Axes::NONE), Err(Error::TooFewAxes { .. })));
        assert!(matches!(
            fans(&[5, 5], Axes::from(-3), last, Axes::NONE),
            Err(Error::AxisOutOfRange { axis: -3, rank: 2 })
        ));
        // keras.src.initializers.random_initializers.compute_fans(shape)
        for (shape, fan_in, fan_out) in
            [(&[][..], 1.0, 1.0), (&[9], 9.0, 9.0), (&[3, 5], 3.0, 5.0), (&[3, 3, 16, 32], 144.0, 288.0)]
        {
            assert_eq!(Fans::keras(shape), Ok(Fans { fan_in, fan_out }), "{shape:?}");
        }
        let fans = Fans { fan_in: 4.0, fan_out: 9.0 };
        assert_eq!(FanMode::ALL.map(|mode| fans.of_mode(mode)), [4.0, 9.0, 6.5, 6.0]);
    }

    #[test]
    fn overflow_is_an_error() {
        let huge = [1, i64::MAX as u64, 3];
        assert_eq!(Fans::of(huge), Err(Error::ShapeOverflow { shape: huge.to_vec() }));
    }
}
