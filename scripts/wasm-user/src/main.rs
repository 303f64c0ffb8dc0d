//! What a program of a web page does with the library. The exit status is 0, or the number of the first fill
//! whose bytes are wrong: a status, because a WebAssembly module without imports has no other way to speak.

use std::process::ExitCode;

use seedbed::DType::{self, BF16, F16, F32};
use seedbed::{Error, Init, Key, host};
use sha2::{Digest, Sha256};

/// The shape of most golden values.
const GOLDEN: [u64; 2] = [1, 1 << 20];

/// Seed, initialiser, element type, shape, and the SHA-256 of the little-endian bytes.
type Fill = (u64, &'static str, DType, [u64; 2], &'static str);

/// The hashes of seed 0 are golden values of `tests/conformance/values/golden.rs`. The others are of what
/// `seedbed fill --adapter host` wrote on x86-64.
#[rustfmt::skip]
const FILLS: [Fill; 9] = [
    (42, "xavier_normal", F32, [64, 64], "6f17195dc62142ddc00e26046fc4f50fd0821fffa71b3ae873755e2bc9eca701"),
    (42, "orthogonal", F32, [64, 64], "dcf86e9aa952e5ff9bc2abfca391c271fe0e9210df1fa14ba518a7b669b35b99"),
    (0, "normal", F32, GOLDEN, "25cb5e02b4a35eaf89493c0ed3757f7abeb1b89101375385dde5c7a92c5adb7b"),
    (0, "normal", F16, GOLDEN, "95027d86ce0d69ad28694fca2df01c720438e274dd8717df4eebad9f2c978a10"),
    (0, "normal", BF16, GOLDEN, "ab9ba42c33300f8919fe7dfd23d2ab0ecdb7182412aaecd5306b69e65ad0185a"),
    (0, "log_normal", F32, GOLDEN, "1f71559b0973bd8d9ffe475dd9dbd04d63830cb3551d960cdee2d701c15d096f"),
    (0, "uniform", F32, GOLDEN, "21bc9a8dc649633f8197f2391458df58271dff02bc73d08a304fb7f9acc4ad3c"),
    (0, "trunc_normal", F32, GOLDEN, "98cb51968c75829e3c9ae0910862239ccda20383f5999365c2bd5486e0eceed0"),
    (0, "sparse(0.5)", F32, [1024, 1024], "6a89d6dad6cb838a960a70b4c8678cd93d05b3531a1912b5118b502a97bf852f"),
];

fn main() -> ExitCode {
    #[cfg(feature = "wgpu")]
    std::hint::black_box(on_the_gpu as fn(&wgpu::Device, &wgpu::Buffer) -> _);

    for (number, fill) in (1..).zip(FILLS) {
        let (seed, init, dtype, shape, expected) = fill;
        let found = digest(seed, init, dtype, shape).unwrap_or_else(|error| error.to_string());
        if found != expected {
            eprintln!("fill {number}, {init} of {dtype} {shape:?}: {found} instead of {expected}");
            return ExitCode::from(number);
        }
    }
    ExitCode::SUCCESS
}

fn digest(seed: u64, init: &str, dtype: DType, shape: [u64; 2]) -> Result<String, Error> {
    let mut bytes = vec![0; (shape[0] * shape[1] * dtype.size()) as usize];
    host::fill_bytes(&mut bytes, dtype, shape, &init.parse::<Init>()?, Key::new(seed))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Nobody calls this function, because only a browser has a device.
/// `main` takes its address, so that the linker needs all that it calls.
#[cfg(feature = "wgpu")]
fn on_the_gpu(device: &wgpu::Device, buffer: &wgpu::Buffer) -> Result<wgpu::CommandBuffer, Error> {
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let weight = seedbed::TensorView::f32(buffer, [64, 64]);
    seedbed::FillRecorder::new(device).fill(&mut encoder, &weight, &Init::xavier_normal(), Key::new(42))?;
    Ok(encoder.finish())
}
