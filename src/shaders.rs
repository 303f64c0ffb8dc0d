//! WGSL files -> one shader module per kernel.

use std::borrow::Cow;

use crate::Math;
use crate::dispatch::Store;
use crate::distribution::Distribution;

/// Invocations of a workgroup, as `shaders/fill.wgsl` declares it (a test compares them).
pub(crate) const WORKGROUP_SIZE: u32 = 256;

macro_rules! wgsl {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl"))
    };
}

/// What a kernel makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    Constant,
    Words,
    Normal,
}

impl From<Distribution> for Values {
    fn from(distribution: Distribution) -> Self {
        match distribution {
            Distribution::Constant { .. } => Self::Constant,
            Distribution::Words => Self::Words,
            Distribution::Normal { .. } => Self::Normal,
        }
    }
}

/// A compute pipeline's identity on one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kernel {
    pub(crate) values: Values,
    pub(crate) store: Store,
}

impl Kernel {
    pub(crate) const COUNT: usize = 6;

    /// Its place in a table of all kernels.
    pub(crate) fn index(self) -> usize {
        self.values as usize * 2 + self.store as usize
    }

    pub(crate) fn label(self) -> &'static str {
        match (self.values, self.store) {
            (Values::Constant, Store::Vec4) => "seedbed::Initializer::constant_vec4",
            (Values::Constant, Store::Words) => "seedbed::Initializer::constant_words",
            (Values::Words, Store::Vec4) => "seedbed::Initializer::words_vec4",
            (Values::Words, Store::Words) => "seedbed::Initializer::words_words",
            (Values::Normal, Store::Vec4) => "seedbed::Initializer::normal_vec4",
            (Values::Normal, Store::Words) => "seedbed::Initializer::normal_words",
        }
    }
}

/// What a device makes of a kernel: the same bits whatever `int64` is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) kernel: Kernel,
    pub(crate) int64: bool,
    pub(crate) math: Math,
}

impl Source {
    /// The module's text: the files it needs, the entry point last.
    pub(crate) fn text(self) -> Cow<'static, str> {
        let mut parts = vec![wgsl!("params")];
        if self.kernel.values != Values::Constant {
            parts.push(wgsl!("counter"));
            parts.push(if self.int64 { wgsl!("philox_u64") } else { wgsl!("philox_u32") });
        }
        match self.kernel.values {
            Values::Constant => parts.push(wgsl!("fill_constant")),
            Values::Words => parts.push(wgsl!("fill_words")),
            Values::Normal => {
                parts.push(wgsl!("keep"));
                parts.push(match self.math {
                    Math::Portable => wgsl!("box_muller"),
                    Math::Native => wgsl!("box_muller_native"),
                });
                parts.push(wgsl!("fill_normal"));
            }
        }
        parts.push(match self.kernel.store {
            Store::Vec4 => wgsl!("store_vec4"),
            Store::Words => wgsl!("store_words"),
        });
        parts.push(wgsl!("fill"));
        parts.join("\n").into()
    }
}

#[cfg(test)]
#[path = "shaders/lint.rs"]
mod lint;
