//! What a kernel understands: an initialiser after fans, gains and rounding.

use crate::{DType, Error};

/// The distribution of every element of a fill, validated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Distribution {
    /// Every element has this bit pattern.
    Constant { bits: u32 },
    /// The raw stream.
    Words,
    /// `mean + std · z`, z standard normal.
    Normal { mean: f32, std: f32 },
}

impl Distribution {
    /// Rounds once to the element type, nearest even. Infinities and NaN are values like others;
    /// every NaN becomes the quiet one without payload.
    pub(crate) fn constant(value: f64, dtype: DType) -> Result<Self, Error> {
        let bits = match dtype {
            DType::F32 if value.is_nan() => 0x7FC0_0000,
            DType::F32 => {
                let rounded = value as f32;
                if rounded.is_infinite() && value.is_finite() {
                    return Err(Error::Overflow { parameter: "value", value, dtype });
                }
                rounded.to_bits()
            }
            DType::U32 => return Err(not_words(dtype)),
        };
        Ok(Self::Constant { bits })
    }

    pub(crate) fn normal(mean: f64, std: f64, dtype: DType) -> Result<Self, Error> {
        if dtype != DType::F32 {
            return Err(not_words(dtype));
        }
        let mean = finite("mean", mean, dtype)?;
        let rounded = finite("std", std, dtype)?;
        if std < 0.0 {
            return Err(Error::NegativeStd { std });
        }
        Ok(Self::Normal { mean, std: rounded })
    }
}

fn not_words(dtype: DType) -> Error {
    Error::DTypeMismatch { operation: "an initialiser", dtype, expected: DType::F32 }
}

/// Rounds once to f32, as PyTorch does with what it computed in f64.
fn finite(parameter: &'static str, value: f64, dtype: DType) -> Result<f32, Error> {
    if !value.is_finite() {
        return Err(Error::NotFinite { parameter, value });
    }
    let rounded = value as f32;
    if rounded.is_infinite() {
        return Err(Error::Overflow { parameter, value, dtype });
    }
    Ok(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_round_once_to_nearest_even() {
        let bits = |v| match Distribution::constant(v, DType::F32) {
            Ok(Distribution::Constant { bits }) => bits,
            other => panic!("{other:?}"),
        };
        assert_eq!(bits(0.01), 0x3C23_D70A);
        assert_eq!(bits(1.0 + f64::from(f32::EPSILON) / 2.0), 1.0_f32.to_bits());
        assert_eq!(bits(-0.0), 0x8000_0000);
        assert_eq!(bits(f64::NEG_INFINITY), 0xFF80_0000);
        assert_eq!(bits(-f64::NAN), 0x7FC0_0000);
    }

    #[test]
    fn bad_parameters_are_named() {
        let error = |d: Result<Distribution, Error>| d.unwrap_err().to_string();
        assert_eq!(
            error(Distribution::normal(0.0, -1.0, DType::F32)),
            "normal expects std >= 0.0, but found std -1; give a standard deviation (or gain) of 0 or more"
        );
        assert!(error(Distribution::normal(f64::NAN, 1.0, DType::F32)).starts_with("mean is NaN"));
        assert!(error(Distribution::normal(0.0, f64::INFINITY, DType::F32)).starts_with("std is inf"));
        assert!(error(Distribution::normal(0.0, 1e39, DType::F32)).starts_with("std = 1e39 overflows f32"));
        assert!(error(Distribution::constant(-1e39, DType::F32)).starts_with("value = -1e39 overflows f32"));
        assert!(
            error(Distribution::normal(0.0, 1.0, DType::U32)).starts_with("an initialiser can't write u32")
        );
    }
}
