//! The GPU engine: windows are filled on a device, copied to a staging buffer, and written from there.

use anyhow::{Context, Result};
use seedbed::gpu::{Gpu, Readback};
use seedbed::self_test::{Extent, SelfTest};
use seedbed::{DType, Error, FillRecorder, Init, Key, Region, TensorView, wgpu};

use seedbed_model::{Content, Keys, Maker, Source, Tensor, float};

use super::{Job, Sink};
use crate::select::Named;
use crate::window::{Piece, Room, WINDOW_BYTES, Window, windows};

/// An open device.
#[derive(Debug)]
pub struct GpuEngine {
    name: String,
    gpu: Gpu,
    recorder: FillRecorder,
    window_bytes: u64,
    /// The sources of the last tensor that can only be made as a whole: the index of the tensor, and of each source.
    whole: (usize, Vec<(usize, wgpu::Buffer)>),
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
            whole: (0, Vec::new()),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn recorder(&self) -> &FillRecorder {
        &self.recorder
    }

    /// Compares what the device writes with what the host writes.
    pub fn self_test(&self, extent: Extent) -> Result<SelfTest, Error> {
        pollster::block_on(self.recorder.self_test(&self.gpu.queue, extent))
    }

    /// Checks whether the device can make all tensors.
    pub fn check(&self, tensors: &[Tensor]) -> Result<()> {
        for tensor in tensors {
            for source in &tensor.content.sources {
                if let (Source::Init { init, shape, .. }, Some(dtype)) = (source, float(tensor.dtype)) {
                    let checked = self.recorder.check(init, dtype, shape);
                    checked
                        .with_context(|| format!("parameter {:?} on {}: {init}", tensor.name, self.name))?;
                }
            }
        }
        Ok(())
    }

    pub fn run(&mut self, job: Job<'_>, sink: &mut Sink<'_>) -> Result<()> {
        // The buffers kept belong to the tensors of another job.
        self.whole = (0, Vec::new());
        // Four times the bytes leave room for the gaps between pieces, of which small models have few.
        let capacity = job.bytes()?.saturating_mul(4).min(self.window_bytes).next_power_of_two();
        let capacity = capacity.clamp(16, self.window_bytes);
        let mut windows = windows(job.tensors, capacity, Room::Fills);
        let mut host = Host { job, maker: Maker::with_keys(job.keys, job.source), bytes: Vec::new() };
        let [mut current, mut next] = [self.slot(capacity), self.slot(capacity)];
        let mut more = self.submit(&mut current, windows.next(), job)?;
        while more {
            // A wait for a window is a wait for everything that was submitted. So the next window is
            // submitted when this window has arrived, and is made while this window is written.
            let Slot { readback, window, .. } = &mut current;
            let written = pollster::block_on(readback.read(|bytes| {
                more = self.submit(&mut next, windows.next(), job)?;
                for piece in &window.pieces {
                    if piece.is_fill {
                        sink(piece, &bytes[piece.bytes().start as usize..piece.bytes().end as usize])?;
                    } else {
                        sink(piece, host.make(piece)?)?;
                    }
                }
                anyhow::Ok(())
            }));
            written??;
            std::mem::swap(&mut current, &mut next);
        }
        Ok(self.gpu.check()?)
    }

    /// The buffer of a source that can only be made as a whole, kept while its pieces are written. Copies are
    /// in whole words, so the buffer's size is rounded up.
    fn whole(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        piece: &Piece,
        content: &Content,
        fill: &Fill<'_>,
    ) -> Result<wgpu::Buffer> {
        if self.whole.0 != piece.tensor {
            // The memory of the previous tensor is freed first.
            self.whole = (piece.tensor, Vec::new());
        }
        if let Some((_, buffer)) = self.whole.1.iter().find(|(of, _)| *of == piece.source) {
            return Ok(buffer.clone());
        }
        if content.outer == 1 {
            // The sources come one after the other, so those before are done.
            self.whole.1.clear();
        }
        let size = (Region::new(fill.shape).element_count()? * fill.dtype.size()).next_multiple_of(4);
        let buffer = self.gpu.storage_buffer(size);
        let view = TensorView::new(&buffer, fill.dtype, fill.shape);
        self.recorder.fill(encoder, &view, &fill.init, fill.key)?;
        self.whole.1.push((piece.source, buffer.clone()));
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
    fn submit(&mut self, slot: &mut Slot, window: Option<Window>, job: Job<'_>) -> Result<bool> {
        let Some(window) = window else { return Ok(false) };
        let mut encoder = self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some("seedbed-cli::GpuEngine::window"),
        });
        let mut pieces = Vec::new();
        for piece in window.pieces.iter().filter(|piece| piece.is_fill) {
            let tensor = &job.tensors[piece.tensor];
            let source = &tensor.content.sources[piece.source];
            let Some(fill) = Fill::of(source, tensor, job.keys) else { continue };
            if source.is_whole() && piece.elements != (0..source.elements()?) {
                let whole = self.whole(&mut encoder, piece, &tensor.content, &fill)?;
                let from = piece.elements.start * piece.size;
                let len = piece.len().next_multiple_of(4);
                encoder.copy_buffer_to_buffer(&whole, from, &slot.buffer, piece.at, len);
                continue;
            }
            let region = Region::new(fill.shape).elements(piece.elements.clone());
            let view = TensorView::new(&slot.buffer, fill.dtype, region).at(piece.at);
            pieces.push(seedbed::Fill::new(view, fill.init, fill.key));
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

/// A fill of the library.
struct Fill<'a> {
    init: Init,
    shape: &'a [u64],
    dtype: DType,
    key: Key,
}

impl<'a> Fill<'a> {
    fn of(source: &'a Source, tensor: &Tensor, keys: Keys) -> Option<Self> {
        let Source::Init { init, shape, stream } = source else { return None };
        Some(Self { init: *init, shape, dtype: float(tensor.dtype)?, key: keys.of(stream) })
    }
}

/// Makes what the device can't: copies, formulas, norms.
struct Host<'a> {
    job: Job<'a>,
    maker: Maker<'a>,
    bytes: Vec<u8>,
}

