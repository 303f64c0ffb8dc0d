//! The golden lists through other compilers: the shaders that they make run on an adapter, past wgpu's own compiler.

mod reassociate;
mod replay;
mod translate;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use pollster::block_on;
use seedbed::gpu::{Gpu, pick_named};
use seedbed::program::{Device, DeviceClass, Limits, Program};
use seedbed::wgpu::{self, Features};

use self::replay::Executor;
use self::translate::{Path, Source, Tools};
use crate::golden::{Folder, List};

/// The arguments of `seedbed-proof compilers`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    golden: Folder,
    /// The adapter's name, or a part of the name
    #[arg(long)]
    adapter: Option<String>,
    /// The paths that the kernels take to the adapter [default: all]
    #[arg(long = "path", value_enum)]
    paths: Vec<Path>,
    /// The program of proof/dxc.cpp
    #[arg(long, value_name = "FILE", default_value = "dxc")]
    dxc: PathBuf,
    /// spirv-opt of SPIRV-Tools
    #[arg(long, value_name = "FILE", default_value = "spirv-opt")]
    spirv_opt: PathBuf,
    /// spirv-val of SPIRV-Tools
    #[arg(long, value_name = "FILE", default_value = "spirv-val")]
    spirv_val: PathBuf,
    /// Leave out the kernels for software adapters
    #[arg(long)]
    quick: bool,
    /// Add the lists whose buffers are larger than WebGPU's default limit
    #[arg(long)]
    large: bool,
    /// Translate only, and write the SPIR-V into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["load", "adapter"])]
    save: Option<PathBuf>,
    /// Take the SPIR-V from this folder, and call no compiler
    #[arg(long, value_name = "FOLDER")]
    load: Option<PathBuf>,
    /// A negative control: make keep() the identity, and fail unless some path changes some bits
    #[arg(long)]
    without_keep: bool,
    /// A negative control: replace a text in all kernels, and fail unless some path changes some bits
    #[arg(long, value_name = "OLD=NEW")]
    replace: Vec<String>,
}

/// The results of the functions `keep()`, each of which is the function's parameter `x`, unknown to a compiler.
const KEEP: [&str; 3] = [
    "bitcast<f32>(bitcast<u32>(x) ^ params.zero)",
    "bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) ^ vec4<u32>(params.zero))",
    "bitcast<Floats>(bitcast<Words>(x) ^ Words(params.zero))",
];

/// Translates and compares, and prints a line for each path.
///
/// # Errors
/// A missing tool, a kernel that a compiler rejects, a failure of the adapter, or bits that differ. With a negative
/// control, no bits that differ.
pub fn run(arguments: &Arguments) -> Result<()> {
    let lists: Vec<_> =
        arguments.golden.lists()?.into_iter().filter(|list| arguments.large || !list.large).collect();
    let adapter = match arguments.save {
        Some(_) => None,
        None => Some(open(arguments.adapter.as_deref())?),
    };
    let int64 = adapter.as_ref().is_none_or(|adapter| adapter.features().contains(Features::SHADER_INT64));
    let plans = plan(&lists, int64, arguments)?;
    let sources = sources(&plans, arguments)?;
    let elements: u64 = lists.iter().map(List::elements).sum();
    println!("{} lists of {elements} elements, on {} kinds of device", lists.len(), plans.len());
    let tools = Tools {
        dxc: arguments.dxc.clone(),
        spirv_opt: arguments.spirv_opt.clone(),
        spirv_val: arguments.spirv_val.clone(),
    };
    let paths = match &arguments.paths[..] {
        [] => Path::value_variants(),
        paths => paths,
    };
    if arguments.load.is_none() {
        tools.print_versions(paths)?;
    }
    let (mut failures, mut differences) = (Vec::new(), 0);
    for &path in paths {
        let started = Instant::now();
        let result = walk(path, arguments, &tools, &sources, adapter.as_ref(), &lists, &plans);
        let seconds = started.elapsed().as_secs_f64();
        match result {
            Ok(Walked { report, different }) => {
                println!("{path}: {report} ({seconds:.1} s)");
                differences += different;
            }
            Err(error) => {
                println!("{path}: FAILED ({seconds:.1} s): {error:#}");
                failures.push(path.to_string());
            }
        }
    }
    ensure!(failures.is_empty(), "these paths failed: {}", failures.join(", "));
    let is_control = arguments.without_keep || !arguments.replace.is_empty();
    match (is_control, differences) {
        (_, _) if adapter.is_none() => Ok(()),
        (false, 0) => Ok(()),
        (true, 0) => {
            bail!("the kernels were changed, but no path gave other bits: the comparison proves nothing")
        }
        (true, _) => Ok(()),
        (false, _) => bail!("{differences} buffers differ from the host's"),
    }
}

