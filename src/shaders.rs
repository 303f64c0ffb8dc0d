//! WGSL files -> one shader module per kernel.

use std::borrow::Cow;

use crate::init::kernel_args::KernelArgs;
use crate::jobs::{Store, VECTOR_BYTES};
use crate::math::philox::BLOCK;
use crate::target::Target;
use crate::{DType, Init, Math, ScaledDistribution};

macro_rules! wgsl {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl"))
    };
}

pub(crate) mod orthogonal;

/// What a kernel makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Values {
    Constant,
    Words,
    Uniform,
    Normal,
    TruncNormal,
    Identity,
    Sparse,
    /// Of a matrix that other kernels have made.
    Copy,
}

impl From<&KernelArgs> for Values {
    fn from(args: &KernelArgs) -> Self {
        match args {
            KernelArgs::Constant { .. } => Self::Constant,
            KernelArgs::Words => Self::Words,
            KernelArgs::Uniform { .. } => Self::Uniform,
            KernelArgs::Normal { .. } => Self::Normal,
            KernelArgs::TruncNormal { .. } => Self::TruncNormal,
            KernelArgs::Identity { .. } => Self::Identity,
            KernelArgs::Sparse { .. } => Self::Sparse,
            KernelArgs::Orthogonal { .. } => Self::Copy,
        }
    }
}

impl Values {
    const COUNT: usize = 8;

    /// Of most fills of an initialiser; an unusual shape or scale makes a constant of some.
    pub(crate) fn of(init: &Init) -> Self {
        match init {
            Init::Constant { .. } | Init::Zeros | Init::Ones => Self::Constant,
            Init::Uniform { .. } | Init::XavierUniform { .. } | Init::KaimingUniform(_) => Self::Uniform,
            Init::Normal { .. } | Init::XavierNormal { .. } | Init::KaimingNormal(_) => Self::Normal,
            Init::TruncNormal { .. } => Self::TruncNormal,
            Init::Eye | Init::Dirac { .. } => Self::Identity,
            Init::Orthogonal { .. } => Self::Copy,
            Init::Sparse { .. } => Self::Sparse,
            Init::VarianceScaling(scaling) => match scaling.distribution {
                ScaledDistribution::Normal => Self::Normal,
                ScaledDistribution::TruncatedNormal => Self::TruncNormal,
                ScaledDistribution::Uniform => Self::Uniform,
            },
        }
    }

    /// Elements that an invocation stores, as the shaders declare it (a test compares them).
    pub(crate) const fn stored(self, store: Store, dtype: DType, target: Target) -> u64 {
        match (store, self, target) {
            (Store::Ragged, ..) => BLOCK,
            (Store::Whole, Self::Constant, Target::Llvmpipe) => 16 * VECTOR_BYTES / dtype.size(),
            (Store::Whole, Self::Constant, Target::Processor) => 8 * VECTOR_BYTES / dtype.size(),
            (Store::Whole, _, Target::Llvmpipe) => 2 * BLOCK,
            (Store::Whole, ..) => VECTOR_BYTES / dtype.size(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Words => "words",
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::TruncNormal => "trunc_normal",
            Self::Identity => "identity",
            Self::Sparse => "sparse",
            Self::Copy => "copy",
        }
    }
}

/// How many jobs a dispatch can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jobs {
    One,
    /// One job, or a stretch of one, for each row of the grid, of which there are up to [`MOST_ROWS`].
    Many,
}

/// Rows of the grid of [`Jobs::Many`], as `shaders/jobs_many.wgsl` declares it (a test compares them).
pub(crate) const MOST_ROWS: u32 = 64;

impl Jobs {
    /// Parameter blocks that a dispatch binds.
    pub(crate) fn blocks(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Many => MOST_ROWS,
        }
    }
}

/// Whether there are loops around the runs of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loops {
    /// One run.
    None,
    Some,
}

/// A compute pipeline's identity on one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kernel {
    pub(crate) values: Values,
    pub(crate) store: Store,
    pub(crate) dtype: DType,
    pub(crate) loops: Loops,
    pub(crate) jobs: Jobs,
}

