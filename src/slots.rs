//! The parameter blocks of many dispatches, in one buffer.

use bytemuck::Pod;
use wgpu::util::DeviceExt;

/// A uniform buffer that is made with its contents: one that the queue writes would give every fill of an
/// encoder the parameters of the last.
pub(crate) struct Slots {
    buffer: wgpu::Buffer,
    /// Where the blocks of each dispatch begin, in bytes.
    offsets: Vec<u64>,
    /// Bytes of a block.
    size: usize,
}

impl Slots {
    /// One block or more for each dispatch, of which none binds more than `most`.
    pub(crate) fn new<P: Pod, B: AsRef<[P]>>(
        device: &wgpu::Device,
        label: &str,
        most: u32,
        dispatches: impl Iterator<Item = B>,
    ) -> Self {
        let alignment = device.limits().min_uniform_buffer_offset_alignment as usize;
        let (mut contents, mut offsets) = (Vec::new(), Vec::new());
        for blocks in dispatches {
            contents.resize(contents.len().next_multiple_of(alignment), 0);
            offsets.push(contents.len() as u64);
            contents.extend_from_slice(bytemuck::cast_slice(blocks.as_ref()));
        }
        // A dispatch may bind more blocks than it has: those of the next ones, and in the end nobody's.
        let last = offsets.last().map_or(0, |&offset| offset as usize);
        contents.resize(contents.len().max(last + most as usize * size_of::<P>()), 0);
        let buffer = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some(label),
            contents: &contents,
            usage: wgpu::BufferUsages::UNIFORM,
        });
        Self { buffer, offsets, size: size_of::<P>() }
    }

    /// Of the dispatch with this number, so many blocks.
    pub(crate) fn binding(&self, dispatch: usize, blocks: u32) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.buffer,
            offset: self.offsets[dispatch],
            size: wgpu::BufferSize::new(u64::from(blocks) * self.size as u64),
        })
    }
}
