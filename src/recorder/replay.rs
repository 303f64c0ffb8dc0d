//! The replay: a program -> commands of an encoder.

use std::sync::Arc;

use super::api::Api;
use super::pipelines::{Compiled, Pipelines};
use super::reports::created;
use crate::error::Error;
use crate::program::{Buffer, Clear, Contents, Program, Recent, Usage};

/// A dispatch: its kernel, its bindings and its workgroups.
type Bound<'a, A> = (&'a Compiled<A>, <A as Api>::BindGroup, [u32; 2]);

/// Replays programs on one device.
#[derive(Debug)]
pub(super) struct Replay<A: Api> {
    pub(super) device: A::Device,
    pub(super) pipelines: Pipelines<A>,
    /// The tables of quantiles, each with its words.
    tables: Recent<(Arc<Vec<u32>>, A::Buffer)>,
}

impl<A: Api> Replay<A> {
    pub(super) fn new(device: &A::Device, cache: Option<A::PipelineCache>) -> Self {
        Self { device: device.clone(), pipelines: Pipelines::new(cache), tables: Recent::default() }
    }

    /// Records a program that was planned for this device. `destinations` are the caller's buffers.
    ///
    /// # Errors
    /// [`Error::Device`] where a buffer can't be created, [`Error::Refused`] where wgpu can't bind a buffer,
    /// [`Error::Program`] for a kernel of another library version. An error comes before anything is recorded.
    pub(super) fn record(
        &self,
        encoder: &mut A::Encoder,
        program: &Program,
        destinations: &[&A::Buffer],
    ) -> Result<(), Error> {
        let bound = created::<A, _>(&self.device, || self.bind(program, destinations))?;
        for Clear { buffer, offset, size } in &program.clears {
            A::clear(encoder, destinations[*buffer as usize], *offset, *size);
        }
        if bound.is_empty() {
            return Ok(());
        }
        let mut pass = A::begin_pass(encoder);
        for (kernel, group, workgroups) in &bound {
            A::dispatch(&mut pass, &kernel.pipeline, group, *workgroups);
        }
        Ok(())
    }

    /// Finds the errors of [`Self::record`], and records nothing.
    pub(super) fn check(&self, program: &Program, destinations: &[&A::Buffer]) -> Result<(), Error> {
        created::<A, _>(&self.device, || self.bind(program, destinations)).map(drop)
    }

    /// Creates the buffers, pipelines and bindings that a program needs. The result has one item for each
    /// dispatch.
    fn bind(&self, program: &Program, destinations: &[&A::Buffer]) -> Result<Vec<Bound<'_, A>>, Error> {
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
                (0..).zip(bindings).map(|(number, (buffer, binding))| A::entry(number, buffer, binding)),
            );
            let group = A::bind(&self.device, &kernel.pipeline, &entries);
            Ok((kernel, group, dispatch.workgroups))
        });
        bound.collect()
    }

    fn create(&self, buffer: &Buffer) -> Result<A::Buffer, Error> {
        match (&buffer.contents, buffer.usage) {
            (Contents::Words(words), Usage::Table) => self.table(buffer, words),
            (Contents::Words(words), _) => self.upload(buffer, words),
            (Contents::Zeros, _) => Ok(A::create(&self.device, buffer, usages_of::<A>(buffer))),
        }
    }

    fn upload(&self, buffer: &Buffer, words: &[u32]) -> Result<A::Buffer, Error> {
        A::upload(&self.device, buffer, usages_of::<A>(buffer), words)
    }

    fn table(&self, buffer: &Buffer, words: &Arc<Vec<u32>>) -> Result<A::Buffer, Error> {
        let is_it = |(of, _): &(Arc<Vec<u32>>, _)| Arc::ptr_eq(of, words) || of == words;
        let make = || Ok((Arc::clone(words), self.upload(buffer, words)?));
        self.tables.get_or_make(is_it, make).map(|(_, table)| table)
    }
}

fn usages_of<A: Api>(buffer: &Buffer) -> A::BufferUsages {
    match buffer.usage {
        Usage::Uniform => A::UNIFORM,
        Usage::Table => A::UNIFORM | A::STORAGE,
        Usage::Scratch => A::STORAGE,
    }
}