impl Kernel {
    pub(crate) const COUNT: usize = Values::COUNT * 2 * 3 * 2 * 2;

    /// Its place in a table of all kernels.
    pub(crate) fn index(self) -> usize {
        let dtype = match self.dtype {
            DType::F32 | DType::U32 => 0,
            DType::F16 => 1,
            DType::BF16 => 2,
        };
        let stores = (self.values as usize * 2 + self.store as usize) * 3 + dtype;
        (stores * 2 + self.loops as usize) * 2 + self.jobs as usize
    }

    pub(crate) fn label(self) -> String {
        let Self { values, store, dtype, loops, jobs } = self;
        let store = if store == Store::Whole { "whole" } else { "ragged" };
        let nested = if loops == Loops::Some { "_nested" } else { "" };
        let many = if jobs == Jobs::Many { "_many" } else { "" };
        format!("seedbed::FillRecorder::{}_{dtype}_{store}{nested}{many}", values.name())
    }
}

/// What a device makes of a kernel: the same bits whatever `int64` is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) kernel: Kernel,
    pub(crate) int64: bool,
    pub(crate) math: Math,
    pub(crate) target: Target,
}

impl Source {
    /// The module's text: the files it needs, the entry point last.
    pub(crate) fn text(self) -> Cow<'static, str> {
        let Kernel { values, store, dtype, loops, jobs } = self.kernel;
        let workgroup = match self.target.workgroup_size() {
            128 => wgsl!("workgroup_128"),
            _ => wgsl!("workgroup_256"),
        };
        let mut parts = vec![wgsl!("params"), workgroup];
        parts.push(match jobs {
            Jobs::One => wgsl!("jobs_one"),
            Jobs::Many => wgsl!("jobs_many"),
        });
        let has_words = !matches!(values, Values::Constant | Values::Identity | Values::Copy);
        if has_words || loops == Loops::Some {
            parts.push(multiply_high(self.int64));
        }
        if has_words {
            parts.extend([wgsl!("counter"), philox(self.int64)]);
        }
        let has_arithmetic =
            matches!(values, Values::Uniform | Values::Normal | Values::TruncNormal | Values::Sparse);
        if has_arithmetic || dtype == DType::F16 {
            parts.push(wgsl!("keep"));
        }
        // Whether an invocation makes two blocks: of 16-bit elements they are one vector.
        let is_narrow = dtype.size() == 2;
        let two_blocks = store == Store::Whole && (is_narrow || self.stored() == 2 * BLOCK);
        // Side by side where that was measured: elsewhere it may take more registers than there are.
        let side_by_side = two_blocks && self.target == Target::Llvmpipe;
        let normal_of_two = values == Values::Normal && side_by_side;
        if matches!(values, Values::Normal | Values::Sparse) {
            parts.push(if normal_of_two { wgsl!("lanes_four") } else { wgsl!("lanes_two") });
            parts.extend([wgsl!("cos_sin"), box_muller(self.math)]);
            if !normal_of_two {
                parts.push(wgsl!("standard_normals"));
            }
        }
        if matches!(values, Values::Identity | Values::Sparse) {
            parts.push(wgsl!("matrix"));
        }
        match values {
            Values::Constant => parts.push(wgsl!("fill_constant")),
            Values::Words => parts.push(wgsl!("fill_words")),
            Values::Uniform => parts.push(wgsl!("fill_uniform")),
            Values::Normal if normal_of_two => parts.push(wgsl!("fill_normal_two")),
            Values::Normal => parts.push(wgsl!("fill_normal")),
            Values::TruncNormal => {
                parts.push(if self.target.is_gpu() {
                    wgsl!("table_storage")
                } else {
                    wgsl!("table_uniform")
                });
                parts.extend([wgsl!("quantile"), wgsl!("fill_trunc_normal")]);
            }
            Values::Identity => parts.push(wgsl!("fill_identity")),
            Values::Sparse => parts.extend([wgsl!("permute"), wgsl!("fill_sparse")]),
            Values::Copy => parts.push(wgsl!("fill_copy")),
        }
        match dtype {
            DType::F32 | DType::U32 => {}
            DType::F16 => parts.push(wgsl!("narrow_f16")),
            DType::BF16 => parts.push(wgsl!("narrow_bf16")),
        }
        // `fill_normal_two` is of two blocks anyway.
        if !normal_of_two {
            let of_words =
                matches!(values, Values::Words | Values::Uniform | Values::Normal | Values::TruncNormal);
            if of_words && side_by_side {
                parts.push(wgsl!("two_blocks_of_words"));
            } else {
                parts.extend(of_words.then_some(wgsl!("block_of_words")));
                parts.extend(two_blocks.then_some(wgsl!("two_blocks")));
            }
        }
        if store == Store::Whole {
            parts.extend(self.destination());
        }
        match (store, is_narrow) {
            (Store::Whole, true) => parts.extend([wgsl!("vector_halves"), self.store_vectors()]),
            (Store::Whole, false) if two_blocks => parts.push(wgsl!("store_two_blocks")),
            (Store::Whole, false) => parts.extend([wgsl!("vector_words"), self.store_vectors()]),
            (Store::Ragged, true) => parts.push(wgsl!("store_halves")),
            (Store::Ragged, false) => parts.push(wgsl!("store_words")),
        }
        match loops {
            Loops::None => parts.push(wgsl!("runs_one")),
            Loops::Some => parts.extend([
                wgsl!("runs_nested"),
                match store {
                    Store::Whole => wgsl!("runs_nested_whole"),
                    Store::Ragged => wgsl!("runs_nested_ragged"),
                },
            ]),
        }
        parts.push(match (store, jobs, self.target) {
            (Store::Whole, Jobs::One, Target::Llvmpipe) => wgsl!("fill_clamped"),
            _ => wgsl!("fill"),
        });
        parts.join("\n").into()
    }
}

