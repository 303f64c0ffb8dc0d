//! Fills of modules: each float parameter has the stream of its own path.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

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
        rule: impl FnMut(&str, &[usize]) -> Option<Init>,
    ) -> Result<M, Error> {
        let mut filler = Filler { seedbed: self, key, rule, path: Vec::new(), result: Ok(()) };
        let module = module.map(&mut filler);
        filler.result.map(|()| module)
    }
}

struct Filler<'a, R> {
    seedbed: &'a Seedbed,
    key: Key,
    rule: R,
    path: Vec<String>,
    result: Result<(), Error>,
}

impl<R: FnMut(&str, &[usize]) -> Option<Init>> ModuleMapper for Filler<'_, R> {
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
        let Some(init) = (self.rule)(&path, &param.lazy_shape()) else {
            return param;
        };
        let key = self.key.named(&path);
        let (param, result) = if param.is_initialized() {
            self.refill(param, &init, key)
        } else {
            self.fill_lazy(param, &init, key)
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
    fn fill_lazy<const D: usize>(&self, param: Param<Tensor<D>>, init: &Init, key: Key) -> Filled<D> {
        match self.seedbed.tensor(param.lazy_shape(), &param.lazy_device(), init, key) {
            Ok(tensor) => {
                let id = param.id;
                (param.transform_for_load(tensor, id), Ok(()))
            }
            Err(error) => (param, Err(error)),
        }
    }

    fn refill<const D: usize>(&self, param: Param<Tensor<D>>, init: &Init, key: Key) -> Filled<D> {
        let (id, tensor, mapper) = param.consume();
        match self.seedbed.fill(tensor, init, key) {
            Ok(tensor) => (Param::from_mapped_value(id, tensor, mapper), Ok(())),
            // The module is dropped with the error, so nobody sees this parameter.
            Err(error) => (Param::initialized(id, Tensor::empty([0; D], &self.seedbed.device)), Err(error)),
        }
    }
}
