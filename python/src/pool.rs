//! The threads of fills.
//!
//! A process that is forked keeps a thread pool's memory but none of its threads, and work that is given to such a pool
//! waits forever. PyTorch's loaders and `multiprocessing` fork, so each process makes a pool of its own.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// The pool of this process. Its number of threads is that of the variable RAYON_NUM_THREADS, or of the cores.
///
/// The mutex is locked only while this thread holds Python's global lock. A thread that forks holds the global lock too,
/// so the mutex is never locked in a forked process.
pub(crate) fn of_this_process(_py: Python<'_>) -> PyResult<Arc<ThreadPool>> {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some((owner, pool)) = &*pool
        && *owner == process
    {
        return Ok(pool.clone());
    }
    let new = ThreadPoolBuilder::new().thread_name(|i| format!("seedbed-{i}")).build().map_err(|error| {
        PyRuntimeError::new_err(format!("no threads for a fill: {error}; set RAYON_NUM_THREADS to fewer"))
    })?;
    let new = Arc::new(new);
    // The parent's pool is leaked, because dropping a pool wakes its threads.
    std::mem::forget(pool.replace((process, new.clone())));
    Ok(new)
}