impl Host<'_> {
    fn make(&mut self, piece: &Piece) -> Result<&[u8]> {
        let tensor = &self.job.tensors[piece.tensor];
        self.bytes.resize(piece.len() as usize, 0);
        self.maker
            .make(tensor, piece.source, piece.elements.clone(), &mut self.bytes)
            .with_context(|| format!("parameter {:?}", tensor.name))?;
        Ok(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::engine::{Engine, host};
    use crate::output::Output;
    use crate::select;

    type Fault = (&'static str, fn(&wgpu::Device), &'static str);

    /// What happens to a device after the first window, and the beginning of the error.
    const FAULTS: [Fault; 2] = [
        ("destroyed", wgpu::Device::destroy, "the GPU failed: "),
        ("validation", too_large, "the GPU failed: Validation Error"),
    ];

    /// A buffer beyond the device's limit. wgpu reports it to the device's handler, as it reports a lack of memory.
    fn too_large(device: &wgpu::Device) {
        let size = device.limits().max_buffer_size + 4;
        let usage = wgpu::BufferUsages::STORAGE;
        drop(device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        }));
    }

    /// A device that fails between two windows leaves no file. The engine says why it can't go on, and the host can.
    #[test]
    fn a_device_that_fails_leaves_no_file() {
        const ELEMENTS: u64 = 1 << 20;
        let adapters = select::all();
        if adapters.is_empty() {
            assert!(std::env::var_os("SEEDBED_REQUIRE_ADAPTERS").is_none(), "no adapter on this machine");
            eprintln!("LEFT OUT: no adapter on this machine");
        }
        let init = Init::normal(0.0, 1.0);
        let source = Source::Init { init, shape: vec![ELEMENTS], stream: "w".into() };
        let content = Content::whole(source).unwrap();
        let dtype = seedbed_model::in_file(DType::F32).unwrap();
        let tensors = [Tensor { name: "w".into(), shape: vec![ELEMENTS], dtype, content }];
        let job = Job { tensors: &tensors, keys: Keys::Named(Key::new(0)), source: None };
        for named in &adapters {
            for (what, fault, message) in FAULTS {
                let mut engine = named.open().unwrap();
                engine.window_bytes = 1 << 20;
                let folder = tempfile::tempdir().unwrap();
                let target = folder.path().join("o.safetensors");
                let mut output = Output::create(&target).unwrap();
                let (device, mut windows) = (engine.gpu.device.clone(), 0);
                let mut engine = Engine::Gpu(Box::new(engine));
                let mut write = |_: &Piece, bytes: &[u8]| {
                    windows += 1;
                    if windows == 1 {
                        fault(&device);
                    }
                    output.write(bytes)
                };
                let error = engine.run(job, &mut write).unwrap_err();
                let text = format!("{error:#}");
                assert!(text.starts_with(message), "{}, {what}: {text}", named.name);
                assert!(error.is::<Error>() && windows < 4, "{}, {what}: {windows} windows", named.name);
                drop(output);
                assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{what}");
                let again = engine.run(job, &mut |_, _| Ok(())).unwrap_err();
                assert!(format!("{again:#}").starts_with("the GPU failed: "), "{what}: {again:#}");

                let mut output = Output::create(&target).unwrap();
                host::run(job, &mut |_, bytes| output.write(bytes)).unwrap();
                output.finish().unwrap();
                assert_eq!(fs::metadata(&target).unwrap().len(), 4 * ELEMENTS, "{what}");
            }
        }
    }
}
