//! Integers and shapes of Python, and how they are refused.

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;

use crate::refused;

/// The most dimensions of a shape. No framework has tensors of more than 254.
pub(crate) const MAX_RANK: usize = 254;

/// An integer from 0 to 2^64 - 1. `what` names the integer in the exception: "the seed".
pub(crate) fn unsigned(value: &Bound<'_, PyAny>, what: &str) -> PyResult<u64> {
    value.extract::<u64>().map_err(|error| {
        let py = value.py();
        // Python's conversion has the same exception for negative and for large integers.
        if error.is_instance_of::<PyOverflowError>(py) {
            return refused(format_args!("{what} is {}; it must be 0 to 2^64 - 1", shown(value)));
        }
        let kind = value.get_type();
        let kind = kind.name().map_or_else(|_| "something else".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!("{what} must be an integer, not {kind}"))
    })
}

/// The text of an integer, which Python refuses to write past some thousands of digits.
fn shown(value: &Bound<'_, PyAny>) -> String {
    match value.str().map(|text| text.to_string()) {
        Ok(text) if text.len() <= 40 => text,
        _ => "too large".to_owned(),
    }
}

/// The integers of any iterable.
pub(crate) fn list(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<u64>> {
    let items = value.try_iter().map_err(|_| {
        let kind = value.get_type();
        let kind = kind.name().map_or_else(|_| "something else".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!("{what} must be a sequence of integers, not {kind}"))
    })?;
    let mut numbers = Vec::new();
    for item in items {
        if numbers.len() == MAX_RANK {
            return Err(refused(format_args!("{what} has more than {MAX_RANK} dimensions")));
        }
        numbers.push(unsigned(&item?, what)?);
    }
    Ok(numbers)
}
