//! The errors, each with the offending value and the remedy.

use burn::tensor::DType;

/// The reason why a fill was refused. A function that returns an error has written no tensor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// seedbed refuses the initialiser, the shape or the device.
    #[error(transparent)]
    Fill(#[from] seedbed::Error),
    /// A tensor of another device.
    #[error(
        "the tensor lives on {actual}, this Seedbed fills tensors of {expected}; make one Seedbed per device"
    )]
    Device {
        /// The tensor's device.
        actual: String,
        /// The device of this `Seedbed`.
        expected: String,
    },
    /// A device that is not one of wgpu's.
    #[error("{device} is not a wgpu device; open one with `Device::wgpu_options().init_with_setup()`")]
    NotWgpu {
        /// The device.
        device: String,
    },
    /// An element type that seedbed does not write.
    #[error("a tensor of {dtype:?} can't be filled; F32, F16 and BF16 can")]
    DType {
        /// The element type.
        dtype: DType,
    },
    /// A view whose elements do not lie one after the other.
    #[error(
        "a tensor of shape {shape:?} with strides {strides:?} is not contiguous; \
         fill the tensor that it is a view of, or make a new one with `Seedbed::tensor`"
    )]
    NotContiguous {
        /// The shape.
        shape: Vec<usize>,
        /// The strides, in elements.
        strides: Vec<usize>,
    },
    /// Burn could not finish the work queued before the fill, or find the tensor's buffer.
    #[error("burn failed to {operation}: {reason}")]
    Burn {
        /// The operation that failed.
        operation: &'static str,
        /// The message of burn.
        reason: String,
    },
    /// Rules that can't be followed. `hint` of the inner error has lines to paste as a remedy, if any.
    #[error(transparent)]
    Rules(#[from] seedbed_model::Error),
    /// A parameter of a module.
    #[error("{path}: {source}")]
    Parameter {
        /// The parameter's path in the module.
        path: String,
        /// The mistake.
        source: Box<Error>,
    },
}
