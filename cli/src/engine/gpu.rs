//! The GPU engine: windows are filled on a device, copied to a staging buffer, and written from there.

use anyhow::{Context, Result};
use seedbed::gpu::{Gpu, Readback};
use seedbed::{Error, FillRecorder, Region, TensorView, wgpu};

use super::Sink;
use crate::fill::Fill;
use crate::select::Named;
use crate::window::{WINDOW_BYTES, Window, windows};

/// An open device.
#[derive(Debug)]
pub struct GpuEngine {
    name: String,
    gpu: Gpu,
    recorder: FillRecorder,
    window_bytes: u64,
    /// The whole tensor that was made last, with the index of its fill.
    whole: Option<(usize, wgpu::Buffer)>,
}

/// A window's buffers, on the device and for the host.
struct Slot {
    buffer: wgpu::Buffer,
    readback: Readback,
    window: Window,
}

impl GpuEngine {
    /// Opens the adapter.
    pub fn open(Named { name, adapter }: &Named) -> Result<Self, Error> {
        let gpu = pollster::block_on(Gpu::open(adapter))?;
        Ok(Self {
            name: name.clone(),
            recorder: FillRecorder::new(&gpu.device),
            window_bytes: WINDOW_BYTES.min(gpu.device.limits().max_buffer_size),
            gpu,
            whole: None,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks whether the device can make all fills.
    pub fn check(&self, fills: &[Fill]) -> Result<()> {
        for fill in fills {
            let checked = self.recorder.check(&fill.init, fill.dtype, &fill.shape);
            checked.with_context(|| format!("parameter {:?} on {}: {}", fill.name, self.name, fill.init))?;
        }
        Ok(())
    }

    pub fn run(&mut self, fills: &[Fill], sink: &mut Sink<'_>) -> Result<()> {
        let total = fills.iter().map(Fill::bytes).fold(0, u64::saturating_add);
        // Four times the bytes leave room for the gaps between pieces, of which small models have few.
        let capacity = total.saturating_mul(4).min(self.window_bytes).next_power_of_two();
        let capacity = capacity.clamp(16, self.window_bytes);
        let mut windows = windows(fills, capacity);
        let [mut current, mut next] = [self.slot(capacity), self.slot(capacity)];
        let mut more = self.submit(&mut current, windows.next(), fills)?;
        while more {
            // A wait for a window is a wait for everything that was submitted. So the next window is
            // submitted when this window has arrived, and is made while this window is written.
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

    /// The buffer of a tensor that can only be made as a whole, kept while its pieces are written. Copies are
    /// in whole words, so the buffer's size is rounded up.
    fn whole(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        index: usize,
        fill: &Fill,
    ) -> Result<wgpu::Buffer> {
        if let Some((_, buffer)) = self.whole.as_ref().filter(|(of, _)| *of == index) {
            return Ok(buffer.clone());
        }
        // The previous tensor's memory is freed first.
        self.whole = None;
        let size = fill.bytes().next_multiple_of(4);
        let buffer = self.gpu.storage_buffer(size);
        let tensor = TensorView::new(&buffer, fill.dtype, &fill.shape);
        self.recorder.fill(encoder, &tensor, &fill.init, fill.key)?;
        self.whole = Some((index, buffer.clone()));
        Ok(buffer)
    }

    fn slot(&self, capacity: u64) -> Slot {
        Slot {
            buffer: self.gpu.storage_buffer(capacity),
            readback: Readback::new(&self.gpu, capacity),
            window: Window::default(),
        }
    }

    /// Fills and submits a window. The result says whether there was one.
    fn submit(&mut self, slot: &mut Slot, window: Option<Window>, fills: &[Fill]) -> Result<bool> {
        let Some(window) = window else { return Ok(false) };
        let mut encoder = self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some("seedbed-cli::GpuEngine::window"),
        });
        let mut pieces = Vec::new();
        for piece in &window.pieces {
            let fill = &fills[piece.fill];
            if fill.is_whole() && piece.elements != (0..fill.elements) {
                let whole = self.whole(&mut encoder, piece.fill, fill)?;
                let (from, bytes) = (piece.elements.start * piece.size, piece.bytes());
                let len = (bytes.end - bytes.start).next_multiple_of(4);
                encoder.copy_buffer_to_buffer(&whole, from, &slot.buffer, piece.at, len);
                continue;
            }
            let region = Region::new(&fill.shape[..]).elements(piece.elements.clone());
            let tensor = TensorView::new(&slot.buffer, fill.dtype, region).at(piece.at);
            pieces.push(seedbed::Fill::new(tensor, fill.init, fill.key));
        }
        self.recorder.fill_all(&mut encoder, &pieces)?;
        slot.readback.record(&mut encoder, &slot.buffer, 0..window.word_bytes());
        self.gpu.queue.submit([encoder.finish()]);
        // Mapping a buffer of a device that has failed would fail less clearly.
        self.gpu.check()?;
        slot.readback.map();
        slot.window = window;
        Ok(true)
    }
}
