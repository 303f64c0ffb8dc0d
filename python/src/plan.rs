//! The class `Plan`: which initialiser each parameter of a model gets.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use seedbed::{DType, Key};
use seedbed_model::{Config, Entry, Keys, Model, Outcome, Plan, Preset, Rules, Source, Tensor};

use crate::filler::{Filler, unsupported};
use crate::key::PyKey;
use crate::numbers::unsigned;
use crate::refused;
use crate::region::PyRegion;
use crate::wording::of_python;

/// What each parameter of a model holds, by rules or a preset.
///
/// `manifest` is the JSON text of a manifest: `{"parameters": {NAME: {"shape": [2, 3], "dtype": "F32"}}}`. `rules` is the
/// TOML text of rules, `preset` the name of a preset, for parameters that no rule matches; `config` is the text of a
/// config.json, which chooses the preset where neither is given. `strip_prefix` are prefixes of names that the streams do
/// not depend on. The values are those of `seedbed init` with the same model, rules and seed.
///
/// >>> from seedbed._native import Plan
/// >>> plan = Plan('{"fc.weight": {"shape": [2, 3], "dtype": "F32"}}', preset="pytorch")
/// >>> plan.entries()[0]["init"]
/// 'kaiming_uniform(a=2.23606797749979,mode=fan_in,nonlinearity=leaky_relu)'
#[pyclass(name = "Plan", module = "seedbed._native", frozen)]
pub(crate) struct PyPlan {
    plan: Plan,
    /// The index of each parameter's entry in the plan, and the parameter's tensor if it has one, by name.
    tensors: HashMap<String, (usize, Option<Arc<Tensor>>)>,
}

impl PyPlan {
    fn entry(&self, name: &str) -> PyResult<(&Entry, &Option<Arc<Tensor>>)> {
        let found = self.tensors.get(name);
        let (index, tensor) =
            found.ok_or_else(|| refused(format_args!("the plan has no parameter {name:?}")))?;
        Ok((&self.plan.entries[*index], tensor))
    }
}

/// A key, or a seed as its key.
fn key_of(key: &Bound<'_, PyAny>) -> PyResult<Key> {
    match key.cast::<PyKey>() {
        Ok(key) => Ok(key.get().0),
        Err(_) => Ok(Key::new(unsigned(key, "the seed")?)),
    }
}

/// The element type of the library by its name in manifests and in numpy.
fn dtype_of(name: &str) -> PyResult<DType> {
    match name {
        "float32" | "F32" => Ok(DType::F32),
        "float16" | "F16" => Ok(DType::F16),
        "bfloat16" | "BF16" => Ok(DType::BF16),
        _ => Err(unsupported(name)),
    }
}

#[pymethods]
impl PyPlan {
    #[new]
    #[pyo3(signature = (manifest, *, rules = None, preset = None, config = None, strip_prefix = Vec::new(), dtype = None))]
    fn new(
        py: Python<'_>,
        manifest: String,
        rules: Option<String>,
        preset: Option<String>,
        config: Option<String>,
        strip_prefix: Vec<String>,
        dtype: Option<&str>,
    ) -> PyResult<Self> {
        let dtype = dtype.map(dtype_of).transpose()?;
        let plan = || {
            let own = rules.map(|text| Rules::parse(&text, "rules")).transpose()?;
            let preset = preset.map(|name| Rules::preset(&name)).transpose()?;
            let mut model = Model::of_manifest(manifest.as_bytes())?;
            model.config = config.map(|text| Config::parse(text.as_bytes())).transpose()?;
            let rules = match (own, preset) {
                (Some(own), Some(preset)) => own.then(preset),
                (Some(rules), None) | (None, Some(rules)) => rules,
                (None, None) => {
                    let model_type = model.config.as_ref().and_then(|config| config.model_type());
                    let preset = model_type.and_then(Preset::of_model_type);
                    preset.map_or_else(Rules::built_in, |preset| Rules::preset(preset.name))?
                }
            };
            Plan::new(&model, None, &rules.stripping(&strip_prefix), dtype)
        };
        let plan = py.detach(plan).map_err(|error: seedbed_model::Error| refused(error))?;
        let tensors = plan.entries.iter().enumerate().map(|(index, entry)| {
            let tensor = entry.outcome.tensor().map(|tensor| Arc::new(tensor.clone()));
            (entry.parameter.name.clone(), (index, tensor))
        });
        Ok(Self { tensors: tensors.collect(), plan })
    }

