//! The class `Key`.

use pyo3::prelude::*;
use seedbed::Key;

use crate::numbers::unsigned;
use crate::refused;

/// The most keys of one `split`, which makes a list of them.
const MAX_SPLIT: u64 = 1 << 24;

/// A position in a stream of random words: `seed` selects one of 2^64 streams, `offset` is the block of four words at
/// which to begin.
///
/// A key belongs to one tensor. Two tensors that are filled with one key get correlated values. `named` gives each
/// parameter of a model a key of its own. Streams and derived keys equal those of PyTorch's stateless generator
/// (`torch.func._random`).
///
/// >>> from seedbed import Key
/// >>> model = Key(42)
/// >>> model.named("fc.weight") == model.named("fc.bias")
/// False
#[pyclass(name = "Key", module = "seedbed", frozen, eq, hash, from_py_object)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PyKey(pub(crate) Key);

#[pymethods]
impl PyKey {
    #[new]
    #[pyo3(signature = (seed, offset = None))]
    fn new(seed: &Bound<'_, PyAny>, offset: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let seed = unsigned(seed, "the seed")?;
        let offset = offset.map_or(Ok(0), |offset| unsigned(offset, "the offset"))?;
        Ok(Self(Key { seed, offset }))
    }

    /// The seed, 0 to 2^64 - 1.
    #[getter]
    fn seed(&self) -> u64 {
        self.0.seed
    }

    /// The block of four words at which the stream begins.
    #[getter]
    fn offset(&self) -> u64 {
        self.0.offset
    }

    /// The key of the parameter called `name`.
    fn named(&self, name: &str) -> Self {
        Self(self.0.named(name))
    }

    /// The key that the number `data` derives from this key. Equals PyTorch's `fold_in`, bit for bit.
    fn fold_in(&self, data: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(self.0.fold_in(unsigned(data, "the number to fold in")?)))
    }

    /// The keys `fold_in(0)`, `fold_in(1)`, … `fold_in(n - 1)`. Equal PyTorch's `split`, bit for bit.
    fn split(&self, n: &Bound<'_, PyAny>) -> PyResult<Vec<Self>> {
        let n = unsigned(n, "the number of keys")?;
        if n > MAX_SPLIT {
            return Err(refused(format_args!("a list of {n} keys; call fold_in(i) for one key at a time")));
        }
        Ok(self.0.split(n).map(Self).collect())
    }

    fn __repr__(&self) -> String {
        format!("Key(seed={}, offset={})", self.0.seed, self.0.offset)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, pyo3::types::PyType>, (u64, u64)) {
        let Key { seed, offset } = slf.get().0;
        (slf.get_type(), (seed, offset))
    }
}
