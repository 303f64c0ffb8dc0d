//! What a plan assumes of a device.

use crate::error::Error;
use crate::kernel::constants::{MAX_GRID_ROWS, VECTOR_BYTES};
use crate::kernel::device_class::DeviceClass;
use crate::kernel::params::FillParams;

/// A device, as far as a [`Program`](super::Program) depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Device {
    /// The limits with which the device was opened.
    pub limits: Limits,
    /// Whether shaders may use 64-bit integers (`wgpu::Features::SHADER_INT64`; no feature of WebGPU). Faster, same bits.
    pub int64: bool,
    /// What runs the kernels. It chooses among kernels that write the same bits at different speeds.
    pub class: DeviceClass,
}

/// The limits that shape a program, under WebGPU's names ([GPUSupportedLimits], in snake case as in `wgpu::Limits`).
/// [`Default`] gives WebGPU's defaults, which every WebGPU device has.
///
/// [GPUSupportedLimits]: https://www.w3.org/TR/webgpu/#limits
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Limits {
    /// Bytes of a buffer.
    pub max_buffer_size: u64,
    /// Bytes of a storage binding.
    pub max_storage_buffer_binding_size: u64,
    /// Bytes of a uniform binding.
    pub max_uniform_buffer_binding_size: u64,
    /// Storage buffers that a kernel binds.
    pub max_storage_buffers_per_shader_stage: u32,
    /// Bytes of workgroup memory.
    pub max_compute_workgroup_storage_size: u32,
    /// Invocations of a workgroup.
    pub max_compute_invocations_per_workgroup: u32,
    /// Invocations of a workgroup in its first dimension.
    pub max_compute_workgroup_size_x: u32,
    /// Workgroups of a dispatch in one dimension.
    pub max_compute_workgroups_per_dimension: u32,
    /// Offsets of storage bindings are multiples of this.
    pub min_storage_buffer_offset_alignment: u32,
    /// Offsets of uniform bindings are multiples of this.
    pub min_uniform_buffer_offset_alignment: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_buffer_size: 256 << 20,
            max_storage_buffer_binding_size: 128 << 20,
            max_uniform_buffer_binding_size: 64 << 10,
            max_storage_buffers_per_shader_stage: 8,
            max_compute_workgroup_storage_size: 16 << 10,
            max_compute_invocations_per_workgroup: 256,
            max_compute_workgroup_size_x: 256,
            max_compute_workgroups_per_dimension: 65_535,
            min_storage_buffer_offset_alignment: 256,
            min_uniform_buffer_offset_alignment: 256,
        }
    }
}

impl Device {
    /// A GPU that has WebGPU's default limits and no 64-bit integers: a program for it runs on every WebGPU device.
    pub fn webgpu() -> Self {
        Self { limits: Limits::default(), int64: false, class: DeviceClass::Gpu }
    }
}

/// Workgroups in one dimension of a dispatch: WebGPU's default. Some devices allow 2^32 - 1, whose square no integer
/// holds, and no plan needs more than the default.
const MAX_WORKGROUPS: u32 = 65_535;

/// Bindings stay below this, for two reasons: positions in a binding keep clear of 2^32 (`begin` and `end` are u32, and
/// elements before the binding wrap to just below 2^32), and a work item has fewer than 2^31 invocations, the most that
/// `src/math/division.rs` divides.
const MAX_BINDING_BYTES: u64 = 1 << 31;

/// The limits of fills, in the units of the arithmetic on them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FillLimits {
    /// Bytes of a storage binding.
    pub(super) binding: u64,
    /// Offsets of storage bindings are multiples of this.
    pub(super) alignment: u64,
    /// Workgroups in one dimension of a dispatch.
    pub(super) workgroups: u64,
    pub(super) class: DeviceClass,
}

