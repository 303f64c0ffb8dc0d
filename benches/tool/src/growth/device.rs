//! The measurement of an adapter.

use std::time::Instant;

use seedbed::gpu::Gpu;
use seedbed::{FillRecorder, Region, TensorView, wgpu};
use seedbed_cli::Named;
use seedbed_cli::bench::cases::{Case, KEY, Work, shape};
use seedbed_cli::bench::clock::{self, Clock};
use seedbed_cli::bench::report::driver;

use super::report::{EngineReport, Row};
use super::{MIN_WINDOW, capacity, grown, point, sizes, windows};

pub fn measure(Named { name, adapter }: &Named, max: u64) -> anyhow::Result<EngineReport> {
    let (info, sizes) = (adapter.get_info(), sizes(max)?);
    let bench = Bench::open(adapter, max)?;
    let capacity = bench.capacity;
    let point = |work, elements| point(elements, capacity, |clocked| bench.once(work, elements, clocked));
    let row = |case: Case| {
        // Compiling is no part of a fill.
        if let Work::Fill(init) = case.work {
            bench.recorder.prepare(&init, case.dtype)?;
        }
        let points =
            sizes.iter().map(|&elements| point(case.work, elements)).collect::<anyhow::Result<_>>()?;
        anyhow::Ok(Row::new(case.name, case.dtype, points))
    };
    let rows = grown().map(row).collect::<anyhow::Result<_>>()?;
    Ok(EngineReport { name: name.clone(), driver: driver(&info), window_elements: capacity, rows })
}

struct Bench {
    gpu: Gpu,
    buffer: wgpu::Buffer,
    /// Elements of the buffer.
    capacity: u64,
    clock: Option<Clock>,
    recorder: FillRecorder,
}

impl Bench {
    /// Opens the adapter with the largest buffer that it has memory for.
    fn open(adapter: &wgpu::Adapter, max: u64) -> anyhow::Result<Self> {
        let mut capacity = capacity(max, adapter.limits().max_buffer_size);
        loop {
            // A new device each time: one that failed is of no more use.
            let gpu = clock::open(adapter)?;
            let bench = Self {
                buffer: gpu.storage_buffer(4 * capacity),
                clock: Clock::new(&gpu),
                recorder: FillRecorder::new(&gpu.device),
                gpu,
                capacity,
            };
            // This first use also touches the memory, because fresh memory is slower.
            match bench.once(Work::Clear, capacity, false) {
                Ok(_) => return Ok(bench),
                Err(_) if capacity > MIN_WINDOW => capacity = (capacity / 2).next_multiple_of(4),
                Err(error) => return Err(error),
            }
        }
    }

    /// Measures the seconds from the first recorded command to the end of the wait, by a clock on the wall;
    /// and by the queue, if the fill is `clocked`.
    fn once(&self, work: Work, elements: u64, clocked: bool) -> anyhow::Result<(f64, Option<f64>)> {
        let Self { gpu, buffer, recorder, .. } = self;
        let clock = self.clock.as_ref().filter(|_| clocked);
        let shape = shape(elements);
        let start = Instant::now();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        if let Some(clock) = clock {
            clock.begin(&mut encoder);
        }
        for window in windows(elements, self.capacity) {
            match work {
                Work::Fill(init) => {
                    let tensor = TensorView::f32(buffer, Region::new(&shape[..]).elements(window));
                    recorder.fill(&mut encoder, &tensor, &init, KEY)?;
                }
                _ => encoder.clear_buffer(buffer, 0, Some(4 * (window.end - window.start))),
            }
        }
        if let Some(clock) = clock {
            clock.end(&mut encoder);
        }
        gpu.queue.submit([encoder.finish()]);
        gpu.device.poll(wgpu::PollType::wait_indefinitely())?;
        let wall = start.elapsed().as_secs_f64();
        gpu.check()?;
        Ok((wall, clock.map(|clock| clock.read(gpu)).transpose()?))
    }
}
