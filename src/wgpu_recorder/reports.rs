//! wgpu's reports -> errors. wgpu reports mistakes and failures to the innermost error scope of the thread or,
//! without a scope, to the device's error handler, which panics by default.

use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};

use crate::error::Error;

/// Calls `create`. A report of wgpu during the call, about memory or an invalid resource, becomes an error.
///
/// On the web, scopes answer only after a return to the event loop, so no scope is opened and the device's
/// error handler gets the reports.
///
/// # Errors
/// The errors of `create`; [`Error::Device`] if wgpu reports that memory is out, [`Error::Refused`] if wgpu
/// reports that something is invalid.
pub(super) fn created<R>(
    device: &wgpu::Device,
    create: impl FnOnce() -> Result<R, Error>,
) -> Result<R, Error> {
    let (result, [memory, invalid]) = reports(device, [OutOfMemory, Validation], create);
    // A report about memory comes first: a lack of memory makes resources invalid, and later calls refuse them.
    let memory = memory.map(|reason| Error::Device { reason });
    memory.or(invalid.map(|reason| Error::Refused { reason })).map_or(result, Err)
}

/// Calls `compile`. A report of wgpu or the driver during the call becomes an error about the kernel.
///
/// # Errors
/// [`Error::Device`], with the kernel's label.
pub(super) fn compiled<R>(
    device: &wgpu::Device,
    label: &str,
    compile: impl FnOnce() -> R,
) -> Result<R, Error> {
    let (result, reports) = reports(device, [OutOfMemory, Internal, Validation], compile);
    let failed = |reason| Error::Device { reason: format!("the kernel {label} does not compile: {reason}") };
    reports.into_iter().flatten().next().map_or(Ok(result), |reason| Err(failed(reason)))
}

/// Calls `call`, and returns the first report of each kind.
fn reports<R, const N: usize>(
    device: &wgpu::Device,
    kinds: [wgpu::ErrorFilter; N],
    call: impl FnOnce() -> R,
) -> (R, [Option<String>; N]) {
    if cfg!(target_family = "wasm") {
        return (call(), [const { None }; N]);
    }
    let mut scopes = kinds.map(|kind| Some(device.push_error_scope(kind)));
    let result = call();
    let mut reports = [const { None }; N];
    for (scope, report) in scopes.iter_mut().zip(&mut reports).rev() {
        *report = scope.take().and_then(|scope| now(scope.pop())).map(|error| text(&error));
    }
    (result, reports)
}

/// The text of a report, in one line.
fn text(report: &wgpu::Error) -> String {
    let text = report.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.filter(|line| !matches!(*line, "Validation Error" | "Caused by:"));
    lines.collect::<Vec<_>>().join(": ")
}

/// The value of a future that is ready. Outside of the web, the futures of error scopes are always ready.
fn now(future: impl Future<Output = Option<wgpu::Error>>) -> Option<wgpu::Error> {
    use std::task::{Context, Poll, Waker};
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(report) => report,
        Poll::Pending => None,
    }
}
