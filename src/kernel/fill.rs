//! A fill's kernel by slots. Each slot takes one choice, or none; `shaders/README.md` has the table of slots.

use super::choices::{Addressing, FillKernel, Grid, Math, Rounding, StorePath};
use super::constants::{FILL, of_kernel};
use super::device_class::DeviceClass;
use super::generators::{GeneratorSlot, Gives};
use super::params::FillParams;
use super::source::{File, file, module};
use crate::init::kernel_args::Generator;
use crate::math::philox::BLOCK;

/// A kernel as one kind of device gets it. No field but `math` changes a bit of a result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FillVariant {
    pub(crate) kernel: FillKernel,
    pub(crate) int64: bool,
    pub(crate) math: Math,
    pub(crate) class: DeviceClass,
}

impl FillVariant {
    /// The module's text. Its entry point is `fill`.
    pub(crate) fn wgsl(self) -> String {
        let constants = [
            of_kernel("WORKGROUP_SIZE", self.class.workgroup_size(), &[" Invocations of a workgroup."]),
            of_kernel(
                "ELEMENTS_PER_INVOCATION",
                self.kernel.elements_per_invocation(self.class) as u32,
                &[" Elements that an invocation writes."],
            ),
        ];
        let slots = [
            self.grid(),
            self.multiplication(),
            self.stream(),
            self.keep(),
            self.normals(),
            self.table(),
            self.generator(),
            self.rounding(),
            self.block(),
            self.pack(),
            self.destination(),
            self.store(),
            self.addressing(),
            self.entry(),
        ];
        module(&[FILL, &constants], &FillParams::wgsl(), self.aliases(), &slots)
    }

    fn generator_slot(self) -> GeneratorSlot {
        GeneratorSlot::of(self.kernel.generator)
    }

    /// Whether an invocation computes two blocks: two blocks of 16-bit elements are one vector.
    fn has_pair(self) -> bool {
        self.kernel.store_path == StorePath::Vectorized
            && (self.kernel.rounding != Rounding::None
                || self.kernel.elements_per_invocation(self.class) == 2 * BLOCK)
    }

    /// Whether the two blocks of an invocation are computed side by side. Elsewhere than on llvmpipe, where that was
    /// measured, it may take more registers than there are.
    fn is_side_by_side(self) -> bool {
        self.has_pair() && self.class == DeviceClass::Llvmpipe
    }

