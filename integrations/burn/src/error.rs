//! What can go wrong, each with the offending value and the remedy.

use burn::tensor::DType;

/// Why a fill was refused. No tensor has been written when a function returns one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The initialiser, the shape or the device, as seedbed sees them.
    #[error(transparent)]
    Fill(#[from] seedbed::Error),
    /// A tensor of another device.
    #[error(
        "the tensor lives on {actual}, this Seedbed fills tensors of {expected}; make one Seedbed per device"
    )]
    Device {
        /// Where the tensor is.
        actual: String,
        /// Where it should be.
        expected: String,
    },
    /// A device that is not one of wgpu's.
    #[error("{device} is not a wgpu device; open one with `Device::wgpu_options().init_with_setup()`")]
    NotWgpu {
        /// The device.
        device: String,
    },
    /// Elements that seedbed does not write.
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
        /// What it was asked for.
        operation: &'static str,
        /// What it said.
        reason: String,
    },
    /// A parameter of a module.
    #[error("{path}: {source}")]
    Parameter {
        /// Its path in the module.
        path: String,
        /// What is wrong with it.
        source: Box<Error>,
    },
}
