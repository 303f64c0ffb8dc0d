//! `seedbed program`: the kernels and dispatches of a fill, for a person or for another executor.

use anyhow::Context;
use seedbed::gpu::Gpu;
use seedbed::program::{
    Binding, BindingKind, Content, Destination, Device, FillSpec, Placement, Planner, Program, Usage,
};
use seedbed::{DType, FillRecorder, Key, Math};

use crate::args::ProgramArgs;
use crate::failure::Failure;
use crate::values::PlanFor;
use crate::{select, stdout};

/// Plans the fill and prints its program.
pub fn print(args: &ProgramArgs) -> Result<(), Failure> {
    let program = plan(args)?;
    let text = match (args.json, args.kernel) {
        (true, _) => serde_json::to_string(&program).map_err(Failure::run)? + "\n",
        (false, Some(number)) => match program.kernels.get(number) {
            Some(kernel) => kernel.wgsl.clone(),
            None => {
                let count = program.kernels.len();
                let error =
                    anyhow::anyhow!("--kernel {number}: the program has {count} kernels, counted from 0");
                return Err(Failure::Input(error));
            }
        },
        (false, None) => describe(args, &program),
    };
    stdout::print(&text)
}

fn plan(args: &ProgramArgs) -> Result<Program, Failure> {
    let dtype = DType::from(args.dtype);
    let placement = Placement::new(dtype, args.shape.0.as_slice());
    let count = placement.region.element_count().map_err(Failure::input)?;
    // A region has at most 2^60 elements.
    let size = (count * dtype.size()).next_multiple_of(4);
    let destination = Destination { buffer: 0, size, can_clear: true };
    let content = Content::Init(&args.init);
    let spec = FillSpec { name: None, destination, placement: &placement, content, key: Key::new(args.seed) };
    let named = |error: seedbed::Error| match error {
        // The list has only one fill, so its number says nothing.
        seedbed::Error::Fill { error, .. } => Failure::input(*error),
        error => Failure::input(error),
    };
    match &args.limits {
        PlanFor::WebGpu => Planner::new(Device::webgpu(), Math::Portable).plan(&[spec]).map_err(named),
        PlanFor::Adapter(name) => {
            let adapter = select::named(name)?.adapter;
            let gpu = pollster::block_on(Gpu::open(&adapter)).context("--limits").map_err(Failure::run)?;
            FillRecorder::new(&gpu.device).planner().plan(&[spec]).map_err(named)
        }
    }
}

fn describe(args: &ProgramArgs, program: &Program) -> String {
    let mut text = String::new();
    let mut line = |line: String| text += &comment(&line);
    let device = match &args.limits {
        PlanFor::WebGpu => "any WebGPU device",
        PlanFor::Adapter(name) => name,
    };
    let int64 = if program.device.int64 { "with" } else { "without" };
    line(format!("{}, shape {:?}, {}", args.init, args.shape.0, DType::from(args.dtype)));
    line(format!("for {device}: {:?}, {int64} 64-bit integers", program.device.class));
    line(String::new());
    line("buffer  bytes       use".into());
    for number in 0..program.destinations {
        line(format!("{number:>6}  {:<10}  the caller's", ""));
    }
    for (number, buffer) in (program.destinations..).zip(&program.buffers) {
        let usage = match buffer.usage {
            Usage::Uniform => "uniform",
            Usage::Table => "uniform and storage",
            Usage::Scratch => "storage, zeros at first",
            _ => "other",
        };
        line(format!("{number:>6}  {:<10}  {usage} ({})", buffer.size, buffer.label));
    }
    line(String::new());
    let range = |b: &Binding| format!("{}[{}..{}]", b.buffer, b.offset, b.offset + b.size);
    for clear in &program.clears {
        line(format!("clear {}[{}..{}]", clear.buffer, clear.offset, clear.offset + clear.size));
    }
    line("dispatch  kernel  workgroups     bindings 0, 1, ... as buffer[bytes]".into());
    for (number, dispatch) in program.dispatches.iter().enumerate() {
        let [x, y] = dispatch.workgroups;
        let bindings: Vec<_> = dispatch.bindings.iter().map(range).collect();
        let workgroups = format!("{x} x {y}");
        line(format!("{number:>8}  {:>6}  {workgroups:<13}  {}", dispatch.kernel, bindings.join("  ")));
    }
    for (number, kernel) in program.kernels.iter().enumerate() {
        let kinds = kernel.bindings.iter().map(|kind| match kind {
            BindingKind::Uniform { size } => format!("uniform of {size} bytes"),
            BindingKind::ReadOnlyStorage => "read-only storage".into(),
            BindingKind::Storage => "storage".into(),
            _ => "other".into(),
        });
        let mut line = |line: String| text += &comment(&line);
        line(String::new());
        line(format!("==== kernel {number}: {}", kernel.label));
        line(format!("entry point {}, workgroups of {}", kernel.entry_point, kernel.workgroup_size));
        line(format!("bindings: {}", kinds.collect::<Vec<_>>().join(", ")));
        text += &kernel.wgsl;
    }
    text
}

/// The line as a comment of WGSL.
fn comment(line: &str) -> String {
    format!("{}\n", format!("// {line}").trim_end())
}
