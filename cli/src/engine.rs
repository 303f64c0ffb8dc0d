//! What makes the values: the host or a GPU. Both make window n + 1 while window n is being written,
//! and hold two windows, however large the model is.

mod gpu;
mod host;

use anyhow::Result;

pub use self::gpu::GpuEngine;
use crate::fill::Fill;
use crate::window::Piece;

/// Takes the bytes of each piece, in order.
pub type Sink<'a> = dyn FnMut(&Piece, &[u8]) -> Result<()> + 'a;

/// What makes the values.
#[derive(Debug)]
pub enum Engine {
    Host,
    Gpu(Box<GpuEngine>),
}

impl Engine {
    /// Makes all the fills, piece by piece, and shows them to `sink`. Stops at the first error of either.
    pub fn run(&mut self, fills: &[Fill], sink: &mut Sink<'_>) -> Result<()> {
        match self {
            Self::Host => host::run(fills, sink),
            Self::Gpu(gpu) => gpu.run(fills, sink),
        }
    }

    /// Whether it can make all of it.
    pub fn check(&self, fills: &[Fill]) -> Result<()> {
        match self {
            Self::Host => host::check(fills),
            Self::Gpu(gpu) => gpu.check(fills),
        }
    }

    /// The name by which `--adapter` chooses it.
    pub fn name(&self) -> &str {
        match self {
            Self::Host => "host",
            Self::Gpu(gpu) => gpu.name(),
        }
    }
}
