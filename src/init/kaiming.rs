//! The scale of He et al.'s initialisers.

use crate::error::Error;
use crate::init::checks::finite;
use crate::init::fan::{FanMode, Fans};
use crate::init::gain::{Nonlinearity, calculate_gain};

/// The arguments of `kaiming_uniform_` and `kaiming_normal_`, with PyTorch's defaults.
///
/// ```
/// use seedbed::{FanMode, Init, Kaiming, Nonlinearity};
///
/// let init = Init::KaimingNormal(Kaiming { nonlinearity: Nonlinearity::Relu, ..Kaiming::default() });
/// assert_eq!(init.to_string(), "kaiming_normal(a=0,mode=fan_in,nonlinearity=relu)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kaiming {
    /// The negative slope of the leaky ReLU after the layer: finite, 0 by default. Other non-linearities
    /// ignore it.
    pub a: f64,
    /// The fan: [`FanMode::FanIn`] (the default) or [`FanMode::FanOut`].
    pub mode: FanMode,
    /// The non-linearity after the layer, [`Nonlinearity::LeakyRelu`] by default.
    pub nonlinearity: Nonlinearity,
}

impl Default for Kaiming {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Kaiming {
    pub(super) const DEFAULT: Self =
        Self { a: 0.0, mode: FanMode::FanIn, nonlinearity: Nonlinearity::LeakyRelu };

    /// The standard deviation for a tensor of this shape.
    pub(super) fn std(&self, shape: &[u64]) -> Result<f64, Error> {
        self.check()?;
        self.std_of(Fans::of(shape)?)
    }

    /// The standard deviation, `gain / sqrt(fan)`; 0 for a fan of 0, whose tensor has no elements.
    pub(super) fn std_of(&self, fans: Fans) -> Result<f64, Error> {
        let a = self.check()?;
        let fan = fans.of_mode(self.mode);
        let gain = calculate_gain(self.nonlinearity, Some(a));
        Ok(if fan == 0.0 { 0.0 } else { gain / fan.sqrt() })
    }

    fn check(&self) -> Result<f64, Error> {
        if !matches!(self.mode, FanMode::FanIn | FanMode::FanOut) {
            return Err(Error::Mode { mode: self.mode.to_string(), supported: "'fan_in', 'fan_out'" });
        }
        finite("a", self.a)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales() {
        let std = |kaiming: Kaiming| kaiming.std(&[8, 5, 3]).unwrap();
        assert_eq!(std(Kaiming::default()), 2_f64.sqrt() / 15_f64.sqrt());
        let out = Kaiming { a: 5_f64.sqrt(), mode: FanMode::FanOut, ..Kaiming::default() };
        assert_eq!(std(out), (2.0 / (1.0 + 5_f64.sqrt() * 5_f64.sqrt())).sqrt() / 24_f64.sqrt());
        let tanh = Kaiming { nonlinearity: Nonlinearity::Tanh, a: 9.0, ..Kaiming::default() };
        assert_eq!(std(tanh), 5.0 / 3.0 / 15_f64.sqrt());
        assert_eq!(Kaiming::default().std(&[0, 0]), Ok(0.0));
    }

    #[test]
    fn mistakes_are_errors() {
        let error = |kaiming: Kaiming| kaiming.std(&[8, 5]).unwrap_err().to_string();
        assert_eq!(
            error(Kaiming { mode: FanMode::FanAvg, ..Kaiming::default() }),
            "Mode fan_avg not supported, please use one of ['fan_in', 'fan_out']"
        );
        assert_eq!(error(Kaiming { a: f64::NAN, ..Kaiming::default() }), "a is NaN; it must be finite");
    }
}
