//! The generator slot: of each generator, what its WGSL needs and gives.

use super::source::{File, file};
use crate::init::kernel_args::Generator;

/// How a generator gives the values of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    /// `values_of(words)`: each element depends on its block's words alone.
    ValuesOfWords,
    /// `block_values(block)`.
    BlockValues,
}

/// What a generator needs of other slots, and its files.
#[derive(Clone, Copy, Debug)]
pub(super) struct GeneratorSlot {
    pub(super) gives: Gives,
    /// Whether the generator reads the stream.
    pub(super) has_words: bool,
    /// Whether the generator computes with floats, which pass through `keep()`.
    pub(super) has_floats: bool,
    /// Whether the generator calls `standard_normals()`.
    pub(super) has_normals: bool,
    /// Whether the generator reads a table of quantiles.
    pub(super) has_table: bool,
    pub(super) files: &'static [File],
}

impl GeneratorSlot {
    /// A generator of constants: it needs nothing.
    const PLAIN: Self = Self {
        gives: Gives::BlockValues,
        has_words: false,
        has_floats: false,
        has_normals: false,
        has_table: false,
        files: &[],
    };

    /// A generator that maps words to values.
    const OF_WORDS: Self = Self { gives: Gives::ValuesOfWords, has_words: true, ..Self::PLAIN };

    /// A generator that maps words to floats.
    const OF_FLOATS: Self = Self { has_floats: true, ..Self::OF_WORDS };

    pub(super) const fn of(generator: Generator) -> Self {
        match generator {
            Generator::Constant => Self { files: &[file!("generator/constant")], ..Self::PLAIN },
            Generator::Words => Self { files: &[file!("generator/words")], ..Self::OF_WORDS },
            Generator::Uniform => Self { files: &[file!("generator/uniform")], ..Self::OF_FLOATS },
            Generator::Normal => {
                Self { has_normals: true, files: &[file!("generator/normal")], ..Self::OF_FLOATS }
            }
            Generator::LogNormal => Self {
                has_normals: true,
                files: &[file!("math/exp"), file!("generator/log_normal")],
                ..Self::OF_FLOATS
            },
            Generator::TruncNormal => Self {
                has_table: true,
                files: &[file!("math/quantile"), file!("generator/trunc_normal")],
                ..Self::OF_FLOATS
            },
            Generator::Identity => {
                Self { files: &[file!("math/matrix"), file!("generator/identity")], ..Self::PLAIN }
            }
            Generator::Sparse => Self {
                gives: Gives::BlockValues,
                has_normals: true,
                files: &[file!("math/matrix"), file!("math/permutation"), file!("generator/sparse")],
                ..Self::OF_FLOATS
            },
            Generator::Copy => Self { files: &[file!("generator/copy")], ..Self::PLAIN },
        }
    }
}
