//! The measurement of an adapter.

use std::time::Instant;

use seedbed::gpu::Gpu;
use seedbed::{DType, FillRecorder, Init, Math, TensorView, wgpu};

use super::cases::{Case, KEY, Work, bytes_of, shape};
use super::clock::{self, Clock};
use super::report::{EngineReport, FirstUse, Row, driver};
use super::sample::{Seconds, repeat};
use crate::select::Named;

pub fn measure(
    Named { name, adapter }: &Named,
    elements: u64,
    cases: &[Case],
) -> anyhow::Result<EngineReport> {
    let info = adapter.get_info();
    let gpu = clock::open(adapter)?;
    let bytes = bytes_of(elements, gpu.device.limits().max_buffer_size, "a buffer of this adapter")?;
    let first_use = first_use(&gpu, elements, bytes)?;

    // A fresh device: the first use has compiled things on the other one.
    let gpu = clock::open(adapter)?;
    let bench = Bench {
        buffer: gpu.storage_buffer(bytes),
        clock: Clock::new(&gpu),
        portable: FillRecorder::new(&gpu.device),
        native: FillRecorder::with_math(&gpu.device, Math::Native),
        gpu,
    };
    let rows = cases
        .iter()
        .map(|case| {
            let times = repeat(|| bench.time(case, elements))?;
            let (wall, queue) = Seconds::of_both(&times);
            Ok(Row::new(case, elements, wall, queue))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(EngineReport::new(name.clone(), driver(&info), Some(first_use), rows))
}

/// Measures the first fill of a device that has done nothing yet.
fn first_use(gpu: &Gpu, elements: u64, bytes: u64) -> anyhow::Result<FirstUse> {
    let (recorder, init) = (FillRecorder::new(&gpu.device), Init::xavier_normal());
    let start = Instant::now();
    recorder.prepare(&init, DType::F32)?;
    let pipelines = start.elapsed().as_secs_f64();
    let buffer = gpu.storage_buffer(bytes);
    let once = || {
        let start = Instant::now();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        recorder.fill(&mut encoder, &TensorView::f32(&buffer, shape(elements)), &init, KEY)?;
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
    portable: FillRecorder,
    native: FillRecorder,
}

impl Bench {
    fn time(&self, case: &Case, elements: u64) -> anyhow::Result<(f64, Option<f64>)> {
        let Self { gpu, buffer, clock, portable, native } = self;
        let tensor = TensorView::new(buffer, case.dtype, shape(elements));
        clock::time(gpu, clock.as_ref(), |encoder| {
            match case.work {
                Work::Clear => encoder.clear_buffer(buffer, 0, None),
                Work::Memset => anyhow::bail!("a device has a command for zeros alone"),
                Work::Words => portable.fill_words(encoder, &tensor, KEY)?,
                Work::Fill(init) => portable.fill(encoder, &tensor, &init, KEY)?,
                Work::Native(init) => native.fill(encoder, &tensor, &init, KEY)?,
            }
            Ok(())
        })
    }
}