impl FillLimits {
    /// # Errors
    /// [`Error::DeviceLimit`] where no fill can run.
    pub(crate) fn of(device: &Device) -> Result<Self, Error> {
        let Device { limits, class, .. } = device;
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment).max(VECTOR_BYTES);
        let workgroup = u64::from(class.workgroup_size());
        let binding = limits.max_storage_buffer_binding_size.min(MAX_BINDING_BYTES);
        let params = size_of::<FillParams>() as u64 * u64::from(MAX_GRID_ROWS);
        require(&[
            ("max_compute_workgroup_size_x", limits.max_compute_workgroup_size_x.into(), workgroup),
            (
                "max_compute_invocations_per_workgroup",
                limits.max_compute_invocations_per_workgroup.into(),
                workgroup,
            ),
            ("max_compute_workgroups_per_dimension", limits.max_compute_workgroups_per_dimension.into(), 1),
            ("max_storage_buffers_per_shader_stage", limits.max_storage_buffers_per_shader_stage.into(), 2),
            // A window may begin up to one alignment before its first element.
            ("max_storage_buffer_binding_size", binding, 2 * alignment),
            ("max_uniform_buffer_binding_size", limits.max_uniform_buffer_binding_size, params),
        ])?;
        Ok(Self {
            binding: binding / VECTOR_BYTES * VECTOR_BYTES,
            alignment,
            workgroups: limits.max_compute_workgroups_per_dimension.min(MAX_WORKGROUPS).into(),
            class: *class,
        })
    }

    /// Invocations that one dispatch can have. 32 bits count the invocations of a work item, which has no more of them than
    /// a binding has elements.
    pub(super) fn invocations(&self) -> u64 {
        self.workgroups * self.workgroups * u64::from(self.class.workgroup_size())
    }

    /// Elements of an f32 matrix of which any run lies in one binding.
    pub(super) fn matrix_elements(&self) -> u64 {
        // The run may begin up to one alignment into the binding.
        (self.binding - self.alignment) / 4
    }
}

/// The limits of orthogonal matrices, in the units of the arithmetic on them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrthogonalLimits {
    /// Bytes of a buffer.
    pub(super) buffer: u64,
    /// Bytes of a storage binding.
    pub(super) binding: u64,
    /// Offsets of storage bindings are multiples of this.
    pub(super) alignment: u64,
    /// Workgroups in one dimension of a dispatch.
    pub(super) workgroups: u64,
}

impl OrthogonalLimits {
    /// # Errors
    /// [`Error::DeviceLimit`] where the kernels can't run at all.
    pub(crate) fn of(device: &Device) -> Result<Self, Error> {
        let Limits {
            max_buffer_size,
            max_storage_buffer_binding_size,
            max_compute_workgroup_size_x,
            max_compute_invocations_per_workgroup,
            max_compute_workgroup_storage_size,
            max_compute_workgroups_per_dimension,
            max_storage_buffers_per_shader_stage,
            min_storage_buffer_offset_alignment,
            ..
        } = device.limits;
        require(&[
            ("max_compute_workgroup_size_x", max_compute_workgroup_size_x.into(), 256),
            ("max_compute_invocations_per_workgroup", max_compute_invocations_per_workgroup.into(), 256),
            ("max_compute_workgroup_storage_size", max_compute_workgroup_storage_size.into(), 12_288),
            ("max_compute_workgroups_per_dimension", max_compute_workgroups_per_dimension.into(), 1),
            ("max_storage_buffers_per_shader_stage", max_storage_buffers_per_shader_stage.into(), 4),
        ])?;
        Ok(Self {
            buffer: max_buffer_size,
            binding: max_storage_buffer_binding_size.min(max_buffer_size).min(MAX_BINDING_BYTES),
            alignment: min_storage_buffer_offset_alignment.into(),
            workgroups: max_compute_workgroups_per_dimension.min(MAX_WORKGROUPS).into(),
        })
    }

    /// Workgroups that one dispatch can have.
    pub(super) fn groups(&self) -> u64 {
        self.workgroups * self.workgroups
    }
}

/// The first limit that is below what is needed: name, actual value, needed value.
pub(super) fn require(limits: &[(&'static str, u64, u64)]) -> Result<(), Error> {
    match limits.iter().find(|(_, actual, needed)| actual < needed) {
        Some(&(limit, actual, needed)) => Err(Error::DeviceLimit { limit, actual, needed }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_are_too_small_are_named() {
        let limits = Limits { max_compute_invocations_per_workgroup: 64, ..Limits::default() };
        let error = FillLimits::of(&Device { limits, ..Device::webgpu() }).unwrap_err().to_string();
        assert!(error.contains("max_compute_invocations_per_workgroup is 64"), "{error}");
        assert!(FillLimits::of(&Device::webgpu()).is_ok());
        assert!(OrthogonalLimits::of(&Device::webgpu()).is_ok());
    }
}
