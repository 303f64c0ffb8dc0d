#![doc = include_str!("../README.md")]
//!
//! # The way of a fill
//!
//! | step | module |
//! |---|---|
//! | which stream: seed, offset, derived keys | [`Key`] (`key.rs`) |
//! | what to write: the initialisers under PyTorch's names, and their textual form | [`Init`] (`init.rs`, `init/text.rs`) |
//! | shape -> fan_in, fan_out; gains | [`Fans`] (`fan.rs`, `axes.rs`), [`calculate_gain`] (`gain.rs`) |
//! | what a kernel understands, validated | `distribution.rs` |
//! | element types, and rounding to them | [`DType`] (`dtype.rs`) |
//! | which elements of which logical tensor | [`Region`] (`region.rs`), as `runs.rs` |
//! | where to: a part of a buffer | [`Tensor`] (`tensor.rs`) |
//! | what you call: records into your encoder | [`Initializer`] (`initializer.rs`), [`Fill`] (`fill.rs`) |
//! | pipelines of one device, bindings, passes | `recorder.rs` |
//! | fills that are recorded together -> clears and dispatches | `plan.rs` |
//! | a fill -> jobs that a binding can hold; jobs -> dispatches under the limits of the device, which is a GPU or a processor | `jobs.rs`, `dispatch.rs`, `target.rs` |
//! | the parameter block that the GPU reads, one per job | `params.rs`, `slots.rs` |
//! | WGSL files -> one shader module | `shaders.rs`, then `shaders/fill.wgsl` and on |
//!
//! Two initialisers take a detour in the recorder: a truncated normal by a table (`quantile.rs`), an orthogonal
//! matrix by kernels of its own (`orthogonal.rs`), which the fill then copies.
//!
//! [`embedding`] walks through a program that does all of that.
//!
//! Beside it: [`host`] is the same arithmetic in Rust (the oracle of the tests, and a CPU engine),
//! [`gpu`] picks, opens and reads back for programs that own no device, [`Error`] is what can go
//! wrong.

mod axes;
mod dispatch;
mod distribution;
mod dtype;
pub mod embedding;
mod error;
mod fan;
mod fill;
mod gain;
pub mod gpu;
pub mod host;
mod init;
mod initializer;
mod jobs;
mod key;
mod matrix;
mod orthogonal;
mod params;
mod plan;
mod quantile;
mod recorder;
mod region;
mod runs;
mod shaders;
mod slots;
mod target;
mod tensor;

pub use axes::Axes;
pub use dtype::DType;
pub use error::Error;
pub use fan::{FanMode, Fans};
pub use fill::Fill;
pub use gain::{Nonlinearity, calculate_gain};
/// The 16-bit element types of the host engine.
pub use half;
pub use init::{Framework, Init, Kaiming, ScaledDistribution, VarianceScaling};
pub use initializer::{Initializer, Math};
pub use key::Key;
pub use region::Region;
pub use tensor::Tensor;
pub use wgpu;

/// Version of the numeric contract ([`docs/CONTRACT.md`]): what a key, an initialiser, an element
/// index and an element type determine. A change of any bit of any output changes this number.
///
/// [`docs/CONTRACT.md`]: https://github.com/seedbed-gpu/seedbed/blob/main/docs/CONTRACT.md
pub const CONTRACT_VERSION: u32 = 1;
