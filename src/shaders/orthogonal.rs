//! The kernels of orthogonal matrices.

use std::borrow::Cow;

/// Reflections that are applied together, as `shaders/orthogonal_params.wgsl` declares it.
pub(crate) const PANEL: u64 = 32;
/// Rows whose products are added one after the other, as `shaders/orthogonal_params.wgsl` declares it.
pub(crate) const CHUNK: u64 = 128;
/// Rows that an invocation updates, as `shaders/orthogonal_update.wgsl` declares it.
pub(crate) const UPDATE_ROWS: u64 = 16;
/// Words of the state: a sum and an error for every lane of a column, and a scale for every column.
pub(crate) const STATE: u64 = 2 * 256 + PANEL;

/// A compute pipeline's identity on one device, in the order of their use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    Normals,
    Reflect,
    Project,
    Gather,
    Solve,
    Update,
    Store,
}

impl Kernel {
    pub(crate) const ALL: [Self; 7] =
        [Self::Normals, Self::Reflect, Self::Project, Self::Gather, Self::Solve, Self::Update, Self::Store];

    /// Invocations of a workgroup, as the kernel's file declares it.
    pub(crate) const fn workgroup_size(self) -> u32 {
        match self {
            Self::Normals | Self::Reflect | Self::Store => 256,
            Self::Project | Self::Gather | Self::Solve | Self::Update => 64,
        }
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Normals => "seedbed::Orthogonal::normals",
            Self::Reflect => "seedbed::Orthogonal::reflect",
            Self::Project => "seedbed::Orthogonal::project",
            Self::Gather => "seedbed::Orthogonal::gather",
            Self::Solve => "seedbed::Orthogonal::solve",
            Self::Update => "seedbed::Orthogonal::update",
            Self::Store => "seedbed::Orthogonal::store",
        }
    }
}

/// What a device makes of a kernel: the same bits whatever `int64` is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) kernel: Kernel,
    pub(crate) int64: bool,
}

impl Source {
    /// The module's text: the files it needs, the entry point last.
    pub(crate) fn text(self) -> Cow<'static, str> {
        let mut parts = vec![wgsl!("orthogonal_params"), wgsl!("keep")];
        match self.kernel {
            Kernel::Normals => parts.extend([
                wgsl!("counter"),
                super::multiply_high(self.int64),
                super::philox(self.int64),
                wgsl!("lanes_two"),
                wgsl!("cos_sin"),
                super::box_muller(crate::Math::Portable),
                wgsl!("standard_normals"),
                wgsl!("orthogonal_lanes"),
                wgsl!("orthogonal_normals"),
            ]),
            Kernel::Reflect => parts.extend([
                wgsl!("orthogonal_reciprocal"),
                wgsl!("orthogonal_lanes"),
                wgsl!("orthogonal_reflect"),
            ]),
            Kernel::Project => parts.push(wgsl!("orthogonal_project")),
            Kernel::Gather => parts.push(wgsl!("orthogonal_gather")),
            Kernel::Solve => parts.push(wgsl!("orthogonal_solve")),
            Kernel::Update => parts.push(wgsl!("orthogonal_update")),
            Kernel::Store => parts.push(wgsl!("orthogonal_store")),
        }
        parts.join("\n").into()
    }
}
