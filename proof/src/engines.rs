//! One very long tensor, on adapters and on the host: the number of elements whose bits differ.

use anyhow::{Result, bail, ensure};
use pollster::block_on;
use seedbed::gpu::{Gpu, Readback, named_adapters};
use seedbed::{DType, FillRecorder, Init, Key, Region, TensorView, host, wgpu};

/// The arguments of `seedbed-proof engines`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Adapters whose names contain this text, in any case
    #[arg(long, default_value = "")]
    adapter: String,
    /// The initialisers
    #[arg(default_values = ["normal()", "uniform()"])]
    inits: Vec<Init>,
    /// The element type
    #[arg(long, default_value = "f32")]
    dtype: DType,
    /// The elements of the tensor, of one dimension
    #[arg(long, default_value_t = 1 << 32)]
    elements: u64,
    /// The seed of the key
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// The elements that are filled and compared at a time.
const PIECE: u64 = 1 << 26;

/// Compares, and prints a line for each adapter and initialiser.
///
/// # Errors
/// No adapter, a failure of an adapter, or bits that differ.
pub fn run(arguments: &Arguments) -> Result<()> {
    let instance = wgpu::Instance::default();
    let wanted = arguments.adapter.to_lowercase();
    let mut adapters = block_on(named_adapters(&instance));
    adapters.retain(|(name, _)| name.to_lowercase().contains(&wanted));
    ensure!(!adapters.is_empty(), "no adapter has a name with {:?} in it", arguments.adapter);
    let mut differences = 0;
    for (name, adapter) in adapters {
        let gpu = block_on(Gpu::open(&adapter))?;
        let info = adapter.get_info();
        for init in &arguments.inits {
            let different = compare(&gpu, arguments, init)?;
            println!(
                "{name} ({} {}): {init} {}, {} elements of seed {}: {different} differ from the host's",
                info.driver, info.driver_info, arguments.dtype, arguments.elements, arguments.seed
            );
            differences += different;
        }
    }
    if differences > 0 {
        bail!("{differences} elements differ");
    }
    Ok(())
}

/// The number of elements that differ. The host computes a piece while the adapter does.
fn compare(gpu: &Gpu, arguments: &Arguments, init: &Init) -> Result<u64> {
    let Arguments { dtype, elements, seed, .. } = *arguments;
    let key = Key::new(seed);
    let shape = [elements];
    let size = dtype.size();
    let capacity = (PIECE.min(elements) * size).next_multiple_of(4);
    let recorder = FillRecorder::new(&gpu.device);
    let buffer = gpu.storage_buffer(capacity);
    let mut readback = Readback::new(gpu, capacity);
    let mut expected = vec![0; capacity as usize];
    let mut different = 0;
    for start in (0..elements).step_by(PIECE as usize) {
        let end = elements.min(start + PIECE);
        let region = Region::from(&shape).elements(start..end);
        let bytes = (end - start) * size;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        recorder.fill(&mut encoder, &TensorView::new(&buffer, dtype, region.clone()), init, key)?;
        readback.record(&mut encoder, &buffer, 0..bytes.next_multiple_of(4));
        gpu.queue.submit([encoder.finish()]);
        readback.map();
        let expected = &mut expected[..bytes as usize];
        host::fill_bytes(expected, dtype, region, init, key)?;
        different += block_on(readback.read(|found| {
            if found[..bytes as usize] == *expected {
                return 0;
            }
            let pairs = found.chunks_exact(size as usize).zip(expected.chunks_exact(size as usize));
            pairs.filter(|(found, expected)| found != expected).count() as u64
        }))?;
    }
    Ok(different)
}
