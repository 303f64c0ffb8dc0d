//! The recorder for this library's major of wgpu. `recorder` holds the rules, and `recorder/wgpu_api.rs`
//! wgpu's calls.

mod self_test;

use crate::error::Error;
use crate::recorder::{self, lost};

/// Fills tensors of one device. A recorder is cheap to clone, and all clones share their pipelines.
///
/// A recorder records into your encoder and does nothing else: no submission, no polling, no queue.
///
/// ```no_run
/// # #[cfg(feature = "wgpu")]
/// # fn f(device: &wgpu::Device, buffer: &wgpu::Buffer, encoder: &mut wgpu::CommandEncoder) -> Result<(), seedbed::Error> {
/// use seedbed::{Init, FillRecorder, Key, TensorView};
///
/// let recorder = FillRecorder::new(device);
/// let weight = TensorView::f32(buffer, [768, 3072]);
/// recorder.fill(encoder, &weight, &Init::xavier_normal(), Key::new(42).named("mlp.weight"))?;
/// # Ok(())
/// # }
/// ```
pub type FillRecorder = recorder::FillRecorder<Wgpu>;

/// A view of a buffer as a destination: elements of a logical tensor, row-major from a byte offset on. A fill
/// changes no other byte: neither the padding between rows, nor the other half of a word that a 16-bit
/// element shares.
///
/// The buffer needs `BufferUsages::STORAGE`. With `COPY_DST` too, large zeros become a `clear_buffer`.
///
/// ```no_run
/// # fn f(buffer: &wgpu::Buffer) {
/// use seedbed::{Region, TensorView};
///
/// // A weight in an arena, 4 KiB from its start.
/// let weight = TensorView::f32(buffer, [768, 3072]).at(4096);
/// // The second half of that weight alone, as another device of a sharded model would hold it.
/// let half = TensorView::f32(buffer, Region::from([768, 3072]).elements(1179648..2359296));
/// // The second half of each row, as another way to split the model needs.
/// let shard = TensorView::f32(buffer, Region::from([768, 3072]).shard([0, 1536], [768, 1536]));
/// // Rows of 100 elements, each on a 256-byte boundary as in an image copy.
/// let padded = TensorView::f32(buffer, [64, 100]).row_pitch(512);
/// # }
/// ```
pub type TensorView<'a> = recorder::TensorView<'a, Wgpu>;

/// A fill of [`FillRecorder::fill_all`]: the arguments of [`FillRecorder::fill`].
///
/// One list of fills describes a model for GPU and CPU: a test, or a machine without a GPU, makes the same
/// bytes from that list with [`host::fill_buffer`](crate::host::fill_buffer).
///
/// ```no_run
/// use seedbed::{Error, Fill, Init, Key, TensorView, host, wgpu};
///
/// struct Layer {
///     fills: Vec<Fill<'static>>,
/// }
///
/// fn layer(arena: &wgpu::Buffer, model: Key) -> Layer {
///     let weight = TensorView::f32(arena, [3072, 768]).into_owned();
///     Layer { fills: vec![Fill::named("mlp.weight", weight, Init::xavier_normal(), model)] }
/// }
///
/// /// The bytes that the arena has after the fills.
/// fn on_the_host(layer: &Layer, arena: &mut [u8]) -> Result<(), Error> {
///     for fill in &layer.fills {
///         host::fill_buffer(arena, fill.tensor().placement(), fill.init(), fill.key())?;
///     }
///     Ok(())
/// }
/// ```
pub type Fill<'a> = recorder::Fill<'a, Wgpu>;

/// The GPU API of [`seedbed::wgpu`](crate::wgpu), one major version of wgpu.
#[derive(Clone, Copy, Debug)]
pub struct Wgpu;

wgpu_api!(Wgpu, upload);

/// Creates a buffer with these words.
fn upload(
    device: &wgpu::Device,
    descriptor: &wgpu::BufferDescriptor<'_>,
    words: &[u32],
) -> Result<wgpu::Buffer, Error> {
    let created = device.create_buffer(descriptor);
    // A device that is out of memory has already reported so to the error scope.
    let mut mapped = created.get_mapped_range_mut(..).map_err(|_| lost())?;
    mapped.slice(..).copy_from_slice(bytemuck::cast_slice(words));
    drop(mapped);
    created.unmap();
    Ok(created)
}

#[cfg(test)]
mod tests {
    use super::Wgpu;
    use crate::program::{Device, DeviceClass, Limits};

    #[test]
    fn wgpus_defaults_are_webgpus() {
        assert_eq!(Wgpu::limits_of(&wgpu::Limits::default()), Limits::default());
    }

    #[test]
    fn a_device_without_compute_is_refused() {
        let limits = Wgpu::limits_of(&wgpu::Limits::downlevel_webgl2_defaults());
        let device = Device { limits, int64: false, class: DeviceClass::Gpu };
        let planner = crate::program::Planner::new(device, crate::Math::Portable);
        let error = planner.check(&crate::Init::Ones, crate::DType::F32, [1]).unwrap_err();
        assert_eq!(error, crate::Error::NoCompute);
    }
}
