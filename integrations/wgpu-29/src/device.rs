//! A device of wgpu 29 -> the device that a plan assumes.

use seedbed::program::{Device, DeviceClass, Limits};

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
