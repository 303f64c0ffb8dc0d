#![doc = include_str!("../README.md")]

use seedbed::Error;
use seedbed::recorder::{self, created, lost};
use seedbed::wgpu_api;
pub use {seedbed, wgpu};

/// A recorder of fills, as [`seedbed::FillRecorder`](recorder::FillRecorder), for a device of wgpu 29.
pub type FillRecorder = recorder::FillRecorder<Wgpu>;

/// A part of a buffer of wgpu 29 as elements of a type, as [`seedbed::TensorView`](recorder::TensorView).
pub type TensorView<'a> = recorder::TensorView<'a, Wgpu>;

/// A fill of [`FillRecorder::fill_all`], as [`seedbed::Fill`](recorder::Fill).
pub type Fill<'a> = recorder::Fill<'a, Wgpu>;

/// wgpu 29.
#[derive(Clone, Copy, Debug)]
pub struct Wgpu;

wgpu_api!(Wgpu, upload);

/// Creates a buffer with its words.
fn upload(
    device: &wgpu::Device,
    descriptor: &wgpu::BufferDescriptor<'_>,
    words: &[u32],
) -> Result<wgpu::Buffer, Error> {
    let created = created::<Wgpu, _>(device, || Ok(device.create_buffer(descriptor)))?;
    // wgpu 29 panics where a buffer that a lost device "created" is mapped.
    check_not_lost(device)?;
    created.get_mapped_range_mut(..).slice(..).copy_from_slice(bytemuck::cast_slice(words));
    created.unmap();
    Ok(created)
}

/// Finds out whether the device is lost. wgpu 29 tells nobody when a lost device creates a buffer, but
/// reports that the buffer is invalid when it is unmapped. A device that is lost stays lost, so earlier
/// buffers are valid if this one is.
///
/// # Errors
/// [`lost`]; [`Error::Device`] if memory is out.
fn check_not_lost(device: &wgpu::Device) -> Result<(), Error> {
    let probe = wgpu::BufferDescriptor {
        label: Some("seedbed::probe"),
        size: wgpu::COPY_BUFFER_ALIGNMENT,
        usage: wgpu::BufferUsages::MAP_WRITE,
        mapped_at_creation: true,
    };
    let unmapped = created::<Wgpu, _>(device, || {
        device.create_buffer(&probe).unmap();
        Ok(())
    });
    unmapped.map_err(|error| if matches!(error, Error::Refused { .. }) { lost() } else { error })
}
