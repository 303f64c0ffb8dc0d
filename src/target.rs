//! What runs the kernels, as far as their shape depends on it. No bit does.

use crate::gpu;

/// Kinds of adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Gpu,
    /// Mesa's processor: vectors of eight invocations at least, optimised by LLVM. What an invocation costs beside its
    /// elements is much there, so that two blocks to an invocation are faster.
    Llvmpipe,
    /// Another processor. SwiftShader spills what two blocks need.
    Processor,
}

impl Target {
    pub(crate) fn of(info: &wgpu::AdapterInfo) -> Self {
        if info.name.contains("llvmpipe") {
            Self::Llvmpipe
        } else if gpu::is_software(info) {
            Self::Processor
        } else {
            Self::Gpu
        }
    }

    pub(crate) const fn is_gpu(self) -> bool {
        matches!(self, Self::Gpu)
    }

    /// Invocations of a workgroup, as the shaders declare it (a test compares them).
    pub(crate) const fn workgroup_size(self) -> u32 {
        match self {
            Self::Llvmpipe => 128,
            Self::Gpu | Self::Processor => 256,
        }
    }
}
