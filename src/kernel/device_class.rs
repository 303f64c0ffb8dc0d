//! The class of a device. The shape of a kernel depends on the class; no bit of a result does.

/// The class of a device, which chooses among kernels that write the same bits at different speeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DeviceClass {
    /// A GPU.
    Gpu,
    /// Mesa's llvmpipe and lavapipe: a processor that runs at least eight invocations in its SIMD lanes, with
    /// code that LLVM compiles. Each invocation has a high fixed cost, so one invocation computes two blocks.
    Llvmpipe,
    /// Another processor, such as SwiftShader, which spills registers when one invocation computes two
    /// blocks.
    OtherCpu,
}

/// Parts of the names of adapters that compute on the CPU. OpenGL calls such an adapter `Other`, so the name
/// decides.
const RENDERERS: [&str; 4] = ["llvmpipe", "softpipe", "SwiftShader", "Microsoft Basic Render"];

impl DeviceClass {
    /// The class of an adapter by its name, and by whether the API says that it computes on the CPU.
    pub fn of(name: &str, is_cpu: bool) -> Self {
        let contains =
            |part: &str| name.as_bytes().windows(part.len()).any(|window| window == part.as_bytes());
        if contains("llvmpipe") {
            Self::Llvmpipe
        } else if is_cpu || RENDERERS.iter().any(|renderer| contains(renderer)) {
            Self::OtherCpu
        } else {
            Self::Gpu
        }
    }

    pub(crate) const fn is_gpu(self) -> bool {
        matches!(self, Self::Gpu)
    }

    /// The number of invocations in a workgroup of a fill.
    pub(crate) const fn workgroup_size(self) -> u32 {
        match self {
            // llvmpipe computes every invocation of a workgroup, so a small fill pays for a large workgroup.
            Self::Llvmpipe => 128,
            // Whole waves of every GPU, and no more than every device allows.
            Self::Gpu | Self::OtherCpu => 256,
        }
    }
}
