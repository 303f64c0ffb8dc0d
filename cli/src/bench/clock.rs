//! A device with the timestamps of its queue, where it has them.

use std::time::Instant;

use seedbed::gpu::Gpu;
use seedbed::wgpu::{self, Features};

/// What it takes to ask the queue how long a fill took.
const TIMESTAMPS: Features = Features::TIMESTAMP_QUERY.union(Features::TIMESTAMP_QUERY_INSIDE_ENCODERS);

/// Opens the adapter with what fills and the clock use.
pub fn open(adapter: &wgpu::Adapter) -> Result<Gpu, seedbed::Error> {
    let has = adapter.features();
    let timestamps = if has.contains(TIMESTAMPS) { TIMESTAMPS } else { Features::empty() };
    let features = (has & Features::SHADER_INT64) | timestamps;
    pollster::block_on(Gpu::open_with(adapter, features, adapter.limits()))
}

/// A pair of timestamps of a queue.
pub struct Clock {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
}

impl Clock {
    /// Returns `None` for a device without timestamps.
    pub fn new(gpu: &Gpu) -> Option<Self> {
        if !gpu.device.features().contains(TIMESTAMPS) {
            return None;
        }
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
        Some(Self { queries, resolved })
    }

    /// Records the first timestamp.
    pub fn begin(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.write_timestamp(&self.queries, 0);
    }

    /// Records the second timestamp.
    pub fn end(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.write_timestamp(&self.queries, 1);
    }

    /// Reads the seconds between the two timestamps.
    pub fn read(&self, gpu: &Gpu) -> anyhow::Result<f64> {
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.resolve_query_set(&self.queries, 0..2, &self.resolved, 0);
        gpu.queue.submit([encoder.finish()]);
        let bytes = pollster::block_on(gpu.download(&self.resolved, 0..16))?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&bytes);
        Ok(ticks[1].saturating_sub(ticks[0]) as f64 * f64::from(gpu.queue.get_timestamp_period()) * 1e-9)
    }
}

/// Measures the seconds from the submission of what is recorded to its end: by a clock on the wall, and by
/// the queue. The time for recording, a matter of microseconds, is not counted.
pub fn time(
    gpu: &Gpu,
    clock: Option<&Clock>,
    record: impl FnOnce(&mut wgpu::CommandEncoder) -> anyhow::Result<()>,
) -> anyhow::Result<(f64, Option<f64>)> {
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    if let Some(clock) = clock {
        clock.begin(&mut encoder);
    }
    record(&mut encoder)?;
    if let Some(clock) = clock {
        clock.end(&mut encoder);
    }
    let commands = encoder.finish();
    let start = Instant::now();
    gpu.queue.submit([commands]);
    gpu.device.poll(wgpu::PollType::wait_indefinitely())?;
    let wall = start.elapsed().as_secs_f64();
    gpu.check()?;
    Ok((wall, clock.map(|clock| clock.read(gpu)).transpose()?))
}
