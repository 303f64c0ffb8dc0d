//! The parameter blocks of many dispatches, in one uniform buffer.

use bytemuck::Pod;
use wgpu::util::DeviceExt;

/// A uniform buffer that is made with its contents: one that the queue writes would give every fill of an
/// encoder the parameters of the last.
pub(crate) struct Slots {
    buffer: wgpu::Buffer,
    /// From one block to the next, as the device aligns them.
    stride: usize,
    /// Bytes of a block.
    size: usize,
}

impl Slots {
    pub(crate) fn new<P: Pod>(
        device: &wgpu::Device,
        label: &str,
        blocks: impl ExactSizeIterator<Item = P>,
    ) -> Self {
        let size = size_of::<P>();
        let stride = size.next_multiple_of(device.limits().min_uniform_buffer_offset_alignment as usize);
        let mut contents = vec![0; stride * blocks.len()];
        for (slot, block) in contents.chunks_exact_mut(stride).zip(blocks) {
            slot[..size].copy_from_slice(bytemuck::bytes_of(&block));
        }
        let buffer = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some(label),
            contents: &contents,
            usage: wgpu::BufferUsages::UNIFORM,
        });
        Self { buffer, stride, size }
    }

    /// Of the block with this number.
    pub(crate) fn binding(&self, block: usize) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.buffer,
            offset: (block * self.stride) as u64,
            size: wgpu::BufferSize::new(self.size as u64),
        })
    }
}
