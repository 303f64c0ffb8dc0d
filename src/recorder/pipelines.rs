//! Kernels -> pipelines of one device, each compiled once.

use std::sync::{Arc, OnceLock};

use super::api::Api;
use super::reports::compiled;
use crate::error::Error;
use crate::program::{Kernel, Planner};

/// The pipelines of one device.
#[derive(Debug)]
pub(super) struct Pipelines<A: Api> {
    cache: Option<A::PipelineCache>,
    /// The compiled kernels, by id.
    compiled: Box<[OnceLock<Compiled<A>>]>,
}

/// A compiled kernel.
#[derive(Debug)]
pub(super) struct Compiled<A: Api> {
    kernel: Arc<Kernel>,
    pub(super) pipeline: A::Pipeline,
}

impl<A: Api> Pipelines<A> {
    /// A table without pipelines. The driver's compilations will go into `cache`.
    pub(super) fn new(cache: Option<A::PipelineCache>) -> Self {
        Self { cache, compiled: std::iter::repeat_with(OnceLock::new).take(Planner::KERNELS).collect() }
    }

    /// The pipeline of a kernel, compiled at the first call.
    ///
    /// # Errors
    /// [`Error::Program`] where another kernel has the same id: the program was planned for another device,
    /// or by another version of this library. [`Error::Device`] where the kernel does not compile.
    pub(super) fn get(&self, device: &A::Device, kernel: &Arc<Kernel>) -> Result<&Compiled<A>, Error> {
        let other = || Error::Program {
            reason: format!("its kernel {} is not this recorder's kernel {}", kernel.label, kernel.id),
        };
        let slot = self.compiled.get(kernel.id as usize).ok_or_else(other)?;
        let compiled = match slot.get() {
            Some(compiled) => compiled,
            // A failure leaves the slot empty, so the next call compiles again.
            None => {
                let compile = || A::compile(device, kernel, self.cache.as_ref());
                let pipeline = compiled::<A, _>(device, &kernel.label, compile)?;
                slot.get_or_init(|| Compiled { kernel: Arc::clone(kernel), pipeline })
            }
        };
        let same = Arc::ptr_eq(&compiled.kernel, kernel) || compiled.kernel == *kernel;
        same.then_some(compiled).ok_or_else(other)
    }
}
