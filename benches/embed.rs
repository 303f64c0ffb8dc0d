//! The costs of embedding: compiling the kernels of a fill, the first submission, recording, and running many
//! small fills.
//!
//! `cargo bench --bench embed` runs on every adapter that exists. Set `MESA_SHADER_CACHE_DISABLE=true` for
//! Mesa's drivers, which otherwise read kernels that they have compiled before from the disk.

use std::time::{Duration, Instant};

use criterion::Criterion;
use seedbed::gpu::{self, Gpu};
use seedbed::{DType, Fill, FillRecorder, Init, Key, TensorView, wgpu};

const MODEL: Key = Key::new(42);
/// The number of elements of a small fill, such as a layer's bias.
const SMALL: u64 = 100;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let instance = wgpu::Instance::default();
    for (name, adapter) in pollster::block_on(gpu::named_adapters(&instance)) {
        let name = name.replace('/', "-");
        match pollster::block_on(Gpu::open(&adapter)) {
            Ok(gpu) => bench(&mut criterion, &name, &gpu),
            Err(error) => eprintln!("left out: {error}"),
        }
    }
    criterion.final_summary();
}

/// A parameter of GPT-2, as its authors initialise it.
struct Parameter {
    name: String,
    shape: Vec<u64>,
    init: Init,
}

fn gpt2() -> Vec<Parameter> {
    let manifest: serde_json::Value = serde_json::from_str(include_str!("../models/gpt2.json")).unwrap();
    let shape = |entry: &serde_json::Value| {
        entry["shape"].as_array().unwrap().iter().map(|d| d.as_u64().unwrap()).collect()
    };
    let init = |name: &str| match name {
        _ if name.ends_with(".bias") => Init::Zeros,
        _ if name.contains("ln_") => Init::Ones,
        _ => Init::normal(0.0, 0.02),
    };
    let parameters = manifest["parameters"].as_object().unwrap().iter();
    parameters
        .map(|(name, entry)| Parameter { name: name.clone(), shape: shape(entry), init: init(name) })
        .collect()
}

fn bytes(parameter: &Parameter) -> u64 {
    4 * parameter.shape.iter().product::<u64>()
}

fn bench(criterion: &mut Criterion, name: &str, gpu: &Gpu) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));

    for (init, text) in
        [(Init::Ones, "ones"), (Init::xavier_normal(), "xavier_normal"), (Init::orthogonal(), "orthogonal")]
    {
        group.bench_function(format!("compile_{text}"), |b| {
            b.iter(|| FillRecorder::new(&gpu.device).prepare(&init, DType::F32).unwrap());
        });
    }

    // The driver compiles a kernel when a device first runs it, although the pipeline exists.
    let matrix = gpu.storage_buffer(4 * 64 * 64);
    for (init, text) in [(Init::xavier_normal(), "xavier_normal"), (Init::orthogonal(), "orthogonal")] {
        let tensor = TensorView::f32(&matrix, [64, 64]);
        let mut submissions = |name: &str, warm: bool| {
            group.bench_function(format!("{name}_{text}"), |b| {
                b.iter_custom(|times| {
                    let measure = |_| {
                        let recorder = FillRecorder::new(&gpu.device);
                        recorder.prepare(&init, DType::F32).unwrap();
                        let submit = || {
                            let record =
                                |encoder: &mut _| recorder.fill(encoder, &tensor, &init, MODEL).unwrap();
                            submitted(gpu, timed(gpu, record).1)
                        };
                        let first = submit();
                        if warm { submit() } else { first }
                    };
                    (0..times).map(measure).sum()
                });
            });
        };
        submissions("first_submission", false);
        submissions("second_submission", true);
    }

    let recorder = FillRecorder::new(&gpu.device);
    let mut bench = |name: &str, fills: &[Fill<'_>], run: bool| {
        // Runs are measured first: recordings that are thrown away leave the device with work.
        if run {
            group.bench_function(format!("run_{name}"), |b| {
                b.iter_custom(|times| {
                    let record = |encoder: &mut _| recorder.fill_all(encoder, fills).unwrap();
                    (0..times).map(|_| submitted(gpu, timed(gpu, record).1)).sum()
                });
            });
        }
        group.bench_function(format!("record_{name}"), |b| {
            b.iter_custom(|times| {
                let record = |encoder: &mut _| recorder.fill_all(encoder, fills).unwrap();
                (0..times).map(|_| recorded(gpu, record)).sum()
            });
        });
    };

    let small = gpu.storage_buffer(10_000 * 4 * SMALL);
    let small_fills: Vec<_> = (0..10_000)
        .map(|i| {
            let tensor = TensorView::f32(&small, [SMALL]).at(4 * SMALL * i);
            Fill::new(tensor, Init::uniform(-0.1, 0.1), MODEL.fold_in(i))
        })
        .collect();
    bench("1_small", &small_fills[..1], true);
    bench("10000_small", &small_fills, true);

    let parameters = gpt2();
    let total: u64 = parameters.iter().map(bytes).sum();
    if total <= gpu.device.limits().max_buffer_size {
        let arena = gpu.storage_buffer(total);
        let mut offset = 0;
        let fills: Vec<_> = parameters
            .iter()
            .map(|p| {
                let tensor = TensorView::f32(&arena, &p.shape).at(offset);
                offset += bytes(p);
                Fill::named(&p.name, tensor, p.init, MODEL)
            })
            .collect();
        bench("1", &fills[1..2], false);
        bench(&format!("{}_in_one_buffer", fills.len()), &fills, false);
    }
    let buffers: Vec<_> = parameters.iter().map(|p| gpu.storage_buffer(bytes(p))).collect();
    let fills: Vec<_> = parameters
        .iter()
        .zip(&buffers)
        .map(|(p, buffer)| Fill::named(&p.name, TensorView::f32(buffer, &p.shape), p.init, MODEL))
        .collect();
    bench(&format!("{}_in_many_buffers", fills.len()), &fills, false);

    group.bench_function("record_10000_small_one_by_one", |b| {
        let record = |encoder: &mut _| {
            for fill in &small_fills {
                recorder.fill_all(encoder, std::slice::from_ref(fill)).unwrap();
            }
        };
        b.iter_custom(|times| (0..times).map(|_| recorded(gpu, record)).sum());
    });
    gpu.check().unwrap();
}

/// The time that recording takes. The recorded commands are thrown away, and their memory is freed.
fn recorded(gpu: &Gpu, record: impl FnOnce(&mut wgpu::CommandEncoder)) -> Duration {
    let (time, encoder) = timed(gpu, record);
    drop(encoder);
    gpu.device.poll(wgpu::PollType::Poll).unwrap();
    time
}

/// The time that recording takes, and the encoder with the recorded commands.
fn timed(gpu: &Gpu, record: impl FnOnce(&mut wgpu::CommandEncoder)) -> (Duration, wgpu::CommandEncoder) {
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    let start = Instant::now();
    record(&mut encoder);
    (start.elapsed(), encoder)
}

/// The time from the end of recording to the end of the work.
fn submitted(gpu: &Gpu, encoder: wgpu::CommandEncoder) -> Duration {
    let start = Instant::now();
    gpu.queue.submit([encoder.finish()]);
    gpu.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    start.elapsed()
}
