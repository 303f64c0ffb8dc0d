//! A device's reports -> errors. A device reports mistakes and failures to the innermost error scope of the
//! thread or, without a scope, to the device's error handler, which panics by default.

use super::api::Api;
use super::api::ReportKind::{self, Internal, OutOfMemory, Validation};
use crate::error::Error;

/// Calls `create`. A report of the device during the call, about memory or an invalid resource, becomes an
/// error.
///
/// On the web, scopes answer only after a return to the event loop, so no scope is opened and the device's
/// error handler gets the reports.
///
/// # Errors
/// The errors of `create`; [`Error::Device`] if the device reports that memory is out, [`Error::Refused`] if
/// it reports that something is invalid.
pub fn created<A: Api, R>(device: &A::Device, create: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    let (result, [memory, invalid]) = reports::<A, _, _>(device, [OutOfMemory, Validation], create);
    // A report about memory comes first: a lack of memory makes resources invalid, and later calls refuse
    // them.
    let memory = memory.map(|reason| Error::Device { reason });
    memory.or(invalid.map(|reason| Error::Refused { reason })).map_or(result, Err)
}

/// The error of a device that was lost or destroyed.
pub fn lost() -> Error {
    let reason = "the device was lost or destroyed; open another one, and make a FillRecorder for it";
    Error::Device { reason: reason.into() }
}

/// Calls `compile`. A report of the device or its driver during the call becomes an error about the kernel.
///
/// # Errors
/// [`Error::Device`], with the kernel's label.
pub(super) fn compiled<A: Api, R>(
    device: &A::Device,
    label: &str,
    compile: impl FnOnce() -> R,
) -> Result<R, Error> {
    let (result, reports) = reports::<A, _, _>(device, [OutOfMemory, Internal, Validation], compile);
    let failed = |reason| Error::Device { reason: format!("the kernel {label} does not compile: {reason}") };
    reports.into_iter().flatten().next().map_or(Ok(result), |reason| Err(failed(reason)))
}

/// Calls `call`, and returns the first report of each kind.
fn reports<A: Api, R, const N: usize>(
    device: &A::Device,
    kinds: [ReportKind; N],
    call: impl FnOnce() -> R,
) -> (R, [Option<String>; N]) {
    if cfg!(target_family = "wasm") {
        return (call(), [const { None }; N]);
    }
    let mut scopes = kinds.map(|kind| Some(A::open_scope(device, kind)));
    let result = call();
    let mut reports = [const { None }; N];
    for (scope, report) in scopes.iter_mut().zip(&mut reports).rev() {
        *report = scope.take().and_then(|scope| now(A::close_scope(scope))).map(|report| text(&report));
    }
    (result, reports)
}

/// The text of a report, in one line.
fn text(report: &str) -> String {
    let lines = report.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.filter(|line| !matches!(*line, "Validation Error" | "Caused by:"));
    lines.collect::<Vec<_>>().join(": ")
}

/// The value of a future that is ready. Outside of the web, the futures of error scopes are always ready.
fn now(future: impl Future<Output = Option<String>>) -> Option<String> {
    use std::task::{Context, Poll, Waker};
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(report) => report,
        Poll::Pending => None,
    }
}
