//! The self-test of a recorder's device: submits the programs of each trial, and reads the buffers back.

use std::sync::Arc;

use super::{FillRecorder, Wgpu};
use crate::error::Error;
use crate::gpu::{Gpu, Readback};
use crate::recorder::created;
use crate::self_test::{Extent, SelfTest, Task, Trials};

/// Changes the WGSL of a kernel.
type Alter<'a> = &'a (dyn Fn(&mut String) + Sync);

impl FillRecorder {
    /// Compares what the device writes with what the [`host`](crate::host) writes, bit for bit. `queue` is the device's
    /// queue. Unlike the other methods, this one submits: command buffers of its own, on buffers of its own.
    ///
    /// The fills take the recorder's own pipelines, so that later fills need not compile them again. A recorder of
    /// [`Math::Native`](crate::Math::Native) has other bits by design, and does not pass.
    ///
    /// Outside of browsers the call waits for the device, and so does the thread.
    ///
    /// ```no_run
    /// use seedbed::self_test::Extent;
    /// use seedbed::{Error, FillRecorder, wgpu};
    ///
    /// /// Whether fills on this device can be trusted.
    /// async fn is_right(recorder: &FillRecorder, queue: &wgpu::Queue) -> Result<bool, Error> {
    ///     let report = recorder.self_test(queue, Extent::Short).await?;
    ///     if !report.passed() {
    ///         eprintln!("computing on the host, because of the GPU: {report}");
    ///     }
    ///     Ok(report.passed())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoCompute`] or [`Error::DeviceLimit`] where the device can run no fill. Every other failure is the
    /// [`Outcome`](crate::self_test::Outcome) of a check.
    pub async fn self_test(&self, queue: &wgpu::Queue, extent: Extent) -> Result<SelfTest, Error> {
        self.run(queue, Trials::new(extent), None).await
    }

    /// Does what [`Self::self_test`] does, for the checks whose names `only` selects, after `alter` has changed the
    /// WGSL of each kernel: tests alter kernels to see whether the differences are found. The recorder must be a new
    /// one. Versions do not promise to keep this function.
    ///
    /// # Errors
    /// The errors of [`Self::self_test`].
    #[doc(hidden)]
    pub async fn self_test_of_altered_kernels(
        &self,
        queue: &wgpu::Queue,
        extent: Extent,
        only: &(dyn Fn(&str) -> bool + Sync),
        alter: &(dyn Fn(&mut String) + Sync),
    ) -> Result<SelfTest, Error> {
        self.run(queue, Trials::new(extent).select(only), Some(alter)).await
    }

    async fn run(
        &self,
        queue: &wgpu::Queue,
        mut trials: Trials,
        alter: Option<Alter<'_>>,
    ) -> Result<SelfTest, Error> {
        let gpu = Gpu::of(self.device(), queue);
        loop {
            let needed = trials.needed();
            if needed.is_empty() {
                return Ok(trials.report());
            }
            // Everything is submitted first: the device and its compiler work while the host computes what to expect.
            let mut submitted = Vec::with_capacity(needed.len());
            for number in needed {
                if let Some(mut task) = trials.plan(number, self.planner())? {
                    if let Some(alter) = alter {
                        let kernels = task.programs.iter_mut().flat_map(|program| &mut program.kernels);
                        kernels.for_each(|kernel| alter(&mut Arc::make_mut(kernel).wgsl));
                    }
                    submitted.push((number, self.submit(&gpu, &task)));
                }
            }
            for (number, readback) in submitted {
                let compared = match readback {
                    Ok(mut readback) => readback.read(|found| trials.compare(number, found)).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = compared {
                    trials.fail(number, error);
                }
            }
        }
    }

    /// Submits the programs of a trial, and begins to read the buffer back.
    fn submit(&self, gpu: &Gpu, task: &Task) -> Result<Readback, Error> {
        created::<Wgpu, _>(&gpu.device, || {
            let buffer = gpu.storage_buffer(task.bytes);
            gpu.queue.write_buffer(&buffer, 0, &vec![Task::PREFILL; task.bytes as usize]);
            let mut readback = Readback::new(gpu, task.bytes);
            let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
                label: Some("seedbed::self_test"),
            });
            for program in &task.programs {
                self.replay(&mut encoder, program, &[&buffer])?;
            }
            readback.record(&mut encoder, &buffer, 0..task.bytes);
            gpu.queue.submit([encoder.finish()]);
            readback.map();
            Ok(readback)
        })
    }
}

// An executor of many threads can run the self-test.
#[cfg(all(test, not(target_family = "wasm")))]
const _: fn(&FillRecorder, &wgpu::Queue) = |recorder, queue| {
    fn is_send(_: impl Send) {}
    is_send(recorder.self_test(queue, Extent::Full));
};
