//! The speed of every initialiser in elements per second, on each adapter, beside the adapter's bounds.
//!
//! `cargo bench --bench fill` runs on every adapter that exists and on the host engine; `cargo bench --bench
//! fill -- lavapipe` runs the benchmarks whose names match. Compare figures of one run only: `clear_buffer`
//! is the device's own way to write zeros, and `native` the same kernel as `normal` with WGSL's built-in log,
//! sqrt, sin and cos in place of the portable sequence.

use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use seedbed::gpu::{self, Gpu};
use seedbed::{DType, FillRecorder, Init, Key, Math, Region, TensorView, host, wgpu};

/// The number of elements: 64 MiB of f32, far larger than every cache, and within WebGPU's default binding
/// size.
const ELEMENTS: u64 = 16 << 20;
const SHAPE: [u64; 2] = [4096, ELEMENTS / 4096];
/// The shape for initialisers that need a convolution.
const FILTERS: [u64; 3] = [4096, ELEMENTS / 4096 / 4, 4];
/// The shape for initialisers whose time grows with the third power of a dimension.
const SMALL: [u64; 2] = [1024, 1024];
const KEY: Key = Key::new(42);
const NORMAL: Init = Init::normal(0.0, 0.02);

/// The region of as many elements as [`SHAPE`] has: the middle half of each row of a tensor twice as wide.
fn columns() -> Region<'static> {
    let [rows, columns] = SHAPE;
    Region::new(vec![rows, 2 * columns]).shard([0, columns / 2], SHAPE)
}

/// The initialisers that are measured, each with a name and a shape.
fn initialisers() -> Vec<(&'static str, Init, &'static [u64])> {
    [
        ("constant(0.01)", &SHAPE[..]),
        ("uniform(-0.1,0.1)", &SHAPE),
        ("normal(0,0.02)", &SHAPE),
        ("log_normal(-4,0.5)", &SHAPE),
        ("trunc_normal(0,1,-2,2)", &SHAPE),
        ("eye", &SHAPE),
        ("dirac", &FILTERS),
        ("xavier_uniform", &SHAPE),
        ("xavier_normal", &SHAPE),
        ("kaiming_uniform", &SHAPE),
        ("kaiming_normal", &SHAPE),
        ("sparse(0.9)", &SHAPE),
        ("orthogonal", &SMALL),
        ("jax::glorot_normal", &SHAPE),
        ("keras::he_uniform", &SHAPE),
    ]
    .into_iter()
    .map(|(text, shape)| (text.split('(').next().unwrap_or(text), text.parse().unwrap(), shape))
    .collect()
}

const TYPES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench_host(&mut criterion);
    let instance = wgpu::Instance::default();
    for (name, adapter) in pollster::block_on(gpu::named_adapters(&instance)) {
        let group = group_name(&name, &adapter.get_info());
        match pollster::block_on(Gpu::open(&adapter)) {
            Ok(gpu) => bench_gpu(&mut criterion, &group, &gpu),
            Err(error) => eprintln!("left out: {error}"),
        }
    }
    criterion.final_summary();
}

/// The name that this project's tests give the adapter, or the adapter's own.
fn group_name(name: &str, info: &wgpu::AdapterInfo) -> String {
    match info.backend {
        wgpu::Backend::Vulkan if info.name.contains("llvmpipe") => "lavapipe".into(),
        wgpu::Backend::Vulkan if info.name.contains("SwiftShader") => "swiftshader".into(),
        wgpu::Backend::Gl if info.name.contains("llvmpipe") => "gl".into(),
        // Criterion turns names into folders.
        _ => name.replace('/', "-"),
    }
}

/// The name of a benchmark. f32 is not part of the name.
fn bench_name(init: &str, dtype: DType) -> String {
    let init = init.replace("::", "_");
    if dtype == DType::F32 { init } else { format!("{init}_{dtype}") }
}

