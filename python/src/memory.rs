//! The bytes of an array, for one fill at a time.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use numpy::{PyArray1, PyArrayMethods};
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

use crate::{pool, refused};

/// The addresses that fills of this process and of its parents write now, each with its process.
static BUSY: Mutex<Vec<(u32, Range<usize>)>> = Mutex::new(Vec::new());

/// Calls `write` with the bytes of an array, on the threads of this process and without Python's global lock.
///
/// Fills of overlapping memory wait for each other. Columns of one array overlap too, because bytes between the rows
/// belong to the span.
pub(crate) fn with_bytes<T: Send>(
    array: &Bound<'_, PyArray1<u8>>,
    write: impl FnOnce(&mut [u8]) -> T + Send,
) -> PyResult<T> {
    let py = array.py();
    let pool = pool::of_this_process(py)?;
    let start = array.data() as usize;
    let _busy = reserve(py, start..start.saturating_add(array.len()?))?;
    let mut array = array.try_readwrite().map_err(|error| match error {
        numpy::BorrowError::NotWriteable => refused("the array is read-only"),
        _ => refused("the array is in use by another extension module"),
    })?;
    let bytes = array.as_slice_mut().map_err(refused)?;
    Ok(py.detach(|| pool.install(|| write(bytes))))
}

/// Finds numpy's functions, when the module is imported.
///
/// Without this call, the crate `numpy` finds the functions at their first use, and panics if Python raises an exception
/// meanwhile: Ctrl-C in the first fill would be a panic. Python runs the handlers of signals in the main thread only, so
/// another thread finds the functions.
pub(crate) fn find_numpy(py: Python<'_>) -> PyResult<()> {
    // The import happens here, where an interrupt is an exception like any other.
    py.import("numpy")?;
    let find = || {
        Python::attach(|py| {
            let array = PyArray1::<u8>::zeros(py, 1, false);
            array.try_readwrite().is_ok()
        })
    };
    let found = py.detach(|| std::thread::Builder::new().spawn(find).map(std::thread::JoinHandle::join));
    match found {
        Ok(Ok(true)) => Ok(()),
        // A panic of the thread has printed its message to stderr.
        Ok(_) => {
            Err(PyImportError::new_err("seedbed can't use this numpy; numpy 1.24 and later are supported"))
        }
        Err(error) => Err(PyImportError::new_err(format!("seedbed can't begin a thread: {error}"))),
    }
}

/// A range of addresses that no other fill writes.
struct Busy(Range<usize>);

fn reserve(py: Python<'_>, addresses: Range<usize>) -> PyResult<Busy> {
    let process = std::process::id();
    loop {
        {
            // Locked only while this thread holds Python's global lock, as the mutex of `pool.rs` is.
            let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
            let overlaps = |other: &Range<usize>| other.start < addresses.end && addresses.start < other.end;
            if !busy.iter().any(|(owner, other)| *owner == process && overlaps(other)) {
                busy.push((process, addresses.clone()));
                return Ok(Busy(addresses));
            }
        }
        py.detach(|| std::thread::sleep(Duration::from_millis(1)));
        py.check_signals()?;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let process = std::process::id();
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = busy.iter().position(|entry| *entry == (process, self.0.clone())) {
            busy.swap_remove(index);
        }
    }
}