impl Source {
    /// Elements that an invocation stores.
    fn stored(self) -> u64 {
        let Kernel { values, store, dtype, .. } = self.kernel;
        values.stored(store, dtype, self.target)
    }

    /// Where vectors go.
    const fn destination(self) -> &'static [&'static str] {
        // Two words in a row are one of 64 bits, the first in its low half.
        let wide = self.int64 && cfg!(target_endian = "little");
        match (self.target, self.kernel.values, wide) {
            (Target::Gpu | Target::Processor, ..) | (_, Values::Constant, _) => &[wgsl!("destination")],
            (Target::Llvmpipe, _, true) => &[wgsl!("all_lanes"), wgsl!("destination_lanes_u64")],
            (Target::Llvmpipe, _, false) => &[wgsl!("all_lanes"), wgsl!("destination_lanes_u32")],
        }
    }

    const fn store_vectors(self) -> &'static str {
        match (self.kernel.values, self.target) {
            (Values::Constant, Target::Llvmpipe) => wgsl!("store_constant_strips"),
            (Values::Constant, Target::Processor) => wgsl!("store_constant"),
            _ => wgsl!("store_vector"),
        }
    }
}

/// What [`philox`] and runs within loops multiply by.
pub(crate) const fn multiply_high(int64: bool) -> &'static str {
    if int64 { wgsl!("multiply_high_u64") } else { wgsl!("multiply_high_u32") }
}

/// The same words, by the multiplication that the device has.
pub(crate) const fn philox(int64: bool) -> &'static str {
    if int64 { wgsl!("philox_u64") } else { wgsl!("philox_u32") }
}

pub(crate) const fn box_muller(math: Math) -> &'static str {
    match math {
        Math::Portable => wgsl!("box_muller"),
        Math::Native => wgsl!("box_muller_native"),
    }
}

#[cfg(test)]
#[path = "shaders/lint.rs"]
mod lint;

#[cfg(test)]
#[path = "shaders/cost.rs"]
mod cost;
