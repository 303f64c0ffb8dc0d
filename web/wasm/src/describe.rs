//! Facts about initialisers.

use js_sys::Array;
use seedbed::program::{Device, DeviceClass, Limits, Planner};
use seedbed::{DType, Init, Math, Region};
use wasm_bindgen::prelude::*;

use crate::thrown;

/// Checks whether a device without limits can fill a tensor of this shape.
#[wasm_bindgen]
pub fn check(init: &str, dtype: &str, shape: &[u64]) -> Result<(), JsError> {
    let init = init.parse::<Init>().map_err(thrown)?;
    let dtype = dtype.parse::<DType>().map_err(|error| thrown(error.into()))?;
    let limits = Limits {
        max_buffer_size: u64::MAX,
        max_storage_buffer_binding_size: u64::MAX,
        max_storage_buffers_per_shader_stage: 10,
        ..Limits::default()
    };
    let device = Device { limits, int64: false, class: DeviceClass::Gpu };
    Planner::new(device, Math::Portable).check(&init, dtype, shape).map_err(thrown)?;
    Region::new(shape).element_count().map(drop).map_err(thrown)
}

/// An initialiser and a shape: canonical text, mean, standard deviation, warning, then the law: its family and
/// its parameters.
#[wasm_bindgen]
pub fn describe(init: &str, shape: &[u64]) -> Result<Array, JsError> {
    let init = init.parse::<Init>().map_err(thrown)?;
    let (mean, std) = (init.mean(shape).map_err(thrown)?, init.std(shape).map_err(thrown)?);
    let (family, parameters) = match init.resolve(shape).map_err(thrown)? {
        Init::Constant { value } => ("constant", vec![value]),
        Init::Uniform { low, high } => ("uniform", vec![low, high]),
        Init::Normal { mean, std } => ("normal", vec![mean, std]),
        Init::LogNormal { mean, std } => ("log_normal", vec![mean, std]),
        Init::TruncNormal { mean, std, a, b } => ("trunc_normal", vec![mean, std, a, b]),
        _ => ("other", vec![]),
    };
    let values = Array::new();
    values.push(&init.to_string().into());
    values.push(&mean.into());
    values.push(&std.into());
    values.push(&init.warning(shape).into());
    values.push(&family.into());
    for parameter in parameters {
        values.push(&parameter.into());
    }
    Ok(values)
}

/// The initialisers, four texts for each: name, signature, example, description.
#[wasm_bindgen]
pub fn initialisers() -> Vec<String> {
    Init::signatures()
        .flat_map(|row| {
            let signature = row.to_string();
            let name = signature.split('(').next().unwrap_or_default().to_owned();
            [name, signature, row.example.to_owned(), row.help.to_owned()]
        })
        .collect()
}
