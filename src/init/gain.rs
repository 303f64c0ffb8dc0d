//! Gains of non-linearities, as PyTorch recommends them.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// A non-linear function, by its name in `torch.nn.functional`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names say it, and `calculate_gain` lists the gains")]
pub enum Nonlinearity {
    Linear,
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Sigmoid,
    Tanh,
    Relu,
    LeakyRelu,
    Selu,
}

impl Nonlinearity {
    /// All non-linearities, in PyTorch's order.
    pub const ALL: [Self; 12] = [
        Self::Linear,
        Self::Conv1d,
        Self::Conv2d,
        Self::Conv3d,
        Self::ConvTranspose1d,
        Self::ConvTranspose2d,
        Self::ConvTranspose3d,
        Self::Sigmoid,
        Self::Tanh,
        Self::Relu,
        Self::LeakyRelu,
        Self::Selu,
    ];

    /// PyTorch's name, such as `leaky_relu`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Conv1d => "conv1d",
            Self::Conv2d => "conv2d",
            Self::Conv3d => "conv3d",
            Self::ConvTranspose1d => "conv_transpose1d",
            Self::ConvTranspose2d => "conv_transpose2d",
            Self::ConvTranspose3d => "conv_transpose3d",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::LeakyRelu => "leaky_relu",
            Self::Selu => "selu",
        }
    }
}

impl fmt::Display for Nonlinearity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Nonlinearity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let nonlinearity = Self::ALL.into_iter().find(|n| n.name() == text);
        nonlinearity.ok_or_else(|| Error::Nonlinearity {
            name: text.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}

/// The factor of a layer's weights with which the non-linearity after the layer keeps the variance
/// (`torch.nn.init.calculate_gain`).
///
/// | non-linearity | gain |
/// |---|---|
/// | linear, conv1d-3d, conv_transpose1d-3d, sigmoid | 1 |
/// | tanh | 5/3 |
/// | relu | √2 |
/// | leaky_relu | √(2 / (1 + s²)), where s, the negative slope, is `param` or 0.01 |
/// | selu | 3/4 |
///
/// `param` has no meaning for the other non-linearities. An infinite slope gives the gain 0; a NaN slope
/// gives a gain that a fill refuses.
pub fn calculate_gain(nonlinearity: Nonlinearity, param: Option<f64>) -> f64 {
    match nonlinearity {
        Nonlinearity::Tanh => 5.0 / 3.0,
        Nonlinearity::Relu => 2_f64.sqrt(),
        Nonlinearity::LeakyRelu => {
            let negative_slope = param.unwrap_or(0.01);
            (2.0 / (1.0 + negative_slope * negative_slope)).sqrt()
        }
        Nonlinearity::Selu => 3.0 / 4.0,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_are_pytorchs() {
        // torch.nn.init.calculate_gain(name), printed with repr().
        for nonlinearity in Nonlinearity::ALL {
            let expected = match nonlinearity.name() {
                "tanh" => 1.6666666666666667,
                "relu" => std::f64::consts::SQRT_2,
                "leaky_relu" => 1.4141428569978354,
                "selu" => 0.75,
                _ => 1.0,
            };
            assert_eq!(calculate_gain(nonlinearity, None), expected, "{nonlinearity}");
        }
        assert_eq!(calculate_gain(Nonlinearity::LeakyRelu, Some(0.2)), 1.3867504905630728);
        assert_eq!(calculate_gain(Nonlinearity::Relu, Some(0.2)), std::f64::consts::SQRT_2);
    }

    #[test]
    fn names_round_trip() {
        for nonlinearity in Nonlinearity::ALL {
            assert_eq!(nonlinearity.to_string().parse(), Ok(nonlinearity));
        }
        let error = "gelu".parse::<Nonlinearity>().unwrap_err().to_string();
        assert!(error.starts_with("Unsupported nonlinearity gelu; there are linear, conv1d"), "{error}");
    }
}
