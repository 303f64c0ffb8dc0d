//! One of the fills that are recorded together.

use std::borrow::Cow;

use super::tensor_view::TensorView;
use crate::init::Init;
use crate::key::Key;

/// A fill of [`FillRecorder::fill_all`](crate::FillRecorder::fill_all): what
/// [`FillRecorder::fill`](crate::FillRecorder::fill) takes as arguments.
#[derive(Clone, Debug)]
pub struct Fill<'a> {
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) tensor: TensorView<'a>,
    pub(super) init: Init,
    pub(super) key: Key,
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
