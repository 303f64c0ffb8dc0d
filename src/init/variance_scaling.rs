//! The variance-scaling family of JAX and Keras.

use std::fmt;

use crate::error::Error;
use crate::init::axes::Axes;
use crate::init::checks::finite;
use crate::init::fan::{FanMode, Fans};

/// The standard deviation of the standard normal distribution cut off at ±2.
#[expect(clippy::excessive_precision, reason = "as both frameworks write it")]
pub(super) const TRUNCATED_STD: f64 = 0.879_625_661_034_239_78;

/// `jax.nn.initializers.variance_scaling`, `keras.initializers.VarianceScaling`: mean 0 and variance
/// `scale / fan`.
///
/// ```
/// use seedbed::{Axes, Init, VarianceScaling};
///
/// assert_eq!(Init::jax_glorot_normal(), Init::from(VarianceScaling::jax_glorot_normal()));
/// // An attention kernel of shape [embedding, heads, head].
/// let scaling = VarianceScaling { in_axis: Axes::from(0), out_axis: Axes::from([1, 2]), ..VarianceScaling::jax_glorot_normal() };
/// let init = Init::VarianceScaling(scaling);
/// assert_eq!(init.to_string(), "jax::glorot_normal(in_axis=0,out_axis=(1,2))");
/// assert_eq!(init.to_string().parse(), Ok(init));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VarianceScaling {
    /// The variance times the fan, 1 by default. Finite, 0 or more; above 0 for Keras.
    pub scale: f64,
    /// The fan. Keras has no [`FanMode::FanGeoAvg`].
    pub mode: FanMode,
    /// The shape of the distribution.
    pub distribution: ScaledDistribution,
    /// The framework whose rules count.
    pub framework: Framework,
    /// The axes of the inputs, -2 by default. The axes without a meaning make the receptive field.
    pub in_axis: Axes,
    /// The axes of the outputs, -1 by default.
    pub out_axis: Axes,
    /// The axes that are neither inputs nor outputs, such as one for each expert. None by default.
    pub batch_axis: Axes,
}

/// A distribution of [`VarianceScaling`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScaledDistribution {
    /// Normal. Keras calls it `untruncated_normal`.
    Normal,
    /// Normal, cut off at two of its standard deviations, and wider by 1/0.8796… so that its variance equals
    /// that of the other two.
    TruncatedNormal,
    /// Uniform on ±√(3·variance).
    Uniform,
}

/// The framework whose rules count where the frameworks differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framework {
    /// JAX: two dimensions or more, any axes, `fan_geo_avg`.
    Jax,
    /// Keras: vectors and scalars too, the last two axes, `scale / max(1, fan)`.
    Keras,
}

impl Framework {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let framework = [Self::Jax, Self::Keras].into_iter().find(|f| f.name() == text);
        framework.ok_or_else(|| format!("the framework {text:?} is unknown; there are torch, jax and keras"))
    }

    /// The name that stands before `::` in the textual form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jax => "jax",
            Self::Keras => "keras",
        }
    }
}

macro_rules! named {
    ($($jax:ident $keras:ident: $scale:literal $mode:ident $distribution:ident;)*) => {$(
        #[doc = concat!("`", stringify!($jax), "`, as its framework defines it.")]
        pub const fn $jax() -> Self {
            Self::new(Framework::Jax, $scale, FanMode::$mode, ScaledDistribution::$distribution)
        }

        #[doc = concat!("`", stringify!($keras), "`, as its framework defines it.")]
        pub const fn $keras() -> Self {
            Self::new(Framework::Keras, $scale, FanMode::$mode, ScaledDistribution::$distribution)
        }
    )*};
}

impl VarianceScaling {
    /// `variance_scaling(scale, mode, distribution)` of the framework, on its default axes.
    pub const fn new(
        framework: Framework,
        scale: f64,
        mode: FanMode,
        distribution: ScaledDistribution,
    ) -> Self {
        Self {
            scale,
            mode,
            distribution,
            framework,
            in_axis: IN_AXIS,
            out_axis: OUT_AXIS,
            batch_axis: Axes::NONE,
        }
    }

    named! {
        jax_glorot_normal keras_glorot_normal: 1.0 FanAvg TruncatedNormal;
        jax_glorot_uniform keras_glorot_uniform: 1.0 FanAvg Uniform;
        jax_lecun_normal keras_lecun_normal: 1.0 FanIn TruncatedNormal;
        jax_lecun_uniform keras_lecun_uniform: 1.0 FanIn Uniform;
        jax_he_normal keras_he_normal: 2.0 FanIn TruncatedNormal;
        jax_he_uniform keras_he_uniform: 2.0 FanIn Uniform;
    }

    /// The standard deviation for a tensor of this shape.
    pub(super) fn std(&self, shape: &[u64]) -> Result<f64, Error> {
        self.check()?;
        self.std_of(match self.framework {
            Framework::Jax => Fans::with_axes(shape, self.in_axis, self.out_axis, self.batch_axis)?,
            Framework::Keras => Fans::keras(shape)?,
        })
    }

