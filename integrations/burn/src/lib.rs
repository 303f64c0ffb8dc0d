#![doc = include_str!("../README.md")]
//!
//! # The way of a fill
//!
//! | step | module |
//! |---|---|
//! | the call for one tensor | [`Seedbed`] (`fill.rs`) |
//! | the call for a module, parameter by parameter | [`Seedbed::init_module`] (`module.rs`) |
//! | the call for a module by rules: module -> plan | [`Seedbed::init_module_by_rules`] (`rules.rs`) |
//! | a planned tensor -> fills, or bytes of the host | `parts.rs` |
//! | burn's tensor -> cubecl's handle, and back | `primitive.rs` |
//! | handle -> buffer and offset, in the order of burn's own work | `buffer.rs` |
//! | the errors | [`Error`] (`error.rs`) |

mod buffer;
mod error;
mod fill;
mod module;
mod parts;
mod primitive;
mod rules;

pub use burn;
pub use error::Error;
pub use fill::Seedbed;
pub use rules::model_of;
pub use seedbed;
pub use seedbed::{Init, Key};
pub use seedbed_model;
pub use seedbed_model::Rules;
