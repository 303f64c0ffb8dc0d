//! An adapter.

use std::time::Instant;

use seedbed::gpu::{self, Gpu};
use seedbed::wgpu::{self, Features};
use seedbed::{DType, Init, Initializer, Math, Tensor};

use super::report::{EngineReport, FirstUse, Row};
use super::sample::{Seconds, repeat};
use super::{Case, KEY, Work, bytes_of, shape};

/// What it takes to ask the queue how long a fill took.
const TIMESTAMPS: Features = Features::TIMESTAMP_QUERY.union(Features::TIMESTAMP_QUERY_INSIDE_ENCODERS);

pub fn measure(adapter: &wgpu::Adapter, elements: u64, cases: &[Case]) -> anyhow::Result<EngineReport> {
    let info = adapter.get_info();
    let timestamps = adapter.features().contains(TIMESTAMPS);
    let wanted = if timestamps { TIMESTAMPS } else { Features::empty() };
    let features = (adapter.features() & Features::SHADER_INT64) | wanted;
    let open = || pollster::block_on(Gpu::open_with(adapter, features, adapter.limits()));
    let gpu = open()?;
    let bytes = bytes_of(elements, gpu.device.limits().max_buffer_size, "a buffer of this adapter")?;
    let first_use = first_use(&gpu, elements, bytes)?;

    // The first use has compiled things on that device.
    let gpu = open()?;
    let bench = Bench {
        buffer: gpu.storage_buffer(bytes),
        clock: timestamps.then(|| Clock::new(&gpu)),
        portable: Initializer::new(&gpu.device),
        native: Initializer::with_math(&gpu.device, Math::Native),
        gpu,
    };
    let rows = cases
        .iter()
        .map(|case| {
            let times = repeat(|| bench.time(case, elements))?;
            let wall = Seconds::of(times.iter().map(|(wall, _)| *wall).collect());
            let queue: Option<Vec<_>> = times.iter().map(|(_, queue)| *queue).collect();
            Ok(Row::new(case, elements, wall, queue.map(Seconds::of)))
        })
        .collect::<anyhow::Result<_>>()?;
    let driver = [info.driver.as_str(), info.driver_info.as_str()].join(" ").trim().to_owned();
    Ok(EngineReport::new(gpu::name(&info), driver, Some(first_use), rows))
}

/// On a device that has done nothing yet.
fn first_use(gpu: &Gpu, elements: u64, bytes: u64) -> anyhow::Result<FirstUse> {
    let (initializer, init) = (Initializer::new(&gpu.device), Init::xavier_normal());
    let start = Instant::now();
    initializer.prepare(&init, DType::F32)?;
    let pipelines = start.elapsed().as_secs_f64();
    let buffer = gpu.storage_buffer(bytes);
    let once = || {
        let start = Instant::now();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        initializer.fill(&mut encoder, &Tensor::f32(&buffer, shape(elements)), &init, KEY)?;
        gpu.queue.submit([encoder.finish()]);
        gpu.device.poll(wgpu::PollType::wait_indefinitely())?;
        gpu.check()?;
        anyhow::Ok(start.elapsed().as_secs_f64())
    };
    Ok(FirstUse { pipelines, fill: once()?, second_fill: once()? })
}

struct Bench {
    gpu: Gpu,
    buffer: wgpu::Buffer,
    clock: Option<Clock>,
    portable: Initializer,
    native: Initializer,
}

impl Bench {
    /// From the submission to its end: as a clock on the wall says, and as the queue says. Recording, a matter
    /// of microseconds, is not counted.
    fn time(&self, case: &Case, elements: u64) -> anyhow::Result<(f64, Option<f64>)> {
        let Self { gpu, buffer, clock, portable, native } = self;
        let shape = shape(elements);
        let tensor = Tensor::new(buffer, case.dtype, shape);
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        if let Some(clock) = clock {
            encoder.write_timestamp(&clock.queries, 0);
        }
        match case.work {
            Work::Clear => encoder.clear_buffer(buffer, 0, None),
            Work::Words => portable.fill_words(&mut encoder, &tensor, KEY)?,
            Work::Fill(init) => portable.fill(&mut encoder, &tensor, &init, KEY)?,
            Work::Native(init) => native.fill(&mut encoder, &tensor, &init, KEY)?,
        }
        if let Some(clock) = clock {
            encoder.write_timestamp(&clock.queries, 1);
        }
        let commands = encoder.finish();
        let start = Instant::now();
        gpu.queue.submit([commands]);
        gpu.device.poll(wgpu::PollType::wait_indefinitely())?;
        let wall = start.elapsed().as_secs_f64();
        gpu.check()?;
        Ok((wall, clock.as_ref().map(|clock| clock.read(gpu)).transpose()?))
    }
}

/// Two timestamps.
struct Clock {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
}

impl Clock {
    fn new(gpu: &Gpu) -> Self {
        let queries = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("seedbed-cli::Clock::queries"),
            ty: wgpu::QueryType::Timestamp,
            count: 2,
        });
        let resolved = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("seedbed-cli::Clock::resolved"),
            size: 16,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        Self { queries, resolved }
    }

    /// Seconds between the two.
    fn read(&self, gpu: &Gpu) -> anyhow::Result<f64> {
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.resolve_query_set(&self.queries, 0..2, &self.resolved, 0);
        gpu.queue.submit([encoder.finish()]);
        let bytes = pollster::block_on(gpu.download(&self.resolved, 0..16))?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&bytes);
        Ok(ticks[1].saturating_sub(ticks[0]) as f64 * f64::from(gpu.queue.get_timestamp_period()) * 1e-9)
    }
}