/// The cases: each initialiser in f32, and the four basic distributions in 16-bit types too.
fn cases() -> impl Iterator<Item = (String, Init, &'static [u64], DType)> {
    initialisers().into_iter().flat_map(|(name, init, shape)| {
        let narrow = ["constant", "uniform", "normal", "trunc_normal"].contains(&name);
        let types = if narrow { &TYPES[..] } else { &TYPES[..1] };
        types.iter().map(move |&dtype| (bench_name(name, dtype), init, shape, dtype))
    })
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    group
}

fn len(shape: &[u64]) -> u64 {
    shape.iter().product()
}

fn bench_host(criterion: &mut Criterion) {
    let mut group = group(criterion, "host");
    let mut bytes = bytemuck::allocation::zeroed_slice_box::<u32>(ELEMENTS as usize);
    for (name, init, shape, dtype) in cases() {
        let bytes = &mut bytemuck::cast_slice_mut(&mut bytes)[..(len(shape) * dtype.size()) as usize];
        group.throughput(Throughput::Elements(len(shape)));
        group.bench_function(name, |b| {
            b.iter(|| host::fill_bytes(bytes, dtype, shape, &init, KEY).unwrap());
        });
    }
    group.throughput(Throughput::Elements(ELEMENTS));
    group.bench_function("normal_columns", |b| {
        b.iter(|| {
            host::fill_bytes(bytemuck::cast_slice_mut(&mut bytes), DType::F32, columns(), &NORMAL, KEY)
                .unwrap()
        });
    });
    group.bench_function("words", |b| b.iter(|| host::fill_words(&mut bytes, SHAPE, KEY).unwrap()));
}

fn bench_gpu(criterion: &mut Criterion, name: &str, gpu: &Gpu) {
    let mut group = group(criterion, name);
    let buffer = gpu.storage_buffer(4 * ELEMENTS + TensorView::ALIGNMENT);
    let portable = FillRecorder::new(&gpu.device);
    let native = FillRecorder::with_math(&gpu.device, Math::Native);

    let mut bench = |name: &str, elements: u64, record: &dyn Fn(&mut wgpu::CommandEncoder)| {
        group.throughput(Throughput::Elements(elements));
        group.bench_function(name, |b| b.iter_custom(|times| (0..times).map(|_| time(gpu, record)).sum()));
    };
    bench("clear_buffer", ELEMENTS, &|encoder| encoder.clear_buffer(&buffer, 0, Some(4 * ELEMENTS)));
    let shard = TensorView::f32(&buffer, columns());
    bench("normal_columns", ELEMENTS, &|encoder| portable.fill(encoder, &shard, &NORMAL, KEY).unwrap());
    // Offsets that are no multiples of 16 bytes.
    for (init, text) in [(NORMAL, "normal"), (Init::constant(0.01), "constant")] {
        for (dtype, offset) in [(DType::F32, 4), (DType::BF16, 4), (DType::BF16, 2)] {
            let tensor = TensorView::new(&buffer, dtype, SHAPE).at(offset);
            bench(&format!("{}_at_{offset}", bench_name(text, dtype)), ELEMENTS, &|encoder| {
                portable.fill(encoder, &tensor, &init, KEY).unwrap()
            });
        }
    }
    let words = TensorView::u32(&buffer, SHAPE);
    bench("words", ELEMENTS, &|encoder| portable.fill_words(encoder, &words, KEY).unwrap());
    for (name, init, shape, dtype) in cases() {
        let tensor = TensorView::new(&buffer, dtype, shape);
        bench(&name, len(shape), &|encoder| portable.fill(encoder, &tensor, &init, KEY).unwrap());
        if name == "normal" {
            bench("native", ELEMENTS, &|encoder| native.fill(encoder, &tensor, &init, KEY).unwrap());
        }
    }
    gpu.check().unwrap();
}

/// The time from the submission to its end. Recording, which takes microseconds, is not counted.
fn time(gpu: &Gpu, record: &dyn Fn(&mut wgpu::CommandEncoder)) -> Duration {
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    record(&mut encoder);
    let commands = encoder.finish();
    let start = Instant::now();
    gpu.queue.submit([commands]);
    gpu.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    start.elapsed()
}
