//! A wgpu device -> the device that a plan assumes.

use crate::program::{Device, DeviceClass, Limits};

/// The limits, features and class of this device.
pub(super) fn describe(device: &wgpu::Device) -> Device {
    let (limits, info) = (device.limits(), device.adapter_info());
    Device {
        limits: limits_of(&limits),
        int64: device.features().contains(wgpu::Features::SHADER_INT64),
        class: DeviceClass::of(&info.name, info.device_type == wgpu::DeviceType::Cpu),
    }
}

fn limits_of(limits: &wgpu::Limits) -> Limits {
    Limits {
        max_buffer_size: limits.max_buffer_size,
        max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
        max_uniform_buffer_binding_size: limits.max_uniform_buffer_binding_size,
        max_storage_buffers_per_shader_stage: limits.max_storage_buffers_per_shader_stage,
        max_compute_workgroup_storage_size: limits.max_compute_workgroup_storage_size,
        max_compute_invocations_per_workgroup: limits.max_compute_invocations_per_workgroup,
        max_compute_workgroup_size_x: limits.max_compute_workgroup_size_x,
        max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
        min_storage_buffer_offset_alignment: limits.min_storage_buffer_offset_alignment,
        min_uniform_buffer_offset_alignment: limits.min_uniform_buffer_offset_alignment,
    }
}

#[cfg(test)]
mod tests {
    use super::limits_of;
    use crate::program::{Device, DeviceClass, Limits};

    #[test]
    fn wgpus_defaults_are_webgpus() {
        assert_eq!(limits_of(&wgpu::Limits::default()), Limits::default());
    }

    #[test]
    fn a_device_without_compute_is_refused() {
        let limits = limits_of(&wgpu::Limits::downlevel_webgl2_defaults());
        let device = Device { limits, int64: false, class: DeviceClass::Gpu };
        let planner = crate::program::Planner::new(device, crate::Math::Portable);
        let error = planner.check(&crate::Init::Ones, crate::DType::F32, [1]).unwrap_err();
        assert_eq!(error, crate::Error::NoCompute);
    }
}
