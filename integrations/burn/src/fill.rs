//! The interface: fills of burn's tensors, submitted to burn's own queue.

use burn::backend::DispatchDevice;
use burn::backend::wgpu::{CubeTensor, WgpuResource, WgpuSetup};
use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use seedbed::{Fill, FillRecorder, Init, Key, wgpu};

use crate::parts::Part;
use crate::{Error, buffer, primitive};

/// Fills tensors of one of burn's wgpu devices. A `Seedbed` is cheap to clone, and all clones share their
/// pipelines.
#[derive(Clone, Debug)]
pub struct Seedbed {
    pub(crate) device: Device,
    gpu: wgpu::Device,
    queue: wgpu::Queue,
    recorder: FillRecorder,
}

impl Seedbed {
    /// A `Seedbed` for the tensors of `device`, with autodiff or without.
    ///
    /// `setup` holds the wgpu handles of `device`. `device` and `setup` come from one call of
    /// `Device::wgpu_options().init_with_setup()`, or `setup` was the argument of
    /// `Device::wgpu_options().setup()`. Burn does not give out the handles of a device later. The handles of
    /// another device make wgpu panic at the first fill.
    ///
    /// # Errors
    /// [`Error::NotWgpu`] for a device of another backend.
    pub fn new(device: &Device, setup: &WgpuSetup) -> Result<Self, Error> {
        let device = device.clone().without_autodiff();
        match device.as_dispatch() {
            DispatchDevice::Cube(burn::cubecl::Device::Wgpu(_)) => {}
            _ => return Err(Error::NotWgpu { device: format!("{device:?}") }),
        }
        Ok(Self {
            device,
            gpu: setup.device.clone(),
            queue: setup.queue.clone(),
            recorder: FillRecorder::new(&setup.device),
        })
    }

    /// A new tensor with the values of `init` from the stream of `key`. The memory is written once.
    ///
    /// `options` give device and type, as in burn's `Tensor::empty`: `&device`, or `(&device, DType::F16)`.
    /// The tensor has the device's autodiff association and does not require gradients.
    ///
    /// # Errors
    /// [`Error`] lists them.
    pub fn tensor<const D: usize>(
        &self,
        shape: impl Into<Shape>,
        options: impl Into<burn::tensor::TensorCreationOptions>,
        init: &Init,
        key: Key,
    ) -> Result<Tensor<D>, Error> {
        self.fill(Tensor::empty(shape, options), init, key)
    }

    /// Replaces the values of `tensor` by those of `init` from the stream of `key`. The fill writes the
    /// tensor's own memory if nothing else holds that memory, and new memory if a clone or a view exists, as
    /// burn's own operations do. The result is a leaf with the tensor's shape, type, device and
    /// `require_grad`.
    ///
    /// # Errors
    /// [`Error`] lists them. The tensor is dropped with an error.
    pub fn fill<const D: usize>(&self, tensor: Tensor<D>, init: &Init, key: Key) -> Result<Tensor<D>, Error> {
        let dtype = self.accept(&tensor.device(), tensor.dtype())?;
        let shape: Vec<u64> = tensor.dims().iter().map(|&d| d as u64).collect();
        self.check(init, dtype, &shape)?;
        if shape.contains(&0) {
            return Ok(tensor);
        }
        self.record(tensor, |encoder, resource| {
            let destination =
                seedbed::TensorView::new(&resource.buffer, dtype, &shape[..]).at(resource.offset);
            self.recorder.fill(encoder, &destination, init, key)
        })
    }

    /// Checks that tensors of this device and type can be filled.
    pub(crate) fn accept(&self, device: &Device, dtype: DType) -> Result<seedbed::DType, Error> {
        let device = device.clone().without_autodiff();
        if device != self.device {
            let (actual, expected) = (format!("{device:?}"), format!("{:?}", self.device));
            return Err(Error::Device { actual, expected });
        }
        element(dtype)
    }

    /// Checks that the device can make a tensor of this shape.
    pub(crate) fn check(&self, init: &Init, dtype: seedbed::DType, shape: &[u64]) -> Result<(), Error> {
        Ok(self.recorder.check(init, dtype, shape)?)
    }

    /// Writes several fills, whose offsets count from the tensor's first byte, as [`Self::fill`] writes one.
    pub(crate) fn fill_parts<const D: usize>(
        &self,
        tensor: Tensor<D>,
        parts: Vec<Part>,
    ) -> Result<Tensor<D>, Error> {
        if parts.is_empty() {
            return Ok(tensor);
        }
        self.record(tensor, |encoder, resource| {
            let fills = parts.into_iter().map(|Part { mut placement, init, key }| {
                placement.offset += resource.offset;
                Fill::new(seedbed::TensorView::from_placement(&resource.buffer, placement), init, key)
            });
            self.recorder.fill_all(encoder, &fills.collect::<Vec<_>>())
        })
    }