    /// What is allowed and most likely a mistake, a line each.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.plan.warnings.iter().map(|text| of_python(text)).collect()
    }

    /// Raises ValueError that lists the parameters that can't be made, by reason, with a remedy.
    fn check(&self) -> PyResult<()> {
        self.plan.check().map_err(|error| match error.hint() {
            Some(hint) => refused(format_args!("{error}\n{hint}")),
            None => refused(error),
        })
    }

    /// The parameters in the order of the manifest, a dict each: `name`, `shape`, `dtype` (in the manifest's spelling),
    /// `rule`, `init` (a description), `fans`, `mean`, `std`, `outcome` (`make`, `copy`, `tie`, `skip` or `error`),
    /// `tied_to`, `problem` and `stream`.
    fn entries<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for entry in &self.plan.entries {
            let dict = PyDict::new(py);
            let tensor = entry.outcome.tensor();
            let dtype = tensor.map_or(entry.parameter.dtype, |tensor| tensor.dtype);
            dict.set_item("name", &entry.parameter.name)?;
            dict.set_item("shape", &entry.parameter.shape)?;
            dict.set_item("dtype", dtype.to_string())?;
            let rule = entry.rule.as_ref().map(|rule| {
                format!("{}, rule {}, line {}: {}", rule.origin, rule.number, rule.line, rule.glob)
            });
            dict.set_item("rule", rule)?;
            dict.set_item("init", tensor.map(|_| entry.description()))?;
            dict.set_item("fans", entry.fans.map(|fans| (fans.fan_in, fans.fan_out)))?;
            let (mean, std) = tensor.and_then(|tensor| tensor.moments()).unzip();
            dict.set_item("mean", mean)?;
            dict.set_item("std", std)?;
            let (outcome, tied_to, problem) = match &entry.outcome {
                Outcome::Make(_) => ("make", None, None),
                Outcome::Copy(_) => ("copy", None, None),
                Outcome::Tie { to, .. } => ("tie", Some(to), None),
                Outcome::Skip => ("skip", None, None),
                Outcome::Error(problem) => ("error", None, Some(of_python(&problem.to_string()))),
            };
            dict.set_item("outcome", outcome)?;
            dict.set_item("tied_to", tied_to)?;
            dict.set_item("problem", problem)?;
            dict.set_item("stream", entry.stream())?;
            list.append(dict)?;
        }
        Ok(list)
    }

    /// What fills the parameter of this name. `key` is a Key or a seed; the parameter's stream is that of its name.
    fn filler(&self, name: &str, key: &Bound<'_, PyAny>) -> PyResult<Filler> {
        let (entry, tensor) = self.entry(name)?;
        let refuse = |what: String| Err(refused(format_args!("{name:?}: {what}")));
        match (&entry.outcome, tensor) {
            (Outcome::Error(problem), _) => refuse(problem.to_string()),
            (_, None) => refuse("the rules skip the parameter".to_owned()),
            (_, Some(tensor)) if tensor.content.sources.iter().any(Source::is_copied) => {
                refuse("the rules copy the parameter from another model, which is not here".to_owned())
            }
            (_, Some(tensor)) => Ok(Filler::of_tensor(tensor.clone(), Keys::Named(key_of(key)?))),
        }
    }

    /// Fills `x` with the parameter of this name, or with a region of the parameter. Returns `x`.
    #[pyo3(signature = (name, x, key, region = None))]
    fn fill<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        x: Bound<'py, PyAny>,
        key: &Bound<'py, PyAny>,
        region: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let region = region.filter(|region| !region.is_none());
        if let Some(region) = region
            && !region.is_instance_of::<PyRegion>()
        {
            return Err(PyTypeError::new_err("the region must be a seedbed.Region"));
        }
        let filler = self.filler(name, key)?;
        py.import("seedbed._fill")?.getattr("write")?.call1((&x, filler, region))?;
        Ok(x)
    }

    fn __contains__(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn __len__(&self) -> usize {
        self.plan.entries.len()
    }
}
