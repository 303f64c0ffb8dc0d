//! Programs: an executor that shares no code with the library's recorder writes the same bytes, by the page of
//! `seedbed::program` alone; and the recorder refuses a program that does not fit.

use std::collections::HashMap;

use seedbed::program::{
    BindingKind, Content, Contents, Destination, FillSpec, Placement, Planner, Program, Usage,
};
use seedbed::wgpu::{self, BufferUsages};
use seedbed::{DType, Error, Init, Key, Math, Region};

use crate::Check;
use crate::harness::assertions::assert_starts;
use crate::harness::cases::initialisers_of;
use crate::harness::engines::{Device, Engine, NO_COPY_DST, USAGE};

pub const CHECKS: &[Check] = &[
    Check::device("memory::programs_by_another_executor", programs_by_another_executor),
    Check::device("memory::programs_many_times", programs_many_times),
    Check::device("errors::programs_that_do_not_fit", programs_that_do_not_fit),
];

const KEY: Key = Key { seed: 0x5EED_BED0, offset: 99 };
const SHAPE: [u64; 2] = [130, 67];
/// Bytes between two tensors of the test. Rows of zeros can be cleared there.
const SLOT: u64 = 1 << 17;

/// What is planned: two buffers, every initialiser, every type, parts, rows with padding, an overwrite.
fn fills() -> Vec<(u32, Placement<'static>, Init)> {
    let mut fills = Vec::new();
    for (number, init) in (0..).zip(initialisers_of(&SHAPE).into_iter().chain([Init::orthogonal()])) {
        let dtype = [DType::F32, DType::F16, DType::BF16][number as usize % 3];
        let mut placement = match number % 4 {
            0 | 1 => Placement::new(dtype, SHAPE),
            2 => Placement::new(dtype, Region::from(SHAPE).elements(5..SHAPE[0] * SHAPE[1] - 2)),
            _ => Placement::new(dtype, Region::from(SHAPE).shard([3, 8], [100, 40])),
        };
        placement.offset = SLOT * u64::from(number / 2) + 4 * u64::from(number % 3);
        placement.row_pitch = (number % 4 == 3).then_some(256);
        fills.push((number % 2, placement, init));
    }
    // Over the first one, in part.
    let overwrite = Placement { offset: 4000, ..Placement::new(DType::F32, [100]) };
    fills.push((0, overwrite, Init::Ones));
    // Enough to be cleared.
    let zeros = Placement { offset: SLOT * 20, ..Placement::new(DType::F32, [SLOT / 4]) };
    fills.push((1, zeros, Init::Zeros));
    fills
}

const SIZE: u64 = SLOT * 21;

fn plan(planner: &Planner, can_clear: bool) -> Program {
    let fills = fills();
    let specs: Vec<_> = fills
        .iter()
        .map(|(buffer, placement, init)| FillSpec {
            name: None,
            destination: Destination { buffer: *buffer, size: SIZE, can_clear },
            placement,
            content: Content::Init(init),
            key: KEY,
        })
        .collect();
    planner.plan(&specs).expect("fills that are right")
}

/// The bytes of both buffers, by the host engine.
fn expected(device: &Device) -> Vec<Vec<u8>> {
    let sentinel = device.read(&device.sentinel_buffer(SIZE, USAGE));
    let mut buffers = vec![sentinel.clone(), sentinel];
    for (buffer, placement, init) in fills() {
        let values = Engine::Host.fill_bytes(placement.dtype, placement.region.clone(), &init, KEY);
        let size = placement.dtype.size();
        let row = *placement.region.local_shape().last().expect("a row") * size;
        let pitch = placement.row_pitch.unwrap_or(row);
        for (number, values) in (0..).zip(values.chunks(row as usize)) {
            let start = (placement.offset + number * pitch) as usize;
            buffers[buffer as usize][start..start + values.len()].copy_from_slice(values);
        }
    }
    buffers
}

/// The pipelines of an executor, by the texts of their kernels.
pub type Pipelines = HashMap<String, wgpu::ComputePipeline>;

