//! Tests of the WGSL as text: every kernel on every kind of device is valid, declares what Rust assumes, and can be
//! written for every backend.

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, StorageAccess, TypeInner};
use strum::VariantArray;

use super::choices::{Addressing, FillKernel, Grid, Math, Rounding, StorePath};
use super::device_class::DeviceClass;
use super::fill::FillVariant;
use super::generators::GeneratorSlot;
use super::orthogonal::{Access, OrthogonalKernel};
use super::params::{FillParams, OrthogonalParams};
use crate::init::kernel_args::Generator;

/// A module that some device gets.
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) is_portable: bool,
    int64: bool,
    entry_point: &'static str,
    workgroup_size: u32,
    /// Binding 0: fields and size of the block, and how many blocks.
    params: (&'static [(&'static str, usize)], usize, u32),
    /// Bindings 1, 2, ...
    bindings: Vec<Binding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binding {
    Uniform(u64),
    Storage(Access),
}

impl Variant {
    pub(super) fn parse(&self) -> Module {
        parse(&self.text)
    }

    fn validate(&self, module: &Module) -> ModuleInfo {
        let capabilities = if self.int64 { Capabilities::SHADER_INT64 } else { Capabilities::empty() };
        Validator::new(ValidationFlags::all(), capabilities)
            .validate(module)
            .unwrap_or_else(|error| panic!("{}: {}", self.name, error.emit_to_string(&self.text)))
    }
}

pub(super) fn parse(text: &str) -> Module {
    naga::front::wgsl::parse_str(text).unwrap_or_else(|error| panic!("{}", error.emit_to_string(text)))
}

impl FillKernel {
    /// A normal f32 kernel: the plainest one.
    pub(super) const NORMAL: Self = Self {
        generator: Generator::Normal,
        store_path: StorePath::Vectorized,
        rounding: Rounding::None,
        addressing: Addressing::Contiguous,
        grid: Grid::Single,
    };

    fn all() -> impl Iterator<Item = Self> {
        Generator::VARIANTS.iter().flat_map(|&generator| {
            StorePath::VARIANTS.iter().flat_map(move |&store_path| {
                Rounding::VARIANTS.iter().flat_map(move |&rounding| {
                    Addressing::VARIANTS.iter().flat_map(move |&addressing| {
                        Grid::VARIANTS.iter().map(move |&grid| Self {
                            generator,
                            store_path,
                            rounding,
                            addressing,
                            grid,
                        })
                    })
                })
            })
        })
    }
}

/// Every module that some device gets, with int64 and without.
pub(super) fn every_module() -> impl Iterator<Item = Variant> {
    let fills = FillKernel::all().flat_map(|kernel| {
        let maths = match GeneratorSlot::of(kernel.generator).has_normals {
            true => &[Math::Portable, Math::Native][..],
            false => &[Math::Portable],
        };
        maths.iter().flat_map(move |&math| {
            [true, false].into_iter().flat_map(move |int64| {
                [DeviceClass::Gpu, DeviceClass::Llvmpipe, DeviceClass::OtherCpu]
                    .map(|class| fill(FillVariant { kernel, int64, math, class }))
            })
        })
    });
    let orthogonals = OrthogonalKernel::VARIANTS
        .iter()
        .flat_map(|&kernel| [true, false].map(|int64| orthogonal(kernel, int64)));
    fills.chain(orthogonals)
}

fn fill(variant: FillVariant) -> Variant {
    let FillVariant { kernel, int64, math, class } = variant;
    let mut bindings = vec![Binding::Storage(Access::ReadWrite)];
    match (kernel.generator, class) {
        (Generator::Copy, _) | (Generator::TruncNormal, DeviceClass::Gpu) => {
            bindings.push(Binding::Storage(Access::Read));
        }
        (Generator::TruncNormal, _) => bindings.push(Binding::Uniform(512 * 16)),
        _ => {}
    }
    Variant {
        name: format!("{} {math:?} {class:?}, int64 {int64}", kernel.label()),
        text: variant.wgsl(),
        is_portable: math == Math::Portable,
        int64,
        entry_point: "fill",
        workgroup_size: class.workgroup_size(),
        params: (FillParams::OFFSETS, size_of::<FillParams>(), kernel.grid.blocks()),
        bindings,
    }
}

fn orthogonal(kernel: OrthogonalKernel, int64: bool) -> Variant {
    Variant {
        name: format!("{}, int64 {int64}", kernel.label()),
        text: kernel.wgsl(int64),
        is_portable: true,
        int64,
        entry_point: "orthogonal",
        workgroup_size: kernel.workgroup_size(),
        params: (OrthogonalParams::OFFSETS, size_of::<OrthogonalParams>(), 1),
        bindings: kernel.storage().iter().map(|&access| Binding::Storage(access)).collect(),
    }
}

#[test]
fn kernels_have_indexes_of_their_own() {
    let indexes: Vec<_> = FillKernel::all().map(FillKernel::index).collect();
    assert_eq!(indexes, (0..FillKernel::COUNT).collect::<Vec<_>>());
}

#[test]
fn every_module_is_valid_and_declares_what_rust_assumes() {
    for variant in every_module() {
        let module = variant.parse();
        variant.validate(&module);
        let [entry] = &module.entry_points[..] else { panic!("{}: one entry point", variant.name) };
        assert_eq!(
            (entry.name.as_str(), entry.workgroup_size),
            (variant.entry_point, [variant.workgroup_size, 1, 1]),
            "{}",
            variant.name
        );
        check_bindings(&variant, &module);
    }
}

