//! The replay: a program -> commands of an encoder.

use std::sync::Arc;

use super::pipelines::{Compiled, Pipelines};
use super::reports::created;
use crate::error::Error;
use crate::program::{Binding, Buffer, Clear, Contents, Program, Recent, Usage};

/// A dispatch: its kernel, its bindings and its workgroups.
type Bound<'a> = (&'a Compiled, wgpu::BindGroup, [u32; 2]);

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
    /// [`Error::Device`] where a buffer can't be created, [`Error::Refused`] where wgpu can't bind a buffer,
    /// [`Error::Program`] for a kernel of another library version. An error comes before anything is recorded.
    pub(super) fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        program: &Program,
        destinations: &[&wgpu::Buffer],
    ) -> Result<(), Error> {
        let bound = created(&self.device, || self.bind(program, destinations))?;
        for Clear { buffer, offset, size } in &program.clears {
            encoder.clear_buffer(destinations[*buffer as usize], *offset, Some(*size));
        }
        if bound.is_empty() {
            return Ok(());
        }
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("seedbed::fill"),
            timestamp_writes: None,
        });
        for (kernel, group, [x, y]) in &bound {
            pass.set_pipeline(&kernel.pipeline);
            pass.set_bind_group(0, group, &[]);
            pass.dispatch_workgroups(*x, *y, 1);
        }
        Ok(())
    }

    /// Finds the errors of [`Self::record`], and records nothing.
    pub(super) fn check(&self, program: &Program, destinations: &[&wgpu::Buffer]) -> Result<(), Error> {
        created(&self.device, || self.bind(program, destinations)).map(drop)
    }

    /// Creates the buffers, pipelines and bindings that a program needs. The result has one item for each
    /// dispatch.
    fn bind(&self, program: &Program, destinations: &[&wgpu::Buffer]) -> Result<Vec<Bound<'_>>, Error> {
        let own = program.buffers.iter().map(|buffer| self.create(buffer)).collect::<Result<Vec<_>, _>>()?;
        let buffer = |number: u32| match destinations.get(number as usize) {
            Some(destination) => *destination,
            None => &own[number as usize - destinations.len()],
        };
        let mut entries = Vec::new();
        let bound = program.dispatches.iter().map(|dispatch| {
            let kernel = self.pipelines.get(&self.device, &program.kernels[dispatch.kernel as usize])?;
            let bindings = dispatch.bindings.iter().map(|binding| (buffer(binding.buffer), binding));
            entries.clear();
            entries.extend(
                (0..).zip(bindings).map(|(number, (buffer, binding))| entry(number, buffer, binding)),
            );
            let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                // wgpu would copy a label for each dispatch.
                label: None,
                layout: &kernel.layout,
                entries: &entries,
            });
            Ok((kernel, group, dispatch.workgroups))
        });
        bound.collect()
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
        // Memory that is out is reported before this, to the error scope.
        let lost = |_| Error::Device {
            reason: "the device was lost or destroyed; open another one, and make a FillRecorder for it"
                .into(),
        };
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

fn entry<'a>(number: u32, buffer: &'a wgpu::Buffer, binding: &Binding) -> wgpu::BindGroupEntry<'a> {
    wgpu::BindGroupEntry {
        binding: number,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer,
            offset: binding.offset,
            size: wgpu::BufferSize::new(binding.size),
        }),
    }
}
