//! The class `Init`.

use std::hash::{Hash, Hasher};

use pyo3::prelude::*;
use seedbed::{Fans, Init};

use crate::numbers::list;
use crate::refused;

/// An initialiser by its text: `"xavier_normal(gain=1.4)"`.
///
/// The texts are those that the program `seedbed fill` takes: the functions of torch.nn.init under their names, JAX's and Keras's
/// after `jax::` and `keras::`. `Init.signatures()` lists all. `fans=(fan_in, fan_out)` replaces the fans of the shape.
///
/// >>> from seedbed import Init
/// >>> str(Init("normal(std=0.02)"))
/// 'normal(mean=0,std=0.02)'
/// >>> Init("xavier_uniform", fans=(784, 256)).std([256])
/// 0.04385290096535146
#[pyclass(name = "Init", module = "seedbed", frozen, from_py_object)]
#[derive(Clone)]
pub(crate) struct PyInit {
    text: String,
    /// The library's initialiser. `None`: the initialiser follows from the shape.
    fixed: Option<Init>,
}

impl PyInit {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn fixed(&self) -> Option<Init> {
        self.fixed
    }

    fn of(fixed: Init) -> Self {
        Self { text: fixed.to_string(), fixed: Some(fixed) }
    }

    /// The initialiser for a shape.
    fn at(&self, shape: &[u64]) -> PyResult<Init> {
        if let Some(init) = self.fixed {
            return Ok(init);
        }
        let content =
            seedbed_model::content(&self.text, shape, seedbed_model::Dtype::F32, "").map_err(refused)?;
        match content.single() {
            Some(seedbed_model::Source::Init { init, .. }) => Ok(*init),
            _ => Err(refused(format_args!("{} has no distribution of its elements", self.text))),
        }
    }
}

#[pymethods]
impl PyInit {
    #[new]
    #[pyo3(signature = (text, *, fans = None))]
    fn new(text: &Bound<'_, PyAny>, fans: Option<(f64, f64)>) -> PyResult<Self> {
        let init = match text.cast::<Self>() {
            Ok(init) => init.get().clone(),
            Err(_) => {
                let text = text.extract::<String>().map_err(|_| {
                    pyo3::exceptions::PyTypeError::new_err("an initialiser must be a text or an Init")
                })?;
                match seedbed_model::initialiser(&text).map_err(refused)? {
                    Some(fixed) => Self::of(fixed),
                    None => Self { text: text.trim().to_owned(), fixed: None },
                }
            }
        };
        match (fans, init.fixed) {
            (None, _) => Ok(init),
            (Some((fan_in, fan_out)), Some(fixed)) => {
                fixed.with_fans(Fans { fan_in, fan_out }).map(Self::of).map_err(refused)
            }
            (Some(_), None) => Err(refused(format_args!("{} takes no fans", init.text))),
        }
    }

    /// The mean of the elements of a tensor of this shape.
    fn mean(&self, shape: &Bound<'_, PyAny>) -> PyResult<f64> {
        let shape = list(shape, "the shape")?;
        self.at(&shape)?.mean(&shape).map_err(refused)
    }

    /// The standard deviation of the elements of a tensor of this shape.
    fn std(&self, shape: &Bound<'_, PyAny>) -> PyResult<f64> {
        let shape = list(shape, "the shape")?;
        self.at(&shape)?.std(&shape).map_err(refused)
    }

    /// The initialiser with explicit parameters that gives a tensor of this shape the same elements, such as
    /// `normal(mean=0,std=0.05)`.
    fn resolve(&self, shape: &Bound<'_, PyAny>) -> PyResult<Self> {
        let shape = list(shape, "the shape")?;
        self.at(&shape)?.resolve(&shape).map(Self::of).map_err(refused)
    }

    /// All initialisers, with their arguments and defaults.
    #[staticmethod]
    fn signatures() -> Vec<String> {
        let of_rules = seedbed_model::OF_RULES.map(|(signature, _)| signature.to_owned());
        Init::signatures().map(ToString::to_string).chain(of_rules).collect()
    }

    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let text = pyo3::types::PyString::new(slf.py(), &slf.get().text).repr()?;
        Ok(format!("Init({text})"))
    }

    /// Two initialisers are equal if their texts are. So `constant(nan)` equals itself.
    fn __eq__(&self, other: &Self) -> bool {
        self.text == other.text
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.text.hash(&mut hasher);
        hasher.finish()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, pyo3::types::PyType>, (String,)) {
        (slf.get_type(), (slf.get().text.clone(),))
    }
}