/// The module declares each binding that Rust binds, of the same kind, and no other.
fn check_bindings(variant: &Variant, module: &Module) {
    let mut bound: Vec<_> = module
        .global_variables
        .iter()
        .filter_map(|(_, variable)| Some((variable.binding?.binding, variable.space, variable.ty)))
        .collect();
    bound.sort_by_key(|(binding, ..)| *binding);
    let (first, rest) = bound.split_first().expect("a module has parameters");
    let size_of = |ty: naga::Handle<naga::Type>| u64::from(module.types[ty].inner.size(module.to_ctx()));

    let (fields, size, blocks) = variant.params;
    assert_eq!((first.0, first.1), (0, AddressSpace::Uniform), "{}", variant.name);
    assert_eq!(size_of(first.2), size as u64 * u64::from(blocks), "{}", variant.name);
    let (_, params) = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some("Params")).unwrap();
    let TypeInner::Struct { members, span } = &params.inner else { panic!("not a struct") };
    let declared: Vec<_> =
        members.iter().map(|member| (member.name.as_deref().unwrap(), member.offset as usize)).collect();
    assert_eq!((declared.as_slice(), *span as usize), (fields, size), "{}", variant.name);

    let kinds: Vec<_> = rest
        .iter()
        .map(|&(_, space, ty)| match space {
            AddressSpace::Uniform => Binding::Uniform(size_of(ty)),
            AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                Binding::Storage(Access::ReadWrite)
            }
            AddressSpace::Storage { .. } => Binding::Storage(Access::Read),
            other => panic!("{}: bound in {other:?}", variant.name),
        })
        .collect();
    assert_eq!(kinds, variant.bindings, "{}", variant.name);
    let numbers: Vec<_> = rest.iter().map(|(binding, ..)| *binding).collect();
    assert_eq!(numbers, (1..=kinds.len() as u32).collect::<Vec<_>>(), "{}", variant.name);
}

/// A user meets no back end of naga first.
#[test]
fn every_module_is_written_by_every_back_end() {
    use naga::back::{glsl, hlsl, msl, spv};
    use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};

    for variant in every_module() {
        let module = variant.parse();
        let info = variant.validate(&module);
        let fail = |back_end: &str, error: &dyn std::fmt::Display| -> String {
            panic!("{} in {back_end}: {error}", variant.name)
        };
        let entry_point = variant.entry_point.to_owned();
        let policies = BoundsCheckPolicies { index: BoundsCheckPolicy::Restrict, ..Default::default() };

        let pipeline = spv::PipelineOptions {
            shader_stage: naga::ShaderStage::Compute,
            entry_point: entry_point.clone(),
        };
        let options = spv::Options { bounds_check_policies: policies, ..Default::default() };
        spv::write_vec(&module, &info, &options, Some(&pipeline))
            .unwrap_or_else(|error| panic!("{}", fail("SPIR-V", &error)));

        let mut text = String::new();
        let options = hlsl::Options { shader_model: hlsl::ShaderModel::V6_0, ..Default::default() };
        let pipeline = hlsl::PipelineOptions::default();
        let mut writer = hlsl::Writer::new(&mut text, &options, &pipeline);
        writer.write(&module, &info, None).unwrap_or_else(|error| panic!("{}", fail("HLSL", &error)));

        let options =
            msl::Options { lang_version: (2, 3), bounds_check_policies: policies, ..Default::default() };
        msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
            .unwrap_or_else(|error| panic!("{}", fail("MSL", &error)));

        // GLSL has no 64-bit integers, and wgpu offers none there.
        if !variant.int64 {
            let options = glsl::Options { version: glsl::Version::new_gles(310), ..Default::default() };
            let pipeline = glsl::PipelineOptions {
                shader_stage: naga::ShaderStage::Compute,
                entry_point,
                multiview: None,
            };
            let mut text = String::new();
            glsl::Writer::new(&mut text, &module, &info, &options, &pipeline, policies)
                .and_then(|mut writer| writer.write())
                .unwrap_or_else(|error| panic!("{}", fail("GLSL", &error)));
        }
    }
}

#[test]
fn each_part_has_a_mark() {
    let variant = FillVariant {
        kernel: FillKernel::NORMAL,
        int64: false,
        math: Math::Portable,
        class: DeviceClass::Gpu,
    };
    let text = variant.wgsl();
    let marks: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("// ---- ")).collect();
    assert_eq!(
        marks,
        [
            "prelude, written by src/kernel",
            "shaders/grid/single.wgsl",
            "shaders/math/multiply_high_u32.wgsl",
            "shaders/math/counter.wgsl",
            "shaders/math/philox_u32.wgsl",
            "shaders/math/keep.wgsl",
            "shaders/math/box_muller.wgsl",
            "shaders/math/standard_normals.wgsl",
            "shaders/generator/normal.wgsl",
            "shaders/block/of_words.wgsl",
            "shaders/pack/words.wgsl",
            "shaders/destination/vec4.wgsl",
            "shaders/store/vector.wgsl",
            "shaders/addressing/contiguous.wgsl",
            "shaders/entry/guarded.wgsl",
        ]
    );
}
