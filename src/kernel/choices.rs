//! The choices of a fill's kernel.

use strum::VariantArray;

use super::constants::{MAX_GRID_ROWS, STRIP_VECTORS, VECTOR_BYTES};
use super::device_class::DeviceClass;
use crate::dtype::DType;
use crate::init::kernel_args::Generator;
use crate::math::philox::BLOCK;

/// Which arithmetic turns words into normals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Math {
    /// One fixed sequence of operations: the same bits on every device. The default.
    #[default]
    Portable,
    /// WGSL's `log`, `sqrt`, `sin` and `cos`: the same words, but normals that differ between
    /// devices, drivers and their versions (by up to about 1e-3), and from the host engine.
    /// For a device whose memory outruns its arithmetic and a program that needs no two runs on
    /// different devices to agree.
    Native,
}

/// How an invocation writes its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, VariantArray)]
pub(crate) enum StorePath {
    /// Whole vectors of 16 bytes, on their boundaries.
    Vectorized,
    /// Element by element, anywhere.
    Elementwise,
}

/// Whether a work item is one run of neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, VariantArray)]
pub(crate) enum Addressing {
    /// One run.
    Contiguous,
    /// Runs within strided dimensions.
    Strided,
}

/// How many work items a dispatch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, VariantArray)]
pub(crate) enum Grid {
    /// One.
    Single,
    /// Up to [`MAX_GRID_ROWS`]: each row of workgroups belongs to one work item, or to a part of one.
    Batched,
}

impl Grid {
    /// Parameter blocks that a dispatch binds.
    pub(crate) const fn blocks(self) -> u32 {
        match self {
            Self::Single => 1,
            Self::Batched => MAX_GRID_ROWS,
        }
    }
}

/// How a value is rounded to the element type. F32 values and words stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, VariantArray)]
pub(crate) enum Rounding {
    None,
    F16,
    Bf16,
}

impl Rounding {
    pub(crate) const fn of(dtype: DType) -> Self {
        match dtype {
            DType::F32 | DType::U32 => Self::None,
            DType::F16 => Self::F16,
            DType::BF16 => Self::Bf16,
        }
    }

    /// Elements of a vector.
    pub(crate) const fn elements_per_vector(self) -> u64 {
        VECTOR_BYTES / self.element_bytes()
    }

    pub(crate) const fn element_bytes(self) -> u64 {
        match self {
            Self::None => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

/// A fill's kernel: what identifies its pipeline on one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FillKernel {
    pub(crate) generator: Generator,
    pub(crate) store_path: StorePath,
    pub(crate) rounding: Rounding,
    pub(crate) addressing: Addressing,
    pub(crate) grid: Grid,
}

impl FillKernel {
    /// How many there are.
    pub(crate) const COUNT: usize = Generator::VARIANTS.len()
        * StorePath::VARIANTS.len()
        * Rounding::VARIANTS.len()
        * Addressing::VARIANTS.len()
        * Grid::VARIANTS.len();

    /// The kernel's index in a table of all kernels.
    pub(crate) const fn index(self) -> usize {
        let mut index = self.generator as usize;
        index = index * StorePath::VARIANTS.len() + self.store_path as usize;
        index = index * Rounding::VARIANTS.len() + self.rounding as usize;
        index = index * Addressing::VARIANTS.len() + self.addressing as usize;
        index * Grid::VARIANTS.len() + self.grid as usize
    }

    pub(crate) fn label(self) -> String {
        let Self { generator, store_path, rounding, addressing, grid } = self;
        let dtype = match (rounding, generator) {
            (Rounding::None, Generator::Words) => DType::U32,
            (Rounding::None, _) => DType::F32,
            (Rounding::F16, _) => DType::F16,
            (Rounding::Bf16, _) => DType::BF16,
        };
        let generator: &str = generator.into();
        let store_path = match store_path {
            StorePath::Vectorized => "vectorized",
            StorePath::Elementwise => "elementwise",
        };
        let strided = if addressing == Addressing::Strided { "_strided" } else { "" };
        let batched = if grid == Grid::Batched { "_batched" } else { "" };
        format!("seedbed::{generator}_{dtype}_{store_path}{strided}{batched}")
    }

    /// Elements that an invocation writes.
    pub(crate) const fn elements_per_invocation(self, class: DeviceClass) -> u64 {
        elements_per_invocation(self.generator, self.store_path, self.rounding, class)
    }
}

/// Elements that an invocation writes, by the choices that decide it.
pub(crate) const fn elements_per_invocation(
    generator: Generator,
    store_path: StorePath,
    rounding: Rounding,
    class: DeviceClass,
) -> u64 {
    let vector = rounding.elements_per_vector();
    match (store_path, generator, class) {
        (StorePath::Elementwise, ..) => BLOCK,
        (StorePath::Vectorized, Generator::Constant, DeviceClass::Llvmpipe) => STRIP_VECTORS as u64 * vector,
        (StorePath::Vectorized, Generator::Constant, DeviceClass::OtherCpu) => 8 * vector,
        (StorePath::Vectorized, _, DeviceClass::Llvmpipe) => 2 * BLOCK,
        (StorePath::Vectorized, ..) => vector,
    }
}
