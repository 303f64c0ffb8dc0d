//! Checks of parameters, and their rounding: what several distributions and initialisers share.

use crate::dtype::DType;
use crate::error::Error;

/// The value, if it is finite.
pub(super) fn finite(parameter: &'static str, value: f64) -> Result<f64, Error> {
    if value.is_finite() { Ok(value) } else { Err(Error::NotFinite { parameter, value }) }
}

/// The element type, if its elements are floats.
pub(super) fn float(dtype: DType) -> Result<DType, Error> {
    match dtype {
        DType::F32 | DType::F16 | DType::BF16 => Ok(dtype),
        DType::U32 => Err(Error::DTypeMismatch { operation: "an initialiser", dtype, expected: DType::F32 }),
    }
}

/// The value in f32. PyTorch, too, computes parameters in f64 and rounds them once. A value that the element
/// type can't hold is an error.
pub(super) fn fitting(parameter: &'static str, value: f64, dtype: DType) -> Result<f32, Error> {
    let rounded = finite(parameter, value)? as f32;
    if rounded.is_infinite() || dtype.round(value).is_infinite() {
        return Err(Error::Overflow { parameter, value, dtype });
    }
    Ok(rounded)
}

/// A standard deviation in f32.
pub(super) fn standard_deviation(std: f64, dtype: DType) -> Result<f32, Error> {
    let rounded = fitting("std", std, dtype)?;
    if std < 0.0 { Err(Error::NegativeStd { std }) } else { Ok(rounded) }
}
