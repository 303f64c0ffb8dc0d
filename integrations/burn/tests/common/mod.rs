//! One device for all tests of a file: burn's runtimes live as long as the process.

use std::sync::OnceLock;

use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::{DType, Device, Tensor};
use seedbed::{Init, Key};
use seedbed_burn::Seedbed;

/// burn's device, and a `Seedbed` for it.
pub fn open() -> (Device, Seedbed) {
    static OPEN: OnceLock<(Device, Seedbed)> = OnceLock::new();
    OPEN.get_or_init(|| {
        let (device, setup) =
            Device::wgpu_options().graphics_api(WgpuBackend::Vulkan).init_with_setup().unwrap();
        println!("{:?}", setup.adapter.get_info());
        let seedbed = Seedbed::new(&device, &setup).unwrap();
        (device, seedbed)
    })
    .clone()
}

/// The bytes of a tensor, read back by burn.
pub fn bytes<const D: usize>(tensor: Tensor<D>) -> Vec<u8> {
    tensor.into_data().as_bytes().to_vec()
}

/// The bytes that the host engine writes.
pub fn host(shape: &[usize], dtype: DType, init: &Init, key: Key) -> Vec<u8> {
    let dtype = match dtype {
        DType::F32 => seedbed::DType::F32,
        DType::F16 => seedbed::DType::F16,
        DType::BF16 => seedbed::DType::BF16,
        dtype => panic!("no elements of {dtype:?} on the host"),
    };
    let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
    let mut bytes = vec![0; (shape.iter().product::<u64>() * dtype.size()) as usize];
    seedbed::host::fill_bytes(&mut bytes, dtype, &shape[..], init, key).unwrap();
    bytes
}
