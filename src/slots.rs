//! The parameter blocks of many dispatches, in one buffer.

use std::ops::Range;

use bytemuck::Pod;
use wgpu::util::DeviceExt;

/// A buffer that is made with its contents: one that the queue writes would give every fill of an
/// encoder the parameters of the last.
pub(crate) struct Slots {
    buffer: wgpu::Buffer,
    /// Bytes of each dispatch's blocks.
    ranges: Vec<Range<u64>>,
}

impl Slots {
    /// One block or more for each dispatch, which binds them as uniforms or as storage.
    pub(crate) fn new<P: Pod, B: AsRef<[P]>>(
        device: &wgpu::Device,
        label: &str,
        dispatches: impl Iterator<Item = B>,
    ) -> Self {
        let limits = device.limits();
        let alignment =
            limits.min_uniform_buffer_offset_alignment.max(limits.min_storage_buffer_offset_alignment);
        let (mut contents, mut ranges) = (Vec::new(), Vec::new());
        for blocks in dispatches {
            contents.resize(contents.len().next_multiple_of(alignment as usize), 0);
            let start = contents.len() as u64;
            contents.extend_from_slice(bytemuck::cast_slice(blocks.as_ref()));
            ranges.push(start..contents.len() as u64);
        }
        let buffer = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some(label),
            contents: &contents,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::STORAGE,
        });
        Self { buffer, ranges }
    }

    /// Of the dispatch with this number.
    pub(crate) fn binding(&self, dispatch: usize) -> wgpu::BindingResource<'_> {
        let Range { start, end } = self.ranges[dispatch];
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.buffer,
            offset: start,
            size: wgpu::BufferSize::new(end - start),
        })
    }
}
