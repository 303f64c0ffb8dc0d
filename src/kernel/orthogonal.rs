//! The kernels that make an orthogonal matrix, in the order of their use.

use strum::VariantArray;

use super::constants::{ORTHOGONAL, of_kernel};
use super::fill::{multiply_high, stream};
use super::params::OrthogonalParams;
use super::source::{File, file, module};

/// A kernel that makes an orthogonal matrix: what identifies its pipeline on one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, VariantArray)]
pub(crate) enum OrthogonalKernel {
    Normals,
    Reflect,
    Project,
    Gather,
    Solve,
    Update,
    Store,
}

/// Whether a kernel reads a binding alone, or writes to it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadWrite,
}

impl OrthogonalKernel {
    /// Invocations of a workgroup.
    pub(crate) const fn workgroup_size(self) -> u32 {
        match self {
            Self::Normals | Self::Reflect | Self::Store => 256,
            Self::Project | Self::Gather | Self::Solve | Self::Update => 64,
        }
    }

    /// Bindings 1, 2, ...: storage buffers, after the parameters at 0.
    pub(crate) const fn storage(self) -> &'static [Access] {
        use Access::{Read, ReadWrite};
        match self {
            Self::Normals | Self::Solve => &[ReadWrite, ReadWrite],
            Self::Reflect => &[ReadWrite, ReadWrite, ReadWrite, ReadWrite],
            Self::Project | Self::Update => &[Read, Read, ReadWrite],
            Self::Gather | Self::Store => &[Read, ReadWrite],
        }
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Normals => "seedbed::orthogonal_normals",
            Self::Reflect => "seedbed::orthogonal_reflect",
            Self::Project => "seedbed::orthogonal_project",
            Self::Gather => "seedbed::orthogonal_gather",
            Self::Solve => "seedbed::orthogonal_solve",
            Self::Update => "seedbed::orthogonal_update",
            Self::Store => "seedbed::orthogonal_store",
        }
    }

    /// The module's text. Its entry point is `orthogonal`. `int64` changes no bit of a result.
    pub(crate) fn wgsl(self, int64: bool) -> String {
        let size = [of_kernel("WORKGROUP_SIZE", self.workgroup_size(), &[" Invocations of a workgroup."])];
        let (aliases, words) = match self {
            Self::Normals => (
                "alias Words = vec2<u32>;\nalias Integers = vec2<i32>;\nalias Floats = vec2<f32>;\n",
                [multiply_high(int64), stream(int64)],
            ),
            _ => ("", [&[][..], &[]]),
        };
        let slots = [&[file!("orthogonal/chunks"), file!("math/keep")], words[0], words[1], self.files()];
        module(&[ORTHOGONAL, &size], &OrthogonalParams::wgsl(), aliases, &slots)
    }

    fn files(self) -> &'static [File] {
        match self {
            Self::Normals => &[
                file!("math/box_muller"),
                file!("math/standard_normals"),
                file!("orthogonal/partials"),
                file!("orthogonal/normals"),
            ],
            Self::Reflect => {
                &[file!("orthogonal/reciprocal"), file!("orthogonal/partials"), file!("orthogonal/reflect")]
            }
            Self::Project => &[file!("orthogonal/project")],
            Self::Gather => &[file!("orthogonal/gather")],
            Self::Solve => &[file!("orthogonal/solve")],
            Self::Update => &[file!("orthogonal/update")],
            Self::Store => &[file!("orthogonal/store")],
        }
    }
}
