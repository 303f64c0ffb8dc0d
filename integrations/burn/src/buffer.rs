//! The wgpu buffer of a cubecl tensor, and the order in which burn's work and a fill reach the queue.

use burn::backend::wgpu::{AutoCompiler, CubeTensor, WgpuResource};
use burn::cubecl::wgpu::WgpuServer;

use crate::Error;

/// Calls `submit` with the buffer that holds the tensor, after all work that burn has queued. Later work of
/// burn comes after the work that `submit` submits to the same queue.
///
/// The allocation stays where it is until `submit` returns.
pub(crate) fn after_queued_work<R>(
    tensor: &CubeTensor,
    submit: impl FnOnce(&WgpuResource) -> Result<R, Error>,
) -> Result<R, Error> {
    let resource = tensor
        .client
        .get_resource::<WgpuServer<AutoCompiler>>(tensor.handle.clone())
        .map_err(|e| Error::Burn { operation: "find the tensor's buffer", reason: e.to_string() })?;
    // A stream keeps commands back until it has many. Two streams are flushed: the stream that owns the
    // memory, whose commands may still use the memory's previous tensor, and the stream of this thread.
    let flush = || tensor.client.flush();
    let flushed = tensor.handle.stream.executes(flush).and_then(|()| flush());
    flushed.map_err(|e| Error::Burn { operation: "submit its queued work", reason: e.to_string() })?;
    submit(resource.resource())
}
