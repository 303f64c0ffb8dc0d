//! The calls that wgpu's majors have in common.

/// Implements [`Api`](crate::recorder::Api) for a type by the calls that wgpu's majors have in common. The
/// macro calls the crate that the macro's user names `wgpu`, of any major. For a major with other calls,
/// implement the trait by hand.
///
/// The second argument is the function in which majors differ. The function creates a buffer with the given
/// words: `fn(&wgpu::Device, &wgpu::BufferDescriptor<'_>, &[u32]) -> Result<wgpu::Buffer, Error>`. The
/// descriptor sets `mapped_at_creation`.
///
/// # Errors
/// The function returns [`lost`](crate::recorder::lost) if the device was lost or destroyed.
#[macro_export]
macro_rules! wgpu_api {
    ($api:ty, $upload:path) => {
        impl $api {
            /// The limits that a plan relies on.
            fn limits_of(limits: &wgpu::Limits) -> $crate::program::Limits {
                $crate::program::Limits {
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
        }

        impl $crate::recorder::Api for $api {
            type Device = wgpu::Device;
            type Buffer = wgpu::Buffer;
            type BufferUsages = wgpu::BufferUsages;
            type Encoder = wgpu::CommandEncoder;
            type Pass<'a> = wgpu::ComputePass<'a>;
            type PipelineCache = wgpu::PipelineCache;
            type Pipeline = (wgpu::ComputePipeline, wgpu::BindGroupLayout);
            type Entry<'a> = wgpu::BindGroupEntry<'a>;
            type BindGroup = wgpu::BindGroup;
            type Scope = wgpu::ErrorScopeGuard;

            const UNIFORM: wgpu::BufferUsages = wgpu::BufferUsages::UNIFORM;
            const STORAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE;
            const COPY_DST: wgpu::BufferUsages = wgpu::BufferUsages::COPY_DST;

            fn describe(device: &wgpu::Device) -> $crate::program::Device {
                let info = device.adapter_info();
                let is_cpu = info.device_type == wgpu::DeviceType::Cpu;
                $crate::program::Device {
                    limits: Self::limits_of(&device.limits()),
                    int64: device.features().contains(wgpu::Features::SHADER_INT64),
                    class: $crate::program::DeviceClass::of(&info.name, is_cpu),
                }
            }

            fn size(buffer: &wgpu::Buffer) -> u64 {
                buffer.size()
            }

            fn usages(buffer: &wgpu::Buffer) -> wgpu::BufferUsages {
                buffer.usage()
            }

            fn create(
                device: &wgpu::Device,
                buffer: &$crate::program::Buffer,
                usage: wgpu::BufferUsages,
            ) -> wgpu::Buffer {
                let label = Some(&*buffer.label);
                let size = buffer.size;
                device.create_buffer(&wgpu::BufferDescriptor {
                    label,
                    size,
                    usage,
                    mapped_at_creation: false,
                })
            }

            fn upload(
                device: &wgpu::Device,
                buffer: &$crate::program::Buffer,
                usage: wgpu::BufferUsages,
                words: &[u32],
            ) -> Result<wgpu::Buffer, $crate::Error> {
                let label = Some(&*buffer.label);
                let size = buffer.size;
                $upload(
                    device,
                    &wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: true },
                    words,
                )
            }

            fn compile(
                device: &wgpu::Device,
                kernel: &$crate::program::Kernel,
                cache: Option<&wgpu::PipelineCache>,
            ) -> Self::Pipeline {
                let label = Some(&*kernel.label);
                let entries: Vec<_> = (0..)
                    .zip(&kernel.bindings)
                    .map(|(binding, &kind)| wgpu::BindGroupLayoutEntry {
                        binding,
                        visibility: wgpu::ShaderStages::COMPUTE,
                        ty: wgpu::BindingType::Buffer {
                            ty: match kind {
                                $crate::program::BindingKind::Uniform { .. } => {
                                    wgpu::BufferBindingType::Uniform
                                }
                                kind => wgpu::BufferBindingType::Storage {
                                    read_only: kind == $crate::program::BindingKind::ReadOnlyStorage,
                                },
                            },
                            has_dynamic_offset: false,
                            // The smallest size of a storage binding is one element: 4 to 16 bytes, as the
                            // kernel declares. wgpu checks the size at the dispatch.
                            min_binding_size: match kind {
                                $crate::program::BindingKind::Uniform { size } => wgpu::BufferSize::new(size),
                                _ => None,
                            },
                        },
                        count: None,
                    })
                    .collect();
                let layout = device
                    .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
                let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                    label,
                    bind_group_layouts: &[Some(&layout)],
                    ..Default::default()
                });
                let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                    label,
                    source: wgpu::ShaderSource::Wgsl(kernel.wgsl.as_str().into()),
                });
                let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label,
                    layout: Some(&pipeline_layout),
                    module: &module,
                    entry_point: Some(&kernel.entry_point),
                    compilation_options: Default::default(),
                    cache,
                });
                (pipeline, layout)
            }

            fn entry<'a>(
                number: u32,
                buffer: &'a wgpu::Buffer,
                binding: &$crate::program::Binding,
            ) -> wgpu::BindGroupEntry<'a> {
                wgpu::BindGroupEntry {
                    binding: number,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer,
                        offset: binding.offset,
                        size: wgpu::BufferSize::new(binding.size),
                    }),
                }
            }

            fn bind(
                device: &wgpu::Device,
                (_, layout): &Self::Pipeline,
                entries: &[wgpu::BindGroupEntry<'_>],
            ) -> wgpu::BindGroup {
                // A label would cost a copy for each dispatch.
                device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries })
            }

            fn clear(encoder: &mut wgpu::CommandEncoder, buffer: &wgpu::Buffer, offset: u64, size: u64) {
                encoder.clear_buffer(buffer, offset, Some(size));
            }

            fn begin_pass(encoder: &mut wgpu::CommandEncoder) -> wgpu::ComputePass<'_> {
                encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: Some("seedbed::fill"),
                    timestamp_writes: None,
                })
            }

            fn dispatch(
                pass: &mut wgpu::ComputePass<'_>,
                (pipeline, _): &Self::Pipeline,
                group: &wgpu::BindGroup,
                [x, y]: [u32; 2],
            ) {
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, group, &[]);
                pass.dispatch_workgroups(x, y, 1);
            }

            fn open_scope(
                device: &wgpu::Device,
                kind: $crate::recorder::ReportKind,
            ) -> wgpu::ErrorScopeGuard {
                device.push_error_scope(match kind {
                    $crate::recorder::ReportKind::OutOfMemory => wgpu::ErrorFilter::OutOfMemory,
                    $crate::recorder::ReportKind::Validation => wgpu::ErrorFilter::Validation,
                    $crate::recorder::ReportKind::Internal => wgpu::ErrorFilter::Internal,
                })
            }

            async fn close_scope(scope: wgpu::ErrorScopeGuard) -> Option<String> {
                scope.pop().await.map(|error| error.to_string())
            }
        }
    };
}
