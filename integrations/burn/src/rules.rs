//! Fills of modules by rules: module -> model -> plan -> fills, or bytes that the host makes.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use seedbed_model::{Dtype, Entry, Model, Parameter, Plan, Rules, Source, float};

use crate::module::Values;
use crate::parts::{self, Part};
use crate::{Error, Key, Seedbed, fill};

impl Seedbed {
    /// Gives each float parameter of `module` what `rules` say about its path (`layers.0.weight`), as
    /// `seedbed init` does for a file with parameters of the same names, shapes and types. `Key::new(42)` is
    /// `--seed 42`. The guide docs/MODELS.md describes rules and presets.
    ///
    /// A parameter that a rule skips stays as it is, and so do integer and boolean parameters, which rules do
    /// not see. A rule that copies is an error, since there is no file to copy from.
    ///
    /// The device makes what initialisers say, and splits, stacks and rows of them. The host makes three
    /// kinds of parameters, and uploads them into new memory: formulas and norms; an orthogonal matrix with
    /// some rows replaced, or in parts that are neither blocks of rows nor of columns; tensors that are cut
    /// into more than 1024 pieces.
    ///
    /// Lazy parameters, identities, mappers and `require_grad` are as in [`Self::init_module`].
    ///
    /// # Errors
    /// [`Error::Rules`] says which parameters the rules can't make. [`Error::Parameter`] names the first one
    /// that can't be filled. Both come before anything is written. Two errors may come later: a formula gives
    /// a value that the type does not have, or the device fails. The module is dropped with the error.
    pub fn init_module_by_rules<M: Module>(&self, module: M, key: Key, rules: &Rules) -> Result<M, Error> {
        let plan = Plan::new(&model_of(&module)?, None, rules, None)?;
        self.init_module_by_plan(module, key, &plan)
    }

    /// Does what [`Self::init_module_by_rules`] does, by a plan that the program made itself. Such a program
    /// can print the plan and its warnings, or give the model a `config` for numbers that rules take from a
    /// config.json:
    ///
    /// ```no_run
    /// # fn f<M: seedbed_burn::burn::module::Module>(seedbed: &seedbed_burn::Seedbed, module: M)
    /// # -> Result<(), seedbed_burn::Error> {
    /// use seedbed_burn::seedbed_model::{Model, Plan};
    /// use seedbed_burn::{Key, Rules, model_of};
    ///
    /// let mut model = model_of(&module)?;
    /// model.config = Model::read("gpt2".as_ref())?.config; // a folder with a checkpoint and a config.json
    /// let plan = Plan::new(&model, None, &Rules::preset("gpt2")?, None)?;
    /// plan.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    /// let module = seedbed.init_module_by_plan(module, Key::new(42), &plan)?;
    /// # let _ = module;
    /// # Ok(()) }
    /// ```
    ///
    /// Parameters that the plan does not have stay as they are.
    ///
    /// # Errors
    /// Those of [`Self::init_module_by_rules`]; [`Error::Parameter`] for a parameter that the module does not
    /// have, or has with another shape or type.
    pub fn init_module_by_plan<M: Module>(&self, module: M, key: Key, plan: &Plan) -> Result<M, Error> {
        plan.check()?;
        let mut found: HashMap<String, Found> = visited(&module, Some(self))
            .into_iter()
            .map(|found| (found.parameter.name.clone(), found))
            .collect();
        let mut planned = HashMap::new();
        for Entry { parameter, outcome, .. } in &plan.entries {
            let Some(tensor) = outcome.tensor() else { continue };
            let found = found.remove(&parameter.name);
            self.check_planned(tensor, found).map_err(|error| at(&parameter.name, error))?;
            planned.insert(parameter.name.as_str(), tensor);
        }
        self.map_module(module, |path, _| {
            planned.get(path).map(|tensor| Planned::new(tensor, key)).transpose()
        })
    }