/// Replays a program by the page of `seedbed::program`, with automatic layouts.
pub fn replay(
    device: &wgpu::Device,
    encoder: &mut wgpu::CommandEncoder,
    program: &Program,
    callers: &[wgpu::Buffer],
    pipelines: &mut Pipelines,
) {
    let own: Vec<wgpu::Buffer> = program
        .buffers
        .iter()
        .map(|buffer| {
            let usage = match buffer.usage {
                Usage::Uniform => BufferUsages::UNIFORM,
                Usage::Table => BufferUsages::UNIFORM | BufferUsages::STORAGE,
                _ => BufferUsages::STORAGE,
            };
            let mapped_at_creation = matches!(buffer.contents, Contents::Words(_));
            let size = buffer.size;
            let created = device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage,
                mapped_at_creation,
            });
            if let Contents::Words(words) = &buffer.contents {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                let mut mapped = created.get_mapped_range_mut(..).expect("a mapped buffer");
                mapped.slice(..).copy_from_slice(&bytes);
                drop(mapped);
                created.unmap();
            }
            created
        })
        .collect();
    assert_eq!(callers.len(), program.destinations as usize);
    let buffers: Vec<_> = callers.iter().chain(&own).collect();
    for kernel in &program.kernels {
        pipelines.entry(kernel.wgsl.clone()).or_insert_with(|| {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(kernel.wgsl.as_str().into()),
            });
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: Some(&kernel.entry_point),
                compilation_options: Default::default(),
                cache: None,
            })
        });
    }
    for clear in &program.clears {
        encoder.clear_buffer(buffers[clear.buffer as usize], clear.offset, Some(clear.size));
    }
    let mut pass = encoder.begin_compute_pass(&Default::default());
    for dispatch in &program.dispatches {
        let kernel = &program.kernels[dispatch.kernel as usize];
        let pipeline = &pipelines[&kernel.wgsl];
        let entries: Vec<_> = (0..)
            .zip(&dispatch.bindings)
            .map(|(number, binding)| {
                if let BindingKind::Uniform { size } = kernel.bindings[number as usize] {
                    assert_eq!(binding.size, size, "{}", kernel.label);
                }
                wgpu::BindGroupEntry {
                    binding: number,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: buffers[binding.buffer as usize],
                        offset: binding.offset,
                        size: wgpu::BufferSize::new(binding.size),
                    }),
                }
            })
            .collect();
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(dispatch.workgroups[0], dispatch.workgroups[1], 1);
    }
}

/// What a program that was stored and read again is: the same.
fn stored(program: Program) -> Program {
    #[cfg(feature = "serde")]
    {
        let text = serde_json::to_string(&program).expect("a program that can be stored");
        let read: Program = serde_json::from_str(&text).expect("a program that can be read");
        assert_eq!(read, program);
        read
    }
    #[cfg(not(feature = "serde"))]
    program
}

fn programs_by_another_executor(device: &Device) {
    let expected = expected(device);
    let mut pipelines = Pipelines::new();
    for usage in [USAGE, NO_COPY_DST] {
        let can_clear = usage.contains(BufferUsages::COPY_DST);
        let program = stored(plan(device.recorder.planner(), can_clear));
        assert_eq!(program.clears.is_empty(), !can_clear);
        program.validate(&[SIZE, SIZE]).expect("a program that fits");
        let buffers = [(); 2].map(|()| device.sentinel_buffer(SIZE, usage));
        device.submit(|encoder| replay(&device.gpu.device, encoder, &program, &buffers, &mut pipelines));
        for (buffer, expected) in buffers.iter().zip(&expected) {
            assert!(device.read(buffer) == *expected, "clears: {can_clear}");
        }
    }
}

/// A program is recorded again and again: into the same buffers, and into others.
fn programs_many_times(device: &Device) {
    let (expected, program) = (expected(device), stored(plan(device.recorder.planner(), true)));
    for _ in 0..2 {
        let buffers = [(); 2].map(|()| device.sentinel_buffer(SIZE, USAGE));
        let borrowed = buffers.each_ref();
        device
            .submit(|encoder| {
                device.recorder.replay(encoder, &program, &borrowed)?;
                device.recorder.replay(encoder, &program, &borrowed)
            })
            .expect("a program that fits");
        for (buffer, expected) in buffers.iter().zip(&expected) {
            assert!(device.read(buffer) == *expected);
        }
    }
}

