//! A device: windows are submitted, copied to a staging buffer, and written from there.

use anyhow::Result;
use seedbed::gpu::{self, Gpu, Readback};
use seedbed::{Error, Initializer, Region, Tensor, wgpu};

use super::Sink;
use crate::fill::Fill;
use crate::window::{WINDOW_BYTES, Window, windows};

/// An open device.
#[derive(Debug)]
pub struct GpuEngine {
    name: String,
    gpu: Gpu,
    initializer: Initializer,
    window_bytes: u64,
}

/// A window's buffers, on the device and for the host.
struct Slot {
    buffer: wgpu::Buffer,
    readback: Readback,
    window: Window,
}

impl GpuEngine {
    /// Opens the adapter.
    pub fn open(adapter: &wgpu::Adapter) -> Result<Self, Error> {
        let gpu = pollster::block_on(Gpu::open(adapter))?;
        Ok(Self {
            name: gpu::name(&adapter.get_info()),
            initializer: Initializer::new(&gpu.device),
            window_bytes: WINDOW_BYTES.min(gpu.device.limits().max_buffer_size),
            gpu,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn run(&mut self, fills: &[Fill], sink: &mut Sink<'_>) -> Result<()> {
        let total = fills.iter().map(Fill::bytes).fold(0, u64::saturating_add);
        // Rounded up for the gaps between pieces, of which small models have few.
        let capacity = total.saturating_mul(4).next_power_of_two().clamp(16, self.window_bytes);
        let mut windows = windows(fills, capacity);
        let [mut current, mut next] = [self.slot(capacity), self.slot(capacity)];
        let mut more = self.submit(&mut current, windows.next(), fills)?;
        while more {
            // To wait for a window is to wait for all that has been submitted. So the next one is
            // submitted when this one is there, and made while this one is written.
            let Slot { readback, window, .. } = &mut current;
            let written = pollster::block_on(readback.read(|bytes| {
                more = self.submit(&mut next, windows.next(), fills)?;
                for piece in &window.pieces {
                    sink(piece, &bytes[piece.bytes().start as usize..piece.bytes().end as usize])?;
                }
                anyhow::Ok(())
            }));
            written??;
            std::mem::swap(&mut current, &mut next);
        }
        Ok(self.gpu.check()?)
    }

    fn slot(&self, capacity: u64) -> Slot {
        Slot {
            buffer: self.gpu.storage_buffer(capacity),
            readback: Readback::new(&self.gpu, capacity),
            window: Window::default(),
        }
    }

    /// Whether there was a window to submit.
    fn submit(&self, slot: &mut Slot, window: Option<Window>, fills: &[Fill]) -> Result<bool> {
        let Some(window) = window else { return Ok(false) };
        let mut encoder = self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some("seedbed-cli::GpuEngine::window"),
        });
        for piece in &window.pieces {
            let fill = &fills[piece.fill];
            let region = Region::new(&fill.shape[..]).elements(piece.elements.clone());
            let tensor = Tensor::f32(&slot.buffer, region).at(piece.at);
            self.initializer.fill(&mut encoder, &tensor, &fill.init, fill.key)?;
        }
        slot.readback.record(&mut encoder, &slot.buffer, 0..window.bytes());
        self.gpu.queue.submit([encoder.finish()]);
        // Mapping a buffer of a device that has failed would fail less clearly.
        self.gpu.check()?;
        slot.readback.map();
        slot.window = window;
        Ok(true)
    }
}
