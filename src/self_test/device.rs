//! The device under test: records and submits trials, and reads the buffers back.

use std::sync::Arc;

use super::compare::{Finding, compare};
use super::trial::{SENTINEL, Trial};
use crate::error::Error;
use crate::gpu::{Gpu, Readback};
use crate::program::Program;
use crate::wgpu_recorder::FillRecorder;
use crate::wgpu_recorder::reports::created;

/// Changes the WGSL of a kernel, so that tests see whether a wrong kernel is found.
pub(super) type Alter<'a> = &'a (dyn Fn(&mut String) + Sync);

/// The reason why a trial gave no bytes.
pub(super) enum Stop {
    /// The device's limits rule the fills out.
    Unsupported(Error),
    /// The device refused a kernel or a buffer, or was lost.
    Failed(Error),
}

/// A device, and how fills are recorded for it.
pub(super) struct Tester<'a> {
    recorder: &'a FillRecorder,
    gpu: Gpu,
    alter: Option<Alter<'a>>,
}

impl<'a> Tester<'a> {
    pub(super) fn new(recorder: &'a FillRecorder, queue: &wgpu::Queue, alter: Option<Alter<'a>>) -> Self {
        Self { recorder, gpu: Gpu::of(recorder.device(), queue), alter }
    }

    /// Finds out whether the device can run any fill.
    pub(super) fn can_fill(&self) -> Result<(), Error> {
        self.recorder.planner().limits().map(drop)
    }

    /// Submits the fills of a trial, and begins to read the buffer back.
    pub(super) fn submit(&self, trial: &Trial) -> Result<Readback, Stop> {
        let size = trial.bytes();
        let actual = self.gpu.device.limits().max_buffer_size;
        if actual < size {
            let error = Error::DeviceLimit { limit: "max_buffer_size", actual, needed: size };
            return Err(Stop::Unsupported(error));
        }
        let planner = self.recorder.planner();
        let planned = trial.lists().iter().map(|fills| planner.plan(fills)).collect::<Result<Vec<_>, _>>();
        let mut programs = planned.map_err(|error| match error {
            // The fill has no name, and its number says nothing.
            Error::Fill { error, .. } => Stop::Unsupported(*error),
            error => Stop::Unsupported(error),
        })?;
        programs.iter_mut().for_each(|program| self.altered(program));
        let submitted = created(&self.gpu.device, || {
            let buffer = self.gpu.storage_buffer(size);
            self.gpu.queue.write_buffer(&buffer, 0, &vec![SENTINEL; size as usize]);
            let mut readback = Readback::new(&self.gpu, size);
            let mut encoder = self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
                label: Some("seedbed::self_test"),
            });
            for program in &programs {
                self.recorder.replay(&mut encoder, program, &[&buffer])?;
            }
            readback.record(&mut encoder, &buffer, 0..size);
            self.gpu.queue.submit([encoder.finish()]);
            readback.map();
            Ok(readback)
        });
        submitted.map_err(Stop::Failed)
    }

    fn altered(&self, program: &mut Program) {
        if let Some(alter) = self.alter {
            program.kernels.iter_mut().for_each(|kernel| alter(&mut Arc::make_mut(kernel).wgsl));
        }
    }

    /// Waits for the buffer of a trial, and compares it with the host.
    pub(super) async fn finding(
        &self,
        trial: &Trial,
        readback: &mut Readback,
    ) -> Result<Option<Finding>, Error> {
        let expected = trial.expected()?;
        readback.read(|found| compare(trial, &expected, found)).await?
    }
}
