//! A parameter of a model: name, shape and element type.

use safetensors::tensor::Dtype;
use seedbed::DType;

use crate::error::{Error, Result, ensure};

/// A parameter of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The name in the file.
    pub name: String,
    /// The dimensions, outermost first; empty for a scalar.
    pub shape: Vec<u64>,
    /// The element type in the file.
    pub dtype: Dtype,
}

impl Parameter {
    /// The number of elements.
    ///
    /// # Errors
    /// A shape of 2^60 elements or more.
    pub fn elements(&self) -> Result<u64> {
        elements(&self.shape)
    }

    /// The number of bytes in a file; elements of fewer than 8 bits share bytes.
    ///
    /// # Errors
    /// The errors of [`elements`](Self::elements).
    pub fn bytes(&self) -> Result<u64> {
        bytes(self.dtype, &self.shape)
    }
}

/// The most dimensions. No framework has tensors of more than 254.
const MAX_RANK: usize = 254;

/// Checks that a shape has no more dimensions than frameworks have. The time of a plan grows with them.
pub(crate) fn check_rank(shape: &[u64]) -> Result<()> {
    ensure!(shape.len() <= MAX_RANK, "a shape of {} dimensions; up to {MAX_RANK} are possible", shape.len());
    Ok(())
}

/// The product of the dimensions.
pub(crate) fn elements(shape: &[u64]) -> Result<u64> {
    check_rank(shape)?;
    Ok(seedbed::Region::new(shape).element_count()?)
}

/// The bytes of a tensor.
pub(crate) fn bytes(dtype: Dtype, shape: &[u64]) -> Result<u64> {
    let (elements, bits) = (u128::from(elements(shape)?), dtype.bitsize() as u128);
    u64::try_from((elements * bits).div_ceil(8))
        .map_err(|_| Error::new("the tensor has more than 2^64 bytes"))
}

/// What elements are counted in: elements, or bytes where elements of fewer than 8 bits share bytes.
pub(crate) fn units(dtype: Dtype, shape: &[u64]) -> Result<u64> {
    if dtype.bitsize() < 8 { bytes(dtype, shape) } else { elements(shape) }
}

/// The bytes of a unit.
pub fn unit_size(dtype: Dtype) -> u64 {
    (dtype.bitsize() as u64 / 8).max(1)
}

/// The type of seedbed's fills that this type is, if any.
pub fn float(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        _ => None,
    }
}

/// The type in a file of elements of this type, if there is one.
pub fn in_file(dtype: DType) -> Option<Dtype> {
    match dtype {
        DType::F32 => Some(Dtype::F32),
        DType::F16 => Some(Dtype::F16),
        DType::BF16 => Some(Dtype::BF16),
        DType::U32 => Some(Dtype::U32),
        _ => None,
    }
}

/// Whether the type is a floating-point type, so that another one can stand for it.
pub fn is_floating(dtype: Dtype) -> bool {
    use Dtype::{
        BF16, F4, F6_E2M3, F6_E3M2, F8_E4M3, F8_E4M3FNUZ, F8_E5M2, F8_E5M2FNUZ, F8_E8M0, F16, F32, F64,
    };
    matches!(
        dtype,
        F64 | F32
            | F16
            | BF16
            | F8_E4M3
            | F8_E5M2
            | F8_E8M0
            | F8_E4M3FNUZ
            | F8_E5M2FNUZ
            | F6_E2M3
            | F6_E3M2
            | F4
    )
}
