//! Elements per second of every fill, per adapter, with what bounds it beside it.
//!
//! `cargo bench --bench fill` runs on every adapter that exists and on the host engine;
//! `cargo bench --bench fill -- lavapipe` on those whose benchmarks match. Compare within one run:
//! `clear_buffer` is the device's own way to write zeros, and `native` the same kernel as `normal`
//! with WGSL's built-in log, sqrt, sin and cos in place of the portable sequence.

use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use seedbed::gpu::{self, Gpu};
use seedbed::{Init, Initializer, Key, Math, Tensor, host, wgpu};

/// 64 MiB of f32: far out of every cache, and within the smallest binding that WebGPU allows.
const ELEMENTS: u64 = 16 << 20;
const SHAPE: [u64; 2] = [4096, ELEMENTS / 4096];
const KEY: Key = Key::new(42);
const NORMAL: Init = Init::normal(0.0, 0.02);
const CONSTANT: Init = Init::constant(0.01);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench_host(&mut criterion);
    let instance = wgpu::Instance::default();
    for adapter in pollster::block_on(gpu::adapters(&instance)) {
        let info = adapter.get_info();
        match pollster::block_on(Gpu::open(&adapter)) {
            Ok(gpu) => bench_gpu(&mut criterion, &group_name(&info), &gpu),
            Err(error) => eprintln!("left out: {error}"),
        }
    }
    criterion.final_summary();
}

/// The adapter's name as this project's tests call it, where they have one.
fn group_name(info: &wgpu::AdapterInfo) -> String {
    match info.backend {
        wgpu::Backend::Vulkan if info.name.contains("llvmpipe") => "lavapipe".into(),
        wgpu::Backend::Vulkan if info.name.contains("SwiftShader") => "swiftshader".into(),
        wgpu::Backend::Gl if info.name.contains("llvmpipe") => "gl".into(),
        // Criterion makes folders of names.
        _ => gpu::name(info).replace('/', "-"),
    }
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(ELEMENTS)).sample_size(10).measurement_time(Duration::from_secs(3));
    group.warm_up_time(Duration::from_secs(1));
    group
}

fn bench_host(criterion: &mut Criterion) {
    let mut group = group(criterion, "host");
    let mut values = vec![0.0_f32; ELEMENTS as usize];
    for (name, init) in [("constant", CONSTANT), ("normal", NORMAL), ("xavier_normal", Init::xavier_normal())]
    {
        group.bench_function(name, |b| b.iter(|| host::fill(&mut values, SHAPE, &init, KEY).unwrap()));
    }
    let mut words = vec![0; ELEMENTS as usize];
    group.bench_function("words", |b| b.iter(|| host::fill_words(&mut words, SHAPE, KEY).unwrap()));
}

fn bench_gpu(criterion: &mut Criterion, name: &str, gpu: &Gpu) {
    let mut group = group(criterion, name);
    let buffer = gpu.storage_buffer(4 * ELEMENTS);
    let portable = Initializer::new(&gpu.device);
    let native = Initializer::with_math(&gpu.device, Math::Native);
    let (weights, words) = (Tensor::f32(&buffer, SHAPE), Tensor::u32(&buffer, SHAPE));

    let mut bench = |name: &str, record: &dyn Fn(&mut wgpu::CommandEncoder)| {
        group.bench_function(name, |b| b.iter_custom(|times| (0..times).map(|_| time(gpu, record)).sum()));
    };
    bench("clear_buffer", &|encoder| encoder.clear_buffer(&buffer, 0, None));
    bench("constant", &|encoder| portable.fill(encoder, &weights, &CONSTANT, KEY).unwrap());
    bench("words", &|encoder| portable.fill_words(encoder, &words, KEY).unwrap());
    bench("normal", &|encoder| portable.fill(encoder, &weights, &NORMAL, KEY).unwrap());
    bench("xavier_normal", &|encoder| portable.fill(encoder, &weights, &Init::xavier_normal(), KEY).unwrap());
    bench("native", &|encoder| native.fill(encoder, &weights, &NORMAL, KEY).unwrap());
    gpu.check().unwrap();
}

/// From the submission to its end. Recording, a matter of microseconds, is not counted.
fn time(gpu: &Gpu, record: &dyn Fn(&mut wgpu::CommandEncoder)) -> Duration {
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    record(&mut encoder);
    let commands = encoder.finish();
    let start = Instant::now();
    gpu.queue.submit([commands]);
    gpu.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    start.elapsed()
}
