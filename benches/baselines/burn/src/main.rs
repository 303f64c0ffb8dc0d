//! burn's own initialisers on its wgpu backend: baseline-burn ELEMENTS
//!
//! On the adapter that burn takes by itself: Vulkan's first, GPUs before software. burn makes new tensors and fills none
//! in place, so each time has an allocation in it, out of burn's pool, where the last repetition's tensor was.
//! `empty` is that allocation alone.

use std::error::Error;
use std::time::{Duration, Instant};

use burn::nn::Initializer;
use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::{Device, Tensor};

fn main() -> Result<(), Box<dyn Error>> {
    let wanted: u64 = std::env::args().nth(1).ok_or("ELEMENTS is missing")?.parse()?;
    // Left to itself, burn prefers software OpenGL to software Vulkan, because it does not call itself a CPU.
    let api = if cfg!(target_vendor = "apple") { WgpuBackend::Metal } else { WgpuBackend::Vulkan };
    let (device, setup) = Device::wgpu_options().graphics_api(api).init_with_setup()?;
    let info = setup.adapter.get_info();
    let adapter = format!("{}/{}", info.backend.to_str(), info.name);
    eprintln!("{adapter} ({} {})", info.driver, info.driver_info);
    // burn binds a tensor as a whole.
    let elements = wanted.min(setup.device.limits().max_storage_buffer_binding_size / 4);
    let baseline = Baseline { device, adapter, elements };

    let shape = shape(elements);
    baseline.report("empty", |device| Tensor::empty(shape, device))?;
    let xavier = (2.0 / (shape[0] + shape[1]) as f64).sqrt();
    for (case, init, mean, std) in [
        ("constant", Initializer::Constant { value: 0.01 }, 0.01, 0.0),
        ("normal", Initializer::Normal { mean: 0.0, std: 0.02 }, 0.0, 0.02),
        ("xavier_normal", Initializer::XavierNormal { gain: 1.0 }, 0.0, xavier),
    ] {
        let make = |device: &Device| -> Tensor<2> {
            init.init_with(shape, Some(shape[1]), Some(shape[0]), device).into_value()
        };
        baseline.report(case, make)?;
        check(make(&baseline.device), mean, std).map_err(|error| format!("{case}: {error}"))?;
    }
    Ok(())
}

/// As in `sample.py`.
fn shape(elements: u64) -> [usize; 2] {
    let rows = 1 << (elements.trailing_zeros() / 2);
    [rows, elements as usize / rows]
}

struct Baseline {
    device: Device,
    adapter: String,
    elements: u64,
}

impl Baseline {
    /// As `sample.py` does it.
    fn report(&self, case: &str, make: impl Fn(&Device) -> Tensor<2>) -> Result<(), Box<dyn Error>> {
        let once = || -> Result<f64, Box<dyn Error>> {
            let start = Instant::now();
            let _tensor = make(&self.device);
            self.device.sync()?;
            Ok(start.elapsed().as_secs_f64())
        };
        once()?;
        let (begin, mut times) = (Instant::now(), Vec::new());
        while times.len() < 7 || (times.len() < 101 && begin.elapsed() < Duration::from_millis(1500)) {
            times.push(once()?);
        }
        times.sort_by(f64::total_cmp);
        let (Self { adapter, elements, .. }, seconds) = (self, times[times.len() / 2]);
        println!(
            r#"{{"name": "burn wgpu, {adapter}", "version": "0.22.1", "case": "{case}", "dtype": "f32", "elements": {elements}, "seconds": {seconds}}}"#
        );
        Ok(())
    }
}

/// Whether the values are what was asked for, to six standard errors.
fn check(tensor: Tensor<2>, mean: f64, std: f64) -> Result<(), Box<dyn Error>> {
    let values: Vec<f64> = tensor.into_data().iter::<f32>().map(f64::from).collect();
    let count = values.len() as f64;
    let found = values.iter().sum::<f64>() / count;
    let spread = (values.iter().map(|x| (x - found).powi(2)).sum::<f64>() / count).sqrt();
    let tolerance = 1e-6 + 6.0 * std / count.sqrt();
    if (found - mean).abs() > tolerance || (spread - std).abs() > tolerance {
        return Err(format!("mean {found} and deviation {spread} instead of {mean} and {std}").into());
    }
    Ok(())
}
