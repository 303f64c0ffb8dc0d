//! One of the fills that are recorded together.

use std::borrow::Cow;

use crate::{Init, Key, TensorView};

/// A fill of [`FillRecorder::fill_all`](crate::FillRecorder::fill_all): what
/// [`FillRecorder::fill`](crate::FillRecorder::fill) takes as arguments.
#[derive(Clone, Debug)]
pub struct Fill<'a> {
    pub(crate) name: Option<Cow<'a, str>>,
    pub(crate) tensor: TensorView<'a>,
    pub(crate) init: Init,
    pub(crate) key: Key,
}

impl<'a> Fill<'a> {
    /// A fill with this very key. Errors call it by its number in the list, from 0.
    pub fn new(tensor: TensorView<'a>, init: Init, key: Key) -> Self {
        Self { name: None, tensor, init, key }
    }

    /// The fill of a model's parameter: its key is [`model.named(name)`](Key::named), and errors call it by its
    /// name.
    pub fn named(name: impl Into<Cow<'a, str>>, tensor: TensorView<'a>, init: Init, model: Key) -> Self {
        let name = name.into();
        let key = model.named(&name);
        Self { name: Some(name), tensor, init, key }
    }
}