    /// Checks that a parameter can be made as planned.
    fn check_planned(&self, tensor: &seedbed_model::Tensor, found: Option<Found>) -> Result<(), Error> {
        let fail = |message: String| Err(Error::Rules(seedbed_model::Error::new(message)));
        let Some(Found { parameter, state }) = found else {
            return fail("the module has no such float parameter; plan the model of `model_of`".into());
        };
        state?;
        if (&parameter.shape, parameter.dtype) != (&tensor.shape, tensor.dtype) {
            return fail(format!(
                "the plan makes {} {:?}, and the module has {} {:?}; plan the model of `model_of`",
                tensor.dtype, tensor.shape, parameter.dtype, parameter.shape
            ));
        }
        tensor.check()?;
        if let Some(name) = parts::copied(tensor) {
            return fail(format!("{name:?} would be copied, and there is no file to copy from"));
        }
        let Some(dtype) = float(tensor.dtype) else { return Ok(()) };
        for source in &tensor.content.sources {
            if let Source::Init { init, shape, .. } = source {
                self.check(init, dtype, shape)?;
            }
        }
        Ok(())
    }
}

/// The float parameters of `module` as a model: what `seedbed plan` would read from a file with parameters of
/// the same names. The type of a parameter that burn has not initialised yet is the device's `float_dtype`.
///
/// # Errors
/// Two parameters of the same path.
pub fn model_of<M: Module>(module: &M) -> Result<Model, Error> {
    let parameters = visited(module, None).into_iter().map(|found| found.parameter);
    Ok(Model::of_parameters(parameters.collect())?)
}

/// A parameter of a module.
struct Found {
    parameter: Parameter,
    /// Why the parameter can't be filled, if it can't.
    state: Result<(), Error>,
}

fn visited<M: Module>(module: &M, seedbed: Option<&Seedbed>) -> Vec<Found> {
    let mut visitor = Visitor { seedbed, path: Vec::new(), found: Vec::new() };
    module.visit(&mut visitor);
    visitor.found
}

struct Visitor<'a> {
    /// Whose fills the parameters are for, if for any.
    seedbed: Option<&'a Seedbed>,
    path: Vec<String>,
    found: Vec<Found>,
}

impl ModuleVisitor for Visitor<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let device = param.lazy_device();
        // Burn's initialiser of a lazy parameter must not run.
        let tensor = param.is_initialized().then(|| param.base());
        let dtype = match &tensor {
            Some(tensor) => tensor.dtype(),
            None => device.settings().float_dtype.into(),
        };
        let parameter = Parameter {
            name: self.path.join("."),
            shape: param.lazy_shape().iter().map(|&d| d as u64).collect(),
            dtype: match dtype {
                DType::F64 => Dtype::F64,
                DType::F16 => Dtype::F16,
                DType::BF16 => Dtype::BF16,
                // Files have no other type of burn's floats. A fill of one is an error, found below.
                _ => Dtype::F32,
            },
        };
        let state = self.seedbed.map_or(Ok(()), |seedbed| {
            seedbed.accept(&device, dtype)?;
            tensor.map_or(Ok(()), fill::check_contiguous)
        });
        self.found.push(Found { parameter, state });
    }
}

/// What a parameter gets by a plan.
enum Planned {
    /// Fills, each with its place in the tensor.
    Fills(DType, Vec<Part>),
    /// Values that the host has made.
    Data(TensorData),
}

impl Planned {
    fn new(tensor: &seedbed_model::Tensor, key: Key) -> Result<Self, Error> {
        let dtype = match tensor.dtype {
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            _ => DType::F32,
        };
        if let Some(fills) = parts::fills(tensor, key) {
            return Ok(Self::Fills(dtype, fills));
        }
        let shape: Vec<usize> = tensor.shape.iter().map(|&d| d as usize).collect();
        Ok(Self::Data(TensorData::from_bytes_vec(parts::bytes(tensor, key)?, shape, dtype)))
    }
}

impl Values for Planned {
    fn tensor<const D: usize>(
        self,
        seedbed: &Seedbed,
        shape: Shape,
        device: &Device,
    ) -> Result<Tensor<D>, Error> {
        match self {
            Self::Fills(dtype, fills) => seedbed.fill_parts(Tensor::empty(shape, (device, dtype)), fills),
            Self::Data(data) => {
                let dtype = data.dtype();
                Ok(Tensor::from_data(data, (device, dtype)))
            }
        }
    }

    fn fill<const D: usize>(self, seedbed: &Seedbed, tensor: Tensor<D>) -> Result<Tensor<D>, Error> {
        match self {
            Self::Fills(_, fills) => seedbed.fill_parts(tensor, fills),
            Self::Data(data) => Ok(seedbed.replace(tensor, data)),
        }
    }
}

fn at(path: &str, source: Error) -> Error {
    Error::Parameter { path: path.to_owned(), source: Box::new(source) }
}
