//! What wgpu reports -> errors. wgpu reports mistakes and failures to the innermost error scope of the thread,
//! or else to the device's error handler, which panics by default.

use crate::error::Error;

/// Calls `create`, and returns what wgpu reports meanwhile as an error.
///
/// On the web, scopes answer only after a return to the event loop. There the device's error handler gets the
/// reports, so that none is lost.
///
/// # Errors
/// The errors of `create`; [`Error::Device`] if wgpu reports that memory is out, [`Error::Refused`] if wgpu
/// reports that something is invalid.
pub(super) fn created<R>(
    device: &wgpu::Device,
    create: impl FnOnce() -> Result<R, Error>,
) -> Result<R, Error> {
    if cfg!(target_family = "wasm") {
        return create();
    }
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let result = create();
    let (validation, memory) = (validation.pop(), memory.pop());
    // A lack of memory comes first, because it makes resources invalid that later calls then refuse.
    let memory = now(memory).map(|report| Error::Device { reason: text(&report) });
    let refused = now(validation).map(|report| Error::Refused { reason: text(&report) });
    memory.or(refused).map_or(result, Err)
}

/// A report in one line.
fn text(report: &wgpu::Error) -> String {
    let text = report.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.filter(|line| !matches!(*line, "Validation Error" | "Caused by:"));
    lines.collect::<Vec<_>>().join(": ")
}

/// The value of a future that is ready, as those of error scopes are outside of the web.
fn now(future: impl Future<Output = Option<wgpu::Error>>) -> Option<wgpu::Error> {
    use std::task::{Context, Poll, Waker};
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(report) => report,
        Poll::Pending => None,
    }
}
