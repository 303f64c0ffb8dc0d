//! What runs the kernels, as far as their shape depends on it. No bit of a result does.

/// The kind of a device: it chooses among kernels that write the same bits at different speeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DeviceClass {
    /// A GPU.
    Gpu,
    /// Mesa's llvmpipe and lavapipe: a processor whose SIMD lanes run at least eight invocations, compiled by LLVM. Each
    /// invocation has a high fixed cost there, so one invocation computes two blocks.
    Llvmpipe,
    /// Another processor, such as SwiftShader, which spills registers when one invocation computes two blocks.
    OtherCpu,
}

impl DeviceClass {
    /// The class of an adapter by its name, and by whether it computes on the CPU.
    pub fn of(name: &str, is_cpu: bool) -> Self {
        if name.contains("llvmpipe") {
            Self::Llvmpipe
        } else if is_cpu {
            Self::OtherCpu
        } else {
            Self::Gpu
        }
    }

    pub(crate) const fn is_gpu(self) -> bool {
        matches!(self, Self::Gpu)
    }

    /// Invocations of a workgroup of a fill.
    pub(crate) const fn workgroup_size(self) -> u32 {
        match self {
            // llvmpipe computes every invocation of a workgroup, so a small fill pays for a large workgroup.
            Self::Llvmpipe => 128,
            // Whole waves of every GPU, and no more than every device allows.
            Self::Gpu | Self::OtherCpu => 256,
        }
    }
}