    /// The standard deviation, the square root of `scale / fan`.
    pub(super) fn std_of(&self, fans: Fans) -> Result<f64, Error> {
        self.check()?;
        // Only a shape without elements has a fan of 0.
        let least = match self.framework {
            Framework::Jax => f64::MIN_POSITIVE,
            Framework::Keras => 1.0,
        };
        Ok((self.scale / fans.of_mode(self.mode).max(least)).sqrt())
    }

    fn check(&self) -> Result<(), Error> {
        let scale = finite("scale", self.scale)?;
        match self.framework {
            Framework::Jax if scale < 0.0 => Err(Error::Scale { scale, needed: "0 or more" }),
            Framework::Jax => Ok(()),
            Framework::Keras if scale <= 0.0 => Err(Error::Scale { scale, needed: "a positive float" }),
            Framework::Keras if self.mode == FanMode::FanGeoAvg => {
                Err(Error::Mode { mode: self.mode.to_string(), supported: "'fan_in', 'fan_out', 'fan_avg'" })
            }
            Framework::Keras if self.axes() != (IN_AXIS, OUT_AXIS, Axes::NONE) => Err(Error::KerasAxes),
            Framework::Keras => Ok(()),
        }
    }

    pub(super) fn axes(&self) -> (Axes, Axes, Axes) {
        (self.in_axis, self.out_axis, self.batch_axis)
    }
}

pub(super) const IN_AXIS: Axes = Axes::one(-2);
pub(super) const OUT_AXIS: Axes = Axes::one(-1);

impl ScaledDistribution {
    /// The framework's name, such as `truncated_normal`.
    pub const fn name(self, framework: Framework) -> &'static str {
        match (self, framework) {
            (Self::Normal, Framework::Jax) => "normal",
            (Self::Normal, Framework::Keras) => "untruncated_normal",
            (Self::TruncatedNormal, _) => "truncated_normal",
            (Self::Uniform, _) => "uniform",
        }
    }

    /// Reads the framework's name. Keras reads `normal` as `truncated_normal`, and any case of letters.
    pub(super) fn parse(text: &str, framework: Framework) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let text = if framework == Framework::Keras { lower.as_str() } else { text };
        if framework == Framework::Keras && text == "normal" {
            return Ok(Self::TruncatedNormal);
        }
        let all = [Self::TruncatedNormal, Self::Normal, Self::Uniform];
        all.into_iter().find(|d| d.name(framework) == text).ok_or_else(|| {
            let names = all.map(|d| d.name(framework)).join(", ");
            format!("invalid distribution for variance scaling initializer: {text}; there are {names}")
        })
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales() {
        let std = |scaling: VarianceScaling, shape: &[u64]| scaling.std(shape).unwrap();
        let variance = |scaling, shape: &[u64]| {
            let std = std(scaling, shape);
            std * std
        };
        let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-14, "{a} {b}");
        near(variance(VarianceScaling::jax_glorot_normal(), &[30, 70]), 1.0 / 50.0);
        near(variance(VarianceScaling::jax_lecun_uniform(), &[3, 3, 30, 70]), 1.0 / 270.0);
        near(variance(VarianceScaling::keras_he_normal(), &[30, 70]), 2.0 / 30.0);
        // Keras counts the fans of a bias, and divides by one if there is less than one input.
        near(variance(VarianceScaling::keras_he_normal(), &[70]), 2.0 / 70.0);
        near(variance(VarianceScaling::keras_glorot_uniform(), &[0, 1]), 1.0);
        let geo = VarianceScaling { mode: FanMode::FanGeoAvg, ..VarianceScaling::jax_he_normal() };
        near(variance(geo, &[4, 9]), 2.0 / 6.0);
    }

    #[test]
    fn mistakes_are_errors() {
        let error = |scaling: VarianceScaling, shape: &[u64]| scaling.std(shape).unwrap_err().to_string();
        let jax = VarianceScaling::jax_glorot_normal();
        let keras = VarianceScaling::keras_glorot_normal();
        for (scaling, shape, message) in [
            (
                jax,
                &[3][..],
                "Can't compute input and output sizes of a 1-dimensional weights tensor. Must be at least 2D.",
            ),
            (
                VarianceScaling { in_axis: Axes::from(2), ..jax },
                &[3, 3],
                "axis 2 is out of range for a tensor of 2 dimensions",
            ),
            (
                VarianceScaling { scale: -1.0, ..jax },
                &[3, 3],
                "Argument `scale` must be 0 or more. Received: scale=-1",
            ),
            (
                VarianceScaling { scale: 0.0, ..keras },
                &[3, 3],
                "Argument `scale` must be a positive float. Received: scale=0",
            ),
            (
                VarianceScaling { mode: FanMode::FanGeoAvg, ..keras },
                &[3, 3],
                "Mode fan_geo_avg not supported",
            ),
            (VarianceScaling { in_axis: Axes::from(0), ..keras }, &[3, 3], "Keras"),
            (VarianceScaling { scale: f64::NAN, ..jax }, &[3, 3], "scale is NaN"),
        ] {
            let error = error(scaling, shape);
            assert!(error.starts_with(message), "{error}");
        }
    }
}
