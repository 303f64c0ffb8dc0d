//! With what a fill is written: a kernel, its choices, its parameter block, its WGSL.
//!
//! | file | holds |
//! |---|---|
//! | `constants.rs` | numbers that Rust and WGSL share, each declared once |
//! | `params.rs` | the parameter blocks, each declared once for Rust and WGSL |
//! | `device_class.rs` | what runs the kernels, as far as their shape depends on it |
//! | `choices.rs` | the choices of a fill's kernel |
//! | `generators.rs` | the generator slot: what each generator needs and gives |
//! | `fill.rs` | all slots of a fill's kernel: choices -> files of `shaders/` |
//! | `orthogonal.rs` | the kernels that make an orthogonal matrix |
//! | `source.rs` | files -> the text of a module, with a mark before each file |
//! | `lint.rs`, `validate.rs`, `cost.rs` | tests of the WGSL itself |

pub(crate) mod choices;
pub(crate) mod constants;
pub(crate) mod device_class;
pub(crate) mod fill;
mod generators;
pub(crate) mod orthogonal;
pub(crate) mod params;
pub(crate) mod source;

#[cfg(test)]
mod cost;
#[cfg(test)]
mod lint;
#[cfg(test)]
mod validate;
