//! A parameter of a model: name, shape and type.

use safetensors::tensor::Dtype;
use seedbed::DType;

/// A parameter of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub shape: Vec<u64>,
    pub dtype: Dtype,
}

impl Parameter {
    /// The element type to make, or `None` if the parameter can't be made.
    pub fn element_type(&self, chosen: Option<DType>) -> Option<DType> {
        match (chosen, self.dtype) {
            (None, Dtype::F32) => Some(DType::F32),
            (None, Dtype::F16) => Some(DType::F16),
            (None, Dtype::BF16) => Some(DType::BF16),
            (None, _) => None,
            (Some(dtype), _) => is_floating(self.dtype).then_some(dtype),
        }
    }
}

/// Whether the type is a floating-point type.
pub fn is_floating(dtype: Dtype) -> bool {
    let text = dtype.to_string();
    text.starts_with('F') || text.starts_with("BF")
}
