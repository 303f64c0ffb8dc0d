//! The uniform arena: the parameter blocks of many dispatches, in as few buffers as possible.

use std::sync::Arc;

use bytemuck::Pod;

use super::data::{Binding, Buffer, Contents, Usage};

/// The bytes of the largest parameter buffer: far more than a dispatch needs, far fewer than a buffer may
/// have.
const MAX_BYTES: u64 = 16 << 20;

/// An arena of parameter blocks, one after the other, at offsets that a uniform binding may have.
pub(super) struct UniformArena {
    /// The alignment of a binding's offset, in words.
    alignment: usize,
    words: Vec<u32>,
    /// The end of the last binding, in words.
    end: usize,
    /// The number of the buffer that is being laid out.
    buffer: Option<u32>,
}

impl UniformArena {
    /// An arena for a device whose uniform bindings begin at multiples of `alignment` bytes.
    pub(super) fn new(alignment: u32) -> Self {
        Self { alignment: alignment.div_ceil(4).max(1) as usize, words: Vec::new(), end: 0, buffer: None }
    }

    /// Appends the blocks of a dispatch, which binds `bound` blocks: a batched kernel always binds the same
    /// number, even for fewer work items. The binding may reach into the next dispatch's blocks.
    pub(super) fn push<P: Pod>(
        &mut self,
        blocks: &[P],
        bound: u32,
        buffers: &mut Vec<Buffer>,
        destinations: u32,
    ) -> Binding {
        let size = u64::from(bound) * size_of::<P>() as u64;
        let mut offset = self.words.len().next_multiple_of(self.alignment);
        if 4 * offset as u64 + size > MAX_BYTES {
            self.finish(buffers, destinations);
            offset = 0;
        }
        let buffer = *self.buffer.get_or_insert_with(|| {
            let number = destinations + buffers.len() as u32;
            // Its contents follow when the buffer is finished.
            buffers.push(Buffer {
                label: "seedbed::params".into(),
                size: 0,
                usage: Usage::Uniform,
                contents: Contents::Zeros,
            });
            number
        });
        self.words.resize(offset, 0);
        self.words.extend_from_slice(bytemuck::cast_slice(blocks));
        self.end = self.end.max(offset + (size / 4) as usize);
        Binding { buffer, offset: 4 * offset as u64, size }
    }

    /// Gives the buffer its contents, padded to the end of the last binding.
    pub(super) fn finish(&mut self, buffers: &mut [Buffer], destinations: u32) {
        if let Some(number) = self.buffer.take() {
            self.words.resize(self.words.len().max(self.end), 0);
            let buffer = &mut buffers[(number - destinations) as usize];
            buffer.size = 4 * self.words.len() as u64;
            buffer.contents = Contents::Words(Arc::new(std::mem::take(&mut self.words)));
        }
        self.words.clear();
        self.end = 0;
    }
}