fn programs_that_do_not_fit(device: &Device) {
    let right = plan(device.recorder.planner(), true);
    let buffers = [(); 2].map(|()| device.sentinel_buffer(SIZE, USAGE));
    let (small, uncleared) = (device.sentinel_buffer(64, USAGE), device.sentinel_buffer(SIZE, NO_COPY_DST));
    let mut elsewhere = *device.recorder.planner().device();
    elsewhere.limits.max_compute_workgroups_per_dimension /= 2;
    let elsewhere = plan(&Planner::new(elsewhere, Math::Portable), true);
    let changed = |change: &dyn Fn(&mut Program)| {
        let mut program = right.clone();
        change(&mut program);
        program
    };
    let [first, second] = buffers.each_ref();
    let both = [first, second];
    for (program, buffers, message) in [
        (elsewhere, &both[..], "the program can't be replayed: it was planned for another device"),
        (
            changed(&|p| p.contract += 1),
            &both,
            "the program can't be replayed: it follows version 2 of the numeric contract",
        ),
        (right.clone(), &both[..1], "the program can't be replayed: it has 2 destinations, but got 1"),
        (right.clone(), &[first, &small], "the program can't be replayed: "),
        (right.clone(), &[first, &uncleared], "the buffer was created with usage"),
        (
            changed(&|p| p.dispatches[0].kernel = 1000),
            &both,
            "the program can't be replayed: dispatch 0 uses",
        ),
        (
            changed(&|p| p.dispatches[0].bindings[1].buffer = 1 << 30),
            &both,
            "the program can't be replayed: ",
        ),
        (
            changed(&|p| p.dispatches[0].bindings[0].offset = u64::MAX),
            &both,
            "the program can't be replayed: ",
        ),
        (
            changed(&|p| p.dispatches[0].bindings.truncate(1)),
            &both,
            "the program can't be replayed: dispatch 0",
        ),
        (changed(&|p| p.clears[0].size = 0), &both, "the program can't be replayed: clear 0 uses 0 bytes"),
        (
            changed(&|p| p.clears[0].size -= 2),
            &both,
            "the program can't be replayed: clear 0 is not of whole words",
        ),
        (
            changed(&|p| p.dispatches[0].workgroups[1] = u32::MAX),
            &both,
            "the program can't be replayed: dispatch 0 has 4294967295 workgroups",
        ),
        (changed(&|p| p.dispatches[0].bindings[0].offset += 2), &both, "wgpu refused the fill: "),
        (
            changed(&|p| {
                let kernel = std::sync::Arc::make_mut(&mut p.kernels[0]);
                kernel.wgsl.push_str("// another text");
            }),
            &both,
            "the program can't be replayed: its kernel",
        ),
    ] {
        device.submit(|encoder| {
            // So that the right kernels are compiled.
            device.recorder.replay(encoder, &right, &both).expect("a program that fits");
            let result: Result<(), Error> = device.recorder.replay(encoder, &program, buffers);
            assert_starts(result, message);
        });
    }
    device.gpu.check().expect("a device that works");
    kernels_that_do_not_compile(device, &right, &both);
}

/// A kernel that does not compile is an error, and the recorder can compile the right one afterwards.
fn kernels_that_do_not_compile(device: &Device, right: &Program, buffers: &[&wgpu::Buffer]) {
    let recorder = device.fresh_recorder();
    for text in ["no WGSL", "@compute @workgroup_size(1) fn another_entry_point() {}"] {
        let mut program = right.clone();
        for kernel in &mut program.kernels {
            std::sync::Arc::make_mut(kernel).wgsl = text.into();
        }
        let label = &right.kernels[0].label;
        device.submit(|encoder| {
            let result = recorder.replay(encoder, &program, buffers);
            assert_starts(result, &format!("the GPU failed: the kernel {label} does not compile: "));
        });
    }
    device.submit(|encoder| recorder.replay(encoder, right, buffers)).expect("a program that fits");
    device.gpu.check().expect("a device that works");
}
