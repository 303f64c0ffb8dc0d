//! WGSL -> Metal, by naga with the options of wgpu's Metal back end, and the call of the entry point in C++.

use std::fmt::Write;

use anyhow::{Context, Result, anyhow, bail};
use naga::back::msl;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, ArraySize, Module, ShaderStage, TypeInner};

/// The slot of the buffers' sizes. Binding `i` has slot `i`, and no kernel has so many.
const SIZES_SLOT: u8 = 16;

/// A kernel in C++: naga's text, and a function `symbol` that is a `Kernel` of `proof/metal/executor.hpp`.
///
/// # Errors
/// WGSL that naga refuses, or a text of naga that has another form than this function knows.
pub fn of(wgsl: &str, entry_point: &str, int64: bool, symbol: &str) -> Result<String> {
    let module = naga::front::wgsl::parse_str(wgsl).map_err(|error| anyhow!(error.emit_to_string(wgsl)))?;
    let capabilities = if int64 { Capabilities::SHADER_INT64 } else { Capabilities::empty() };
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .map_err(|error| anyhow!(error.emit_to_string(wgsl)))?;
    let (text, translation) = msl::write_string(
        &module,
        &info,
        &options(&module, entry_point),
        &msl::PipelineOptions {
            entry_point: Some((ShaderStage::Compute, entry_point.into())),
            ..Default::default()
        },
    )?;
    let name = translation.entry_point_names.first().context("naga wrote no entry point")?;
    let name = name.as_ref().map_err(|error| anyhow!("{error}"))?;
    let [entry] = &module.entry_points[..] else { bail!("a kernel has one entry point") };
    let [size, 1, 1] = entry.workgroup_size else { bail!("a workgroup has one dimension") };
    wrapped(&text, name, symbol, &runtime_sized(&module), size)
}

