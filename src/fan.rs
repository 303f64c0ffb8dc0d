//! Fans of a shape, as PyTorch counts them.

use crate::Error;

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

    /// Glorot and Bengio's standard deviation, `gain · sqrt(2 / (fan_in + fan_out))` (2010,
    /// equation 16 with the gain of `torch.nn.init.xavier_normal_`).
    pub fn xavier_std(self, gain: f64) -> f64 {
        gain * (2.0 / (self.fan_in as f64 + self.fan_out as f64)).sqrt()
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
    fn overflow_is_an_error() {
        let huge = [1, u64::MAX, 2];
        assert_eq!(Fans::of(&huge), Err(Error::ShapeOverflow { shape: huge.to_vec() }));
        assert_eq!(product(&[u64::MAX, 0, u64::MAX]), Some(0));
        assert_eq!(product(&[]), Some(1));
    }
}
