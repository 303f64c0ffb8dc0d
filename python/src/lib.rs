//! The native half of the Python package `seedbed`: fills of memory that Python owns.
//!
//! | file | holds |
//! |---|---|
//! | `key.rs`, `init.rs`, `region.rs` | the classes `Key`, `Init`, `Region` |
//! | `filler.rs` | what a fill writes: an initialiser and its key, or a parameter's content by the rules of a model |
//! | `plan.rs` | the class `Plan`: the rules of a model |
//! | `memory.rs` | the bytes of an array, for one fill at a time |
//! | `pool.rs` | the threads, also in a process that was forked |
//! | `numbers.rs` | integers and shapes of Python, and how they are refused |
//! | `wording.rs` | remedies in errors, in Python's words |
//!
//! Python's half (`python/seedbed/_memory.py`) turns any array into one-dimensional arrays of bytes, so no code here
//! reads pointers.

mod filler;
mod init;
mod key;
mod memory;
mod numbers;
mod plan;
mod pool;
mod region;
mod wording;

use std::fmt;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The exception for a value that the library refuses, with the library's text.
fn refused(error: impl fmt::Display) -> PyErr {
    PyValueError::new_err(wording::of_python(&error.to_string()))
}

/// The native half of `seedbed`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::filler::Filler;
    #[pymodule_export]
    use crate::init::PyInit;
    #[pymodule_export]
    use crate::key::PyKey;
    #[pymodule_export]
    use crate::plan::PyPlan;
    #[pymodule_export]
    use crate::region::PyRegion;
    #[pymodule_export]
    const CONTRACT_VERSION: u32 = seedbed::CONTRACT_VERSION;
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        crate::memory::find_numpy(module.py())
    }
}