fn open(name: Option<&str>) -> Result<wgpu::Adapter> {
    let (name, adapter) = block_on(pick_named(&wgpu::Instance::default(), name))?;
    let info = adapter.get_info();
    println!("{name} ({} {})", info.driver, info.driver_info);
    ensure!(
        adapter.features().contains(Features::PASSTHROUGH_SHADERS) && info.backend == wgpu::Backend::Vulkan,
        "{name} takes no SPIR-V: pick an adapter of Vulkan"
    );
    Ok(adapter)
}

/// The programs of all lists, for a kind of device.
struct Plan {
    device: Device,
    programs: Vec<Program>,
}

/// Plans all lists for each kind of device: its class, and whether it has 64-bit integers.
fn plan(lists: &[List], int64: bool, arguments: &Arguments) -> Result<Vec<Plan>> {
    let classes = match arguments.quick {
        true => &[DeviceClass::Gpu][..],
        false => &[DeviceClass::Gpu, DeviceClass::Llvmpipe, DeviceClass::OtherCpu],
    };
    let mut limits = Limits::default();
    if arguments.large {
        limits.max_buffer_size = 1 << 30;
    }
    let mut plans = Vec::new();
    for &class in classes {
        for int64 in if int64 { &[false, true][..] } else { &[false] } {
            let device = Device { limits, int64: *int64, class };
            let programs = lists.iter().map(|list| list.plan(device)).collect::<Result<_>>()?;
            plans.push(Plan { device, programs });
        }
    }
    Ok(plans)
}

/// The kernels of the plans, each once, with the changes of a negative control.
fn sources<'plan>(plans: &'plan [Plan], arguments: &Arguments) -> Result<Vec<Source<'plan>>> {
    let mut replacements: Vec<_> =
        KEEP.iter().filter(|_| arguments.without_keep).map(|&old| (old, "x")).collect();
    for replacement in &arguments.replace {
        replacements.push(replacement.split_once('=').context("--replace takes OLD=NEW")?);
    }
    let kernels = plans.iter().flat_map(|plan| plan.programs.iter().flat_map(|program| &program.kernels));
    let mut sources = HashMap::new();
    for kernel in kernels {
        sources.entry(kernel.wgsl.as_str()).or_insert_with(|| Source::new(kernel, &replacements));
    }
    for (old, _) in replacements {
        ensure!(sources.keys().any(|text| text.contains(old)), "no kernel has the text {old:?}");
    }
    let mut sources: Vec<_> = sources.into_values().collect();
    sources.sort_by(|a, b| a.text.cmp(&b.text));
    Ok(sources)
}

struct Walked {
    report: String,
    different: u64,
}

/// Takes all kernels along a path, and all programs after them.
fn walk(
    path: Path,
    arguments: &Arguments,
    tools: &Tools,
    sources: &[Source<'_>],
    adapter: Option<&wgpu::Adapter>,
    lists: &[List],
    plans: &[Plan],
) -> Result<Walked> {
    let modules = match &arguments.load {
        Some(_) if !path.runs() => {
            return Ok(Walked { report: "left out: its output does not run here".into(), different: 0 });
        }
        Some(folder) => sources.iter().map(|source| source.load(folder, path)).collect::<Result<_>>()?,
        None => tools.translate_all(path, sources)?,
    };
    let bytes: usize = modules.iter().map(|module| 4 * module.len()).sum();
    let mut report = format!("{} kernels, {} KiB", sources.len(), bytes >> 10);
    if let Some(folder) = &arguments.save
        && path.runs()
    {
        std::fs::create_dir_all(folder)?;
        for (source, module) in sources.iter().zip(&modules) {
            source.save(folder, path, module)?;
        }
    }
    let Some(adapter) = adapter.filter(|_| path.runs()) else {
        return Ok(Walked { report, different: 0 });
    };
    let modules: HashMap<_, _> =
        sources.iter().map(|source| source.kernel.wgsl.as_str()).zip(modules).collect();
    let (mut buffers, mut bytes, mut wrong) = (0, 0, Vec::new());
    for plan in plans {
        let features = match plan.device.int64 {
            true => Features::PASSTHROUGH_SHADERS | Features::SHADER_INT64,
            false => Features::PASSTHROUGH_SHADERS,
        };
        // A device of its own, since the first error of a device stays.
        let gpu = block_on(Gpu::open_with(adapter, features, adapter.limits()))?;
        let mut executor = Executor::new(gpu, &modules);
        for (list, program) in lists.iter().zip(&plan.programs) {
            let context = || format!("{} on {:?}, int64 {}", list.name, plan.device.class, plan.device.int64);
            let found = executor.run(&list.buffers, program).with_context(context)?;
            for (buffer, found) in list.buffers.iter().zip(found) {
                buffers += 1;
                bytes += buffer.bytes;
                if found != buffer.sha256 {
                    wrong.push(context());
                }
            }
        }
    }
    report += &format!("; {buffers} buffers, {bytes} bytes compared: {} buffers differ", wrong.len());
    if let Some(first) = wrong.first() {
        report += &format!(", the first of {first}");
    }
    Ok(Walked { report, different: wrong.len() as u64 })
}
