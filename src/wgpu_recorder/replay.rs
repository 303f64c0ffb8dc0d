//! The replay: a program -> commands of an encoder.

use std::sync::Arc;

use super::pipelines::Pipelines;
use crate::error::Error;
use crate::program::{Binding, Buffer, Contents, Program, Recent, Usage};

/// Replays programs on one device.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) device: wgpu::Device,
    pub(super) pipelines: Pipelines,
    /// The tables of quantiles, each with its words.
    tables: Recent<(Arc<Vec<u32>>, wgpu::Buffer)>,
}

impl Replay {
    pub(super) fn new(device: &wgpu::Device, cache: Option<wgpu::PipelineCache>) -> Self {
        Self { device: device.clone(), pipelines: Pipelines::new(cache), tables: Recent::default() }
    }

    /// Records a program that was planned for this device. `destinations` are the caller's buffers.
    ///
    /// # Errors
    /// [`Error::Device`] where a buffer can't be created, [`Error::Program`] for a kernel of another library
    /// version. An error comes before anything is recorded.
    pub(super) fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        program: &Program,
        destinations: &[&wgpu::Buffer],
    ) -> Result<(), Error> {
        let own = program.buffers.iter().map(|buffer| self.create(buffer)).collect::<Result<Vec<_>, _>>()?;
        let buffers: Vec<_> = destinations.iter().copied().chain(&own).collect();
        let kernels = program.kernels.iter().map(|kernel| self.pipelines.get(&self.device, kernel));
        let kernels = kernels.collect::<Result<Vec<_>, _>>()?;
        for clear in &program.clears {
            encoder.clear_buffer(buffers[clear.buffer as usize], clear.offset, Some(clear.size));
        }
        if program.dispatches.is_empty() {
            return Ok(());
        }
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("seedbed::fill"),
            timestamp_writes: None,
        });
        let mut entries = Vec::new();
        for dispatch in &program.dispatches {
            let kernel = kernels[dispatch.kernel as usize];
            entries.clear();
            entries.extend(
                (0..).zip(&dispatch.bindings).map(|(number, binding)| entry(number, binding, &buffers)),
            );
            let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("seedbed::bindings"),
                layout: &kernel.layout,
                entries: &entries,
            });
            pass.set_pipeline(&kernel.pipeline);
            pass.set_bind_group(0, &group, &[]);
            let [x, y] = dispatch.workgroups;
            pass.dispatch_workgroups(x, y, 1);
        }
        Ok(())
    }

    fn create(&self, buffer: &Buffer) -> Result<wgpu::Buffer, Error> {
        match (&buffer.contents, buffer.usage) {
            (Contents::Words(words), Usage::Table) => self.table(buffer, words),
            (Contents::Words(words), Usage::Uniform | Usage::Scratch) => self.upload(buffer, words),
            (Contents::Zeros, _) => Ok(self.device.create_buffer(&descriptor(buffer, false))),
        }
    }

    /// A buffer that is created with its words. Writes by the queue come before the whole encoder, so a
    /// buffer that is written again for each fill would give every fill the parameters of the last one.
    fn upload(&self, buffer: &Buffer, words: &[u32]) -> Result<wgpu::Buffer, Error> {
        let created = self.device.create_buffer(&descriptor(buffer, true));
        // A device that was lost or is out of memory maps nothing.
        let lost = |error: wgpu::MapRangeError| Error::Device { reason: error.to_string() };
        created
            .get_mapped_range_mut(..)
            .map_err(lost)?
            .slice(..)
            .copy_from_slice(bytemuck::cast_slice(words));
        created.unmap();
        Ok(created)
    }

    fn table(&self, buffer: &Buffer, words: &Arc<Vec<u32>>) -> Result<wgpu::Buffer, Error> {
        let is_it = |(of, _): &(Arc<Vec<u32>>, _)| Arc::ptr_eq(of, words) || of == words;
        let make = || Ok((Arc::clone(words), self.upload(buffer, words)?));
        self.tables.get_or_make(is_it, make).map(|(_, table)| table)
    }
}

fn descriptor(buffer: &Buffer, mapped_at_creation: bool) -> wgpu::BufferDescriptor<'_> {
    use wgpu::BufferUsages;
    let usage = match buffer.usage {
        Usage::Uniform => BufferUsages::UNIFORM,
        Usage::Table => BufferUsages::UNIFORM | BufferUsages::STORAGE,
        Usage::Scratch => BufferUsages::STORAGE,
    };
    wgpu::BufferDescriptor { label: Some(&buffer.label), size: buffer.size, usage, mapped_at_creation }
}

fn entry<'a>(number: u32, binding: &Binding, buffers: &[&'a wgpu::Buffer]) -> wgpu::BindGroupEntry<'a> {
    wgpu::BindGroupEntry {
        binding: number,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: buffers[binding.buffer as usize],
            offset: binding.offset,
            size: wgpu::BufferSize::new(binding.size),
        }),
    }
}