    /// Replaces `tensor` by new memory with the values of `data`. Everything else is as in [`Self::fill`].
    pub(crate) fn replace<const D: usize>(&self, tensor: Tensor<D>, data: TensorData) -> Tensor<D> {
        let dtype = data.dtype();
        let (old, restore) = primitive::without_autodiff(tensor);
        // The old memory is free before the new memory is asked for.
        drop(old);
        restore(Tensor::from_data(data, (&self.device, dtype)))
    }

    /// Submits what `fill` records for the tensor's memory.
    fn record<const D: usize>(
        &self,
        tensor: Tensor<D>,
        fill: impl FnOnce(&mut wgpu::CommandEncoder, &WgpuResource) -> Result<(), seedbed::Error>,
    ) -> Result<Tensor<D>, Error> {
        let (tensor, restore) = primitive::without_autodiff(tensor);
        let tensor = writable(primitive::into_cube(tensor)?)?;
        buffer::after_queued_work(&tensor, |resource| {
            let mut encoder = self.gpu.create_command_encoder(&wgpu::CommandEncoderDescriptor {
                label: Some("seedbed_burn::Seedbed::fill"),
            });
            fill(&mut encoder, resource)?;
            self.queue.submit([encoder.finish()]);
            Ok(())
        })?;
        Ok(restore(primitive::from_cube(tensor)))
    }
}

/// Checks that the elements of a tensor lie one after the other.
pub(crate) fn check_contiguous<const D: usize>(tensor: Tensor<D>) -> Result<(), Error> {
    let (tensor, _) = primitive::without_autodiff(tensor);
    contiguous(&primitive::into_cube(tensor)?)
}

fn contiguous(tensor: &CubeTensor) -> Result<(), Error> {
    if tensor.is_contiguous() {
        return Ok(());
    }
    let (shape, strides) = (tensor.meta.shape(), tensor.meta.strides());
    Err(Error::NotContiguous { shape: shape.to_vec(), strides: strides.to_vec() })
}

/// The element type as seedbed's type.
fn element(dtype: DType) -> Result<seedbed::DType, Error> {
    match dtype {
        DType::F32 => Ok(seedbed::DType::F32),
        DType::F16 => Ok(seedbed::DType::F16),
        DType::BF16 => Ok(seedbed::DType::BF16),
        dtype => Err(Error::DType { dtype }),
    }
}

/// The tensor itself if it may be written, or else a new tensor of the same shape.
fn writable(tensor: CubeTensor) -> Result<CubeTensor, Error> {
    contiguous(&tensor)?;
    if tensor.handle.can_mut() {
        return Ok(tensor);
    }
    let shape = tensor.meta.shape().clone();
    let bytes = shape.num_elements() * tensor.dtype.size();
    let handle = tensor.client.empty(bytes);
    Ok(CubeTensor::new_contiguous(tensor.client, tensor.device, shape, handle, tensor.dtype))
}

#[cfg(test)]
mod tests {
    use burn::tensor::wgpu::WgpuBackend;

    use super::*;

    fn place(tensor: &Tensor<1>) -> (wgpu::Buffer, u64) {
        let cube = primitive::into_cube(tensor.clone()).unwrap();
        buffer::after_queued_work(&cube, |r| Ok((r.buffer.clone(), r.offset))).unwrap()
    }

    #[test]
    fn a_part_of_a_pooled_buffer_is_filled_in_place_and_its_neighbours_stay() {
        let (device, setup) =
            Device::wgpu_options().graphics_api(WgpuBackend::Vulkan).init_with_setup().unwrap();
        let seedbed = Seedbed::new(&device, &setup).unwrap();
        let init = Init::normal(0.0, 1.0);
        for (dtype, element) in [
            (DType::F32, seedbed::DType::F32),
            (DType::F16, seedbed::DType::F16),
            (DType::BF16, seedbed::DType::BF16),
        ] {
            let sentinels: Vec<Tensor<1>> = (0..8)
                .map(|i| {
                    seedbed.tensor([77], (&device, dtype), &Init::constant(i.into()), Key::new(0)).unwrap()
                })
                .collect();
            let places: Vec<_> = sentinels.iter().map(place).collect();
            assert!(places.iter().any(|(_, offset)| *offset > 0), "{places:?}");
            assert!(places.windows(2).any(|w| w[0].0 == w[1].0), "{places:?}");

            for (i, tensor) in sentinels.into_iter().enumerate() {
                let (init, key) = match i % 2 {
                    0 => (Init::constant(i as f64), Key::new(0)),
                    _ => (init, Key::new(i as u64)),
                };
                let tensor = if i % 2 == 0 { tensor } else { seedbed.fill(tensor, &init, key).unwrap() };
                assert_eq!(place(&tensor), places[i], "{dtype:?} {i}");
                let mut expected = vec![0; 77 * element.size() as usize];
                seedbed::host::fill_bytes(&mut expected, element, [77], &init, key).unwrap();
                assert_eq!(tensor.into_data().as_bytes(), expected, "{dtype:?} {i}");
            }
        }
    }
}