    /// The vectors that Box-Muller computes with: one component for each pair of words.
    fn aliases(self) -> &'static str {
        match (self.generator_slot().has_normals, self.generates_pairs()) {
            (false, _) => "",
            (true, false) => {
                "alias Words = vec2<u32>;\nalias Integers = vec2<i32>;\nalias Floats = vec2<f32>;\n"
            }
            (true, true) => {
                "alias Words = vec4<u32>;\nalias Integers = vec4<i32>;\nalias Floats = vec4<f32>;\n"
            }
        }
    }

    /// Whether the generator gives `two_blocks` itself.
    fn generates_pairs(self) -> bool {
        self.kernel.generator == Generator::Normal && self.is_side_by_side()
    }

    fn grid(self) -> &'static [File] {
        match self.kernel.grid {
            Grid::Single => &[file!("grid/single")],
            Grid::Batched => &[file!("grid/batched")],
        }
    }

    fn multiplication(self) -> &'static [File] {
        match self.generator_slot().has_words || self.kernel.addressing == Addressing::Strided {
            true => multiply_high(self.int64),
            false => &[],
        }
    }

    fn stream(self) -> &'static [File] {
        match self.generator_slot().has_words {
            true => stream(self.int64),
            false => &[],
        }
    }

    fn keep(self) -> &'static [File] {
        match self.generator_slot().has_floats || self.kernel.rounding == Rounding::F16 {
            true => &[file!("math/keep")],
            false => &[],
        }
    }

    fn normals(self) -> &'static [File] {
        match (self.generator_slot().has_normals, self.math, self.generates_pairs()) {
            (false, ..) => &[],
            (true, Math::Portable, false) => &[file!("math/box_muller"), file!("math/standard_normals")],
            (true, Math::Portable, true) => &[file!("math/box_muller")],
            (true, Math::Native, false) => &[file!("math/box_muller_native"), file!("math/standard_normals")],
            (true, Math::Native, true) => &[file!("math/box_muller_native")],
        }
    }

    fn table(self) -> &'static [File] {
        match (self.generator_slot().has_table, self.class.is_gpu()) {
            (true, true) => &[file!("table/storage")],
            (true, false) => &[file!("table/uniform")],
            (false, _) => &[],
        }
    }

    fn generator(self) -> &'static [File] {
        match self.generates_pairs() {
            true => &[file!("generator/normal_pair")],
            false => self.generator_slot().files,
        }
    }

    fn rounding(self) -> &'static [File] {
        match self.kernel.rounding {
            Rounding::None => &[],
            Rounding::F16 => &[file!("rounding/f16")],
            Rounding::Bf16 => &[file!("rounding/bf16")],
        }
    }

    fn block(self) -> &'static [File] {
        match (self.generator_slot().gives, self.has_pair()) {
            _ if self.generates_pairs() => &[],
            (Gives::ValuesOfWords, true) if self.is_side_by_side() => &[file!("block/pair_of_words")],
            (Gives::ValuesOfWords, true) => &[file!("block/of_words"), file!("block/pair")],
            (Gives::ValuesOfWords, false) => &[file!("block/of_words")],
            (Gives::BlockValues, true) => &[file!("block/pair")],
            (Gives::BlockValues, false) => &[],
        }
    }

    fn pack(self) -> &'static [File] {
        match (self.kernel.store_path, self.kernel.rounding) {
            (StorePath::Elementwise, _) => &[],
            (StorePath::Vectorized, Rounding::None) if self.has_pair() => &[],
            (StorePath::Vectorized, Rounding::None) => &[file!("pack/words")],
            (StorePath::Vectorized, Rounding::F16 | Rounding::Bf16) => &[file!("pack/halves")],
        }
    }

    fn destination(self) -> &'static [File] {
        // Two neighbouring words are one of 64 bits, the first word in the low half.
        let int64 = self.int64 && cfg!(target_endian = "little");
        match (self.kernel.store_path, self.class, self.kernel.generator) {
            (StorePath::Elementwise, ..) => &[],
            (_, DeviceClass::Gpu | DeviceClass::OtherCpu, _) | (.., Generator::Constant) => {
                &[file!("destination/vec4")]
            }
            (_, DeviceClass::Llvmpipe, _) if int64 => {
                &[file!("destination/all_lanes"), file!("destination/llvmpipe_u64")]
            }
            (_, DeviceClass::Llvmpipe, _) => {
                &[file!("destination/all_lanes"), file!("destination/llvmpipe_u32")]
            }
        }
    }

    fn store(self) -> &'static [File] {
        match (self.kernel.store_path, self.kernel.rounding, self.kernel.generator, self.class) {
            (StorePath::Elementwise, Rounding::None, ..) => &[file!("store/elements_32")],
            (StorePath::Elementwise, Rounding::F16 | Rounding::Bf16, ..) => &[file!("store/elements_16")],
            (_, _, Generator::Constant, DeviceClass::Llvmpipe) => &[file!("store/constant_strips")],
            (_, _, Generator::Constant, DeviceClass::OtherCpu) => &[file!("store/constant")],
            (_, Rounding::None, ..) if self.has_pair() => &[file!("store/two_blocks")],
            _ => &[file!("store/vector")],
        }
    }

    fn addressing(self) -> &'static [File] {
        match (self.kernel.addressing, self.kernel.store_path) {
            (Addressing::Contiguous, _) => &[file!("addressing/contiguous")],
            (Addressing::Strided, StorePath::Vectorized) => {
                &[file!("addressing/strided"), file!("addressing/strided_vectors")]
            }
            (Addressing::Strided, StorePath::Elementwise) => {
                &[file!("addressing/strided"), file!("addressing/strided_elements")]
            }
        }
    }

    fn entry(self) -> &'static [File] {
        match (self.kernel.store_path, self.kernel.grid, self.class) {
            (StorePath::Vectorized, Grid::Single, DeviceClass::Llvmpipe) => &[file!("entry/clamped")],
            _ => &[file!("entry/guarded")],
        }
    }
}

/// The high word of a product, which Philox and strided runs need.
pub(super) const fn multiply_high(int64: bool) -> &'static [File] {
    if int64 { &[file!("math/multiply_high_u64")] } else { &[file!("math/multiply_high_u32")] }
}

/// The words of a block.
pub(super) const fn stream(int64: bool) -> &'static [File] {
    if int64 {
        &[file!("math/counter"), file!("math/philox_u64")]
    } else {
        &[file!("math/counter"), file!("math/philox_u32")]
    }
}
