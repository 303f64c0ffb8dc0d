//! A fill in a list of fills that are recorded together.

use std::borrow::Cow;

use super::api::Api;
use super::tensor_view::TensorView;
use crate::init::Init;
use crate::key::Key;

/// A fill of [`FillRecorder::fill_all`](super::FillRecorder::fill_all): the arguments of
/// [`FillRecorder::fill`](super::FillRecorder::fill).
///
/// A list of fills describes a model, and one list is enough: a test, or a machine without a GPU, makes the
/// same bytes from that list with [`host::fill_buffer`](crate::host::fill_buffer).
#[derive(Clone, Debug)]
pub struct Fill<'a, A: Api> {
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) tensor: TensorView<'a, A>,
    pub(super) init: Init,
    pub(super) key: Key,
}

impl<'a, A: Api> Fill<'a, A> {
    /// A fill with this key, unchanged. Errors name the fill by its number in the list, from 0.
    pub fn new(tensor: TensorView<'a, A>, init: Init, key: Key) -> Self {
        Self { name: None, tensor, init, key }
    }

    /// The fill of a model's parameter. The key is [`model.named(name)`](Key::named), and errors name the
    /// fill by `name`. In one list each name occurs once; only the parts of one tensor share a name.
    pub fn named(name: impl Into<Cow<'a, str>>, tensor: TensorView<'a, A>, init: Init, model: Key) -> Self {
        let name = name.into();
        let key = model.named(&name);
        Self { name: Some(name), tensor, init, key }
    }

    /// The same fill with its own name, shape and handle of the buffer, so that it can be stored.
    #[must_use]
    pub fn into_owned(self) -> Fill<'static, A> {
        let Self { name, tensor, init, key } = self;
        let name = name.map(|name| Cow::Owned(name.into_owned()));
        Fill { name, tensor: tensor.into_owned(), init, key }
    }

    /// The same fill with another key, such as `model.named(name)` for another model.
    #[must_use]
    pub fn with_key(self, key: Key) -> Self {
        Self { key, ..self }
    }

    /// The name, if the fill has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The destination.
    pub fn tensor(&self) -> &TensorView<'a, A> {
        &self.tensor
    }

    /// The initialiser.
    pub fn init(&self) -> &Init {
        &self.init
    }

    /// The key of the stream. For a fill that was made by [`Self::named`], this is the derived key.
    pub fn key(&self) -> Key {
        self.key
    }
}