/// The options that wgpu-hal 30 gives (`load_shader` in `src/metal/device.rs`) for a module of
/// `create_shader_module`, whose runtime checks are all on.
fn options(module: &Module, entry_point: &str) -> msl::Options {
    let mut resources = msl::BindingMap::new();
    for (_, variable) in module.global_variables.iter() {
        if let Some(binding) = variable.binding {
            let mutable = match variable.space {
                AddressSpace::Storage { access } => access.contains(naga::StorageAccess::STORE),
                _ => false,
            };
            let buffer = Some(binding.binding as u8);
            resources.insert(binding, msl::BindTarget { buffer, mutable, ..Default::default() });
        }
    }
    let resources =
        msl::EntryPointResources { resources, immediates_buffer: None, sizes_buffer: Some(SIZES_SLOT) };
    let checked = BoundsCheckPolicy::Restrict;
    msl::Options {
        lang_version: (3, 2),
        per_entry_point_map: [(entry_point.to_owned(), resources)].into(),
        inline_samplers: Vec::new(),
        spirv_cross_compatibility: false,
        fake_missing_bindings: false,
        bounds_check_policies: BoundsCheckPolicies {
            index: checked,
            buffer: checked,
            image_load: checked,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        zero_initialize_workgroup_memory: true,
        force_loop_bounding: true,
        task_dispatch_limits: None,
        mesh_shader_primitive_indices_clamp: true,
        emit_int_div_checks: true,
        ray_query_initialization_tracking: true,
    }
}

/// The bindings of buffers whose length is not known before, in naga's order.
fn runtime_sized(module: &Module) -> Vec<u32> {
    let is_runtime_sized = |ty: naga::Handle<naga::Type>| {
        matches!(module.types[ty].inner, TypeInner::Array { size: ArraySize::Dynamic, .. })
    };
    let variables = module.global_variables.iter();
    variables.filter(|(_, v)| is_runtime_sized(v.ty)).filter_map(|(_, v)| Some(v.binding?.binding)).collect()
}

/// The kernel as a function of its workgroup, around naga's text. All functions of the text become one, as in Metal, so
/// that the compiler may fuse and reorder across their calls. Nobody writes to `constant` memory while a kernel runs,
/// which a compiler sees in a copy of its own.
fn wrapped(text: &str, entry: &str, symbol: &str, sized: &[u32], size: u32) -> Result<String> {
    let head = format!("kernel void {entry}(\n");
    let (_, rest) = text.split_once(&head).with_context(|| format!("naga wrote no {head:?}"))?;
    let (parameters, _) = rest.split_once("\n) {\n").context("naga wrote no end of the parameters")?;
    let (mut arguments, mut constants) = (Vec::new(), String::new());
    let (mut shared, mut reset) = (String::new(), String::new());
    if !sized.is_empty() {
        let sizes: Vec<_> = sized.iter().map(|binding| format!("bindings[{binding}].size")).collect();
        writeln!(constants, "    const _mslBufferSizes sizes = {{{}}};", sizes.join(", "))?;
    }
    for parameter in parameters.lines() {
        let parameter = parameter.trim_start_matches([',', ' ']);
        let (declaration, attribute) = match parameter.split_once(" [[") {
            Some((declaration, rest)) => (declaration, rest.strip_suffix("]]").context("no ]]")?),
            None => (parameter, ""),
        };
        let (ty, name) = declaration.rsplit_once(' ').context("a parameter without a type")?;
        let slot = attribute.strip_prefix("buffer(").and_then(|rest| rest.strip_suffix(')'));
        arguments.push(match slot.map(str::parse::<u8>).transpose()? {
            Some(SIZES_SLOT) => "sizes".to_owned(),
            Some(slot) => {
                let bound = format!("reinterpret_cast<{ty}>(*bindings[{slot}].data)");
                let copied = ty.strip_prefix("constant ").and_then(|ty| ty.strip_suffix('&'));
                let declared = copied.map_or_else(|| ty.to_owned(), |ty| format!("const {ty}"));
                writeln!(constants, "    {declared} binding_{slot} = {bound};")?;
                format!("binding_{slot}")
            }
            None if ty.starts_with("threadgroup ") => {
                let ty = ty.trim_end_matches('&');
                writeln!(shared, "{ty} shared_{name};")?;
                // What a kernel does not write itself must not look like zeros.
                writeln!(reset, "    memset(&shared_{name}, 0xA5, sizeof(shared_{name}));")?;
                format!("shared_{name}")
            }
            None => format!("place.{attribute}"),
        });
    }
    let call = format!("{entry}({});", arguments.join(", "));
    let parameters = "const executor::Binding* bindings, const executor::Place& group";
    let run = match text.contains("metal::threadgroup_barrier(") {
        true => format!("{reset}    executor::side_by_side(invocation, {size}, bindings, group);\n"),
        false => {
            let each = |condition: &str, local: &str| {
                format!(
                    "    if ({condition}) for (uint i = 0; i < {size}; i++) {{\n\
                     \x20       const executor::Place place = executor::of_invocation(all, {size}, {local});\n\
                     \x20       {call}\n    }}\n"
                )
            };
            let (forward, backward) = ("!executor::backward", "executor::backward");
            // The compiler knows that nobody writes to a copy.
            format!(
                "    const executor::Place all = group;\n{constants}{}{}",
                each(forward, "i"),
                each(backward, &format!("{size} - 1 - i"))
            )
        }
    };
    let invocation = match text.contains("metal::threadgroup_barrier(") {
        true => format!(
            "void invocation({}) {{\n{constants}    {call}\n}}\n",
            parameters.replace("group", "place")
        ),
        false => String::new(),
    };
    Ok(format!(
        "#include \"executor.hpp\"\n#include <simd/simd.h>\n\n\
         namespace {{\nINLINE_ALL\n{text}\nINLINE_END\n{shared}{invocation}}} // namespace\n\n\
         extern \"C\" void {symbol}({parameters}) {{\n{run}}}\n"
    ))
}
