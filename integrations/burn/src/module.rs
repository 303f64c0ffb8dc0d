//! Fills of modules: each float parameter has the stream of its own path.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Shape, Tensor};

use crate::{Error, Init, Key, Seedbed};

impl Seedbed {
    /// Fills the float parameters of `module`. `rule` takes a parameter's path (`layers.0.weight`) and shape,
    /// and returns the initialiser, or `None` to leave the parameter unchanged. The stream is
    /// `key.named(path)`, so the values of a parameter depend on its path and never on other parameters.
    ///
    /// burn's initialiser never runs for a parameter that burn has not initialised yet: the memory is written
    /// once. A parameter that exists is written in place, or in new memory if a clone of the module holds it
    /// too. Identities, mappers and `require_grad` stay.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first parameter that can't be filled. The module is dropped with the
    /// error.
    pub fn init_module<M: Module>(
        &self,
        module: M,
        key: Key,
        mut rule: impl FnMut(&str, &[usize]) -> Option<Init>,
    ) -> Result<M, Error> {
        self.map_module(module, |path, shape| Ok(rule(path, shape).map(|init| (init, key.named(path)))))
    }

    /// Gives each float parameter the values that `rule` returns, or leaves the parameter unchanged.
    pub(crate) fn map_module<M: Module, V: Values>(
        &self,
        module: M,
        rule: impl FnMut(&str, &[usize]) -> Result<Option<V>, Error>,
    ) -> Result<M, Error> {
        let mut filler = Filler { seedbed: self, rule, path: Vec::new(), result: Ok(()) };
        let module = module.map(&mut filler);
        filler.result.map(|()| module)
    }
}

/// The values of a parameter, ready to be written.
pub(crate) trait Values {
    /// A new tensor with the values.
    fn tensor<const D: usize>(
        self,
        seedbed: &Seedbed,
        shape: Shape,
        device: &Device,
    ) -> Result<Tensor<D>, Error>;

    /// The tensor with its values replaced.
    fn fill<const D: usize>(self, seedbed: &Seedbed, tensor: Tensor<D>) -> Result<Tensor<D>, Error>;
}

/// The values of one initialiser.
impl Values for (Init, Key) {
    fn tensor<const D: usize>(
        self,
        seedbed: &Seedbed,
        shape: Shape,
        device: &Device,
    ) -> Result<Tensor<D>, Error> {
        seedbed.tensor(shape, device, &self.0, self.1)
    }

    fn fill<const D: usize>(self, seedbed: &Seedbed, tensor: Tensor<D>) -> Result<Tensor<D>, Error> {
        seedbed.fill(tensor, &self.0, self.1)
    }
}

struct Filler<'a, R> {
    seedbed: &'a Seedbed,
    rule: R,
    path: Vec<String>,
    result: Result<(), Error>,
}

impl<V: Values, R: FnMut(&str, &[usize]) -> Result<Option<V>, Error>> ModuleMapper for Filler<'_, R> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.result.is_err() {
            return param;
        }
        let path = self.path.join(".");
        let (param, result) = match (self.rule)(&path, &param.lazy_shape()) {
            Ok(None) => return param,
            Ok(Some(values)) if param.is_initialized() => self.refill(param, values),
            Ok(Some(values)) => self.fill_lazy(param, values),
            Err(error) => (param, Err(error)),
        };
        self.result = result.map_err(|source| Error::Parameter { path, source: Box::new(source) });
        param
    }
}

/// A parameter to return to burn, and the result of its fill.
type Filled<const D: usize> = (Param<Tensor<D>>, Result<(), Error>);

impl<R> Filler<'_, R> {
    /// Fills a parameter that burn has not initialised yet, as if the values had been loaded from a file. So
    /// a parameter that burn keeps transposed becomes transposed.
    fn fill_lazy<const D: usize>(&self, param: Param<Tensor<D>>, values: impl Values) -> Filled<D> {
        match values.tensor(self.seedbed, param.lazy_shape(), &param.lazy_device()) {
            Ok(tensor) => {
                let id = param.id;
                (param.transform_for_load(tensor, id), Ok(()))
            }
            Err(error) => (param, Err(error)),
        }
    }

    fn refill<const D: usize>(&self, param: Param<Tensor<D>>, values: impl Values) -> Filled<D> {
        let (id, tensor, mapper) = param.consume();
        match values.fill(self.seedbed, tensor) {
            Ok(tensor) => (Param::from_mapped_value(id, tensor, mapper), Ok(())),
            // The module is dropped with the error, so nobody sees this parameter.
            Err(error) => (Param::initialized(id, Tensor::empty([0; D], &self.seedbed.device)), Err(error)),
        }
    }
}
