//! The engines that make the values: the host or a GPU. Both engines make window n + 1 while window n is
//! being written, and hold two windows at a time, however large the model is.

mod gpu;
mod host;

use anyhow::Result;

pub use self::gpu::GpuEngine;
use crate::fill::Fill;
use crate::window::Piece;

/// Takes the bytes of each piece, in order.
pub type Sink<'a> = dyn FnMut(&Piece, &[u8]) -> Result<()> + 'a;

/// An engine, which makes the values.
#[derive(Debug)]
pub enum Engine {
    Host,
    Gpu(Box<GpuEngine>),
}

impl Engine {
    /// Makes all fills, piece by piece, and hands each piece to `sink`. The first error of the engine or of
    /// `sink` stops the run.
    pub fn run(&mut self, fills: &[Fill], sink: &mut Sink<'_>) -> Result<()> {
        match self {
            Self::Host => host::run(fills, sink),
            Self::Gpu(gpu) => gpu.run(fills, sink),
        }
    }

    /// Checks whether the engine can make all fills.
    pub fn check(&self, fills: &[Fill]) -> Result<()> {
        match self {
            Self::Host => host::check(fills),
            Self::Gpu(gpu) => gpu.check(fills),
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
