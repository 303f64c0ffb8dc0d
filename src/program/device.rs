//! The device that a plan assumes, and its limits.

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
    /// Whether shaders may use 64-bit integers (`wgpu::Features::SHADER_INT64`, which WebGPU lacks). Kernels
    /// are faster with them; the bits are the same.
    pub int64: bool,
    /// The class of the device, which chooses among kernels that write the same bits at different speeds.
    pub class: DeviceClass,
}

/// The limits that shape a program, under WebGPU's names ([GPUSupportedLimits], in snake case as in
/// `wgpu::Limits`).
/// [`Default`] gives WebGPU's defaults, which every WebGPU device has.
///
/// [GPUSupportedLimits]: https://www.w3.org/TR/webgpu/#limits
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Limits {
    /// The largest size of a buffer, in bytes.
    pub max_buffer_size: u64,
    /// The largest size of a storage binding, in bytes.
    pub max_storage_buffer_binding_size: u64,
    /// The largest size of a uniform binding, in bytes.
    pub max_uniform_buffer_binding_size: u64,
    /// The largest number of storage buffers that a kernel may bind.
    pub max_storage_buffers_per_shader_stage: u32,
    /// The largest size of workgroup memory, in bytes.
    pub max_compute_workgroup_storage_size: u32,
    /// The largest number of invocations in a workgroup.
    pub max_compute_invocations_per_workgroup: u32,
    /// The largest number of invocations in a workgroup's first dimension.
    pub max_compute_workgroup_size_x: u32,
    /// The largest number of workgroups in one dimension of a dispatch.
    pub max_compute_workgroups_per_dimension: u32,
    /// The alignment of storage bindings: their offsets are multiples of it.
    pub min_storage_buffer_offset_alignment: u32,
    /// The alignment of uniform bindings: their offsets are multiples of it.
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
    /// A GPU that has WebGPU's default limits and no 64-bit integers: a program for it runs on every WebGPU
    /// device.
    pub fn webgpu() -> Self {
        Self { limits: Limits::default(), int64: false, class: DeviceClass::Gpu }
    }
}

/// The largest number of workgroups that a plan uses in one dimension of a dispatch: WebGPU's default, which
/// is enough for every plan. Some devices allow 2^32 - 1, with which the number of invocations overflows u64.
const MAX_WORKGROUPS: u32 = 65_535;

/// The largest size of a binding, for two reasons. Positions in a binding stay far below 2^32: `begin` and
/// `end` are u32, and elements before the binding wrap to just below 2^32. A work item has fewer than 2^31
/// invocations: the limit of `src/math/division.rs`.
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
    /// [`Error::NoCompute`] or [`Error::DeviceLimit`] where no fill can run.
    pub(crate) fn of(device: &Device) -> Result<Self, Error> {
        let Device { limits, class, .. } = device;
        let compute = [
            limits.max_compute_workgroup_size_x,
            limits.max_compute_invocations_per_workgroup,
            limits.max_compute_workgroups_per_dimension,
        ];
        if compute == [0; 3] {
            return Err(Error::NoCompute);
        }
        check_alignments(limits)?;
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

    /// The largest number of invocations in one dispatch. A work item has no more invocations than a binding
    /// has elements, so 32 bits count them.
    pub(super) fn invocations(&self) -> u64 {
        self.workgroups * self.workgroups * u64::from(self.class.workgroup_size())
    }

    /// The longest run of f32 elements of a matrix that fits one binding, wherever in the matrix the run
    /// begins.
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

    /// The largest number of workgroups in one dispatch.
    pub(super) fn groups(&self) -> u64 {
        self.workgroups * self.workgroups
    }
}

/// Checks the alignments, which WebGPU makes powers of two. A description that was stored or typed need not.
fn check_alignments(limits: &Limits) -> Result<(), Error> {
    for (limit, alignment) in [
        ("min_storage_buffer_offset_alignment", limits.min_storage_buffer_offset_alignment),
        ("min_uniform_buffer_offset_alignment", limits.min_uniform_buffer_offset_alignment),
    ] {
        if !alignment.is_power_of_two() {
            return Err(Error::DeviceAlignment { limit, alignment });
        }
    }
    Ok(())
}

/// Checks limits, each a name, an actual value and a needed value. The error names the first that is too low.
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
        let limits = Limits { min_storage_buffer_offset_alignment: 24, ..Limits::default() };
        let error = FillLimits::of(&Device { limits, ..Device::webgpu() }).unwrap_err().to_string();
        assert!(error.contains("min_storage_buffer_offset_alignment is 24"), "{error}");
        assert!(OrthogonalLimits::of(&Device::webgpu()).is_ok());
    }
}
