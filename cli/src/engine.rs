//! The engines that make the values: the host or a GPU. Both engines make window n + 1 while window n is
//! being written, and hold two windows at a time, however large the model is.

mod gpu;
mod host;

use anyhow::Result;
use seedbed_model::{Keys, Model, Tensor};

pub use self::gpu::GpuEngine;
use crate::window::Piece;

/// Takes the bytes of each piece, in order.
pub type Sink<'a> = dyn FnMut(&Piece, &[u8]) -> Result<()> + 'a;

/// What an engine makes.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The tensors, in the order of the file.
    pub tensors: &'a [Tensor],
    /// The keys of their streams.
    pub keys: Keys,
    /// The model whose data are copied.
    pub source: Option<&'a Model>,
}

impl Job<'_> {
    /// The number of bytes.
    pub fn bytes(&self) -> Result<u64> {
        let mut sum = 0_u64;
        for tensor in self.tensors {
            sum = sum.saturating_add(tensor.bytes()?);
        }
        Ok(sum)
    }
}

/// An engine, which makes the values.
#[derive(Debug)]
pub enum Engine {
    Host,
    Gpu(Box<GpuEngine>),
}

impl Engine {
    /// Makes all tensors, piece by piece, and hands each piece to `sink`. The first error of the engine or of
    /// `sink` stops the run.
    pub fn run(&mut self, job: Job<'_>, sink: &mut Sink<'_>) -> Result<()> {
        match self {
            Self::Host => host::run(job, sink),
            Self::Gpu(gpu) => gpu.run(job, sink),
        }
    }

    /// Checks whether the engine can make all tensors.
    pub fn check(&self, tensors: &[Tensor]) -> Result<()> {
        match self {
            Self::Host => host::check(tensors),
            Self::Gpu(gpu) => gpu.check(tensors),
        }
    }

    /// The name by which `--adapter` chooses the engine.
    pub fn name(&self) -> &str {
        match self {
            Self::Host => "host",
            Self::Gpu(gpu) => gpu.name(),
        }
    }
}
