#![doc = include_str!("../README.md")]
//!
//! # The way of a fill
//!
//! | step | module |
//! |---|---|
//! | which stream: seed, offset, derived keys | [`Key`] (`key.rs`) |
//! | what to write: the initialisers under PyTorch's names, and their textual form | [`Init`] (`init.rs`, `init/text.rs`) |
//! | shape -> fan_in, fan_out | [`Fans`] (`fan.rs`) |
//! | what a kernel understands, validated | `distribution.rs` |
//! | which elements of which logical tensor | [`Region`] (`region.rs`) |
//! | where to: a part of a buffer | [`Tensor`] (`tensor.rs`) |
//! | pipelines of one device; records into your encoder | [`Initializer`] (`initializer.rs`) |
//! | elements -> bindings and workgroups under the device's limits | `dispatch.rs` |
//! | the parameter block that the GPU reads | `params.rs` |
//! | WGSL files -> one shader module | `shaders.rs`, then `shaders/fill.wgsl` and on |
//!
//! Beside it: [`host`] is the same arithmetic in Rust (the oracle of the tests, and a CPU engine),
//! [`gpu`] picks, opens and reads back for programs that own no device, [`Error`] is what can go
//! wrong.

mod dispatch;
mod distribution;
mod error;
mod fan;
pub mod gpu;
pub mod host;
mod init;
mod initializer;
mod key;
mod params;
mod region;
mod shaders;
mod tensor;

pub use error::Error;
pub use fan::Fans;
pub use init::Init;
pub use initializer::{Initializer, Math};
pub use key::Key;
pub use region::Region;
pub use tensor::{DType, Tensor};
pub use wgpu;

/// Version of the numeric contract ([`docs/CONTRACT.md`]): what a key, an initialiser, an element
/// index and an element type determine. A change of any bit of any output changes this number.
///
/// [`docs/CONTRACT.md`]: https://github.com/seedbed-gpu/seedbed/blob/main/docs/CONTRACT.md
pub const CONTRACT_VERSION: u32 = 1;
