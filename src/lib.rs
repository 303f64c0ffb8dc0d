#![doc = include_str!("../README.md")]
//!
//! # The way of a fill
//!
//! | step | module |
//! |---|---|
//! | which stream: seed, offset, derived keys | [`Key`] (`key.rs`) |
//! | what to write: the initialisers under PyTorch's names | [`Init`] (`init.rs`) |
//! | name, arguments, defaults and help of each; their textual form | [`Signature`] (`init/table.rs`, `init/text.rs`) |
//! | shape -> fan_in, fan_out; gains | [`Fans`] (`init/fan.rs`, `init/axes.rs`), [`calculate_gain`] (`init/gain.rs`) |
//! | initialiser and shape -> distribution, a file for each of them | `init/resolve.rs`, `init/distribution/` |
//! | distribution and element type -> what a kernel takes, validated and rounded | `init/kernel_args.rs` |
//! | element types, and rounding to them | [`DType`] (`dtype.rs`) |
//! | which elements of which logical tensor | [`Region`] (`region.rs`), as `layout/runs.rs` |
//! | where to: a part of a buffer | [`TensorView`] (`tensor.rs`) |
//! | what you call: records into your encoder | [`FillRecorder`] (`recorder.rs`), [`Fill`] (`fill.rs`) |
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

mod dispatch;
mod dtype;
pub mod embedding;
mod error;
mod fill;
mod fill_recorder;
pub mod gpu;
pub mod host;
mod init;
mod jobs;
mod key;
mod layout;
mod math;
mod orthogonal;
mod params;
mod plan;
mod recorder;
mod shaders;
mod slots;
mod target;
mod tensor_view;

pub use dtype::{DType, UnknownDType};
pub use error::Error;
pub use fill::Fill;
pub use fill_recorder::{FillRecorder, Math};
/// The 16-bit element types of the host engine.
pub use half;
pub use init::Init;
pub use init::arguments::Argument;
pub use init::axes::Axes;
pub use init::fan::{FanMode, Fans};
pub use init::gain::{Nonlinearity, calculate_gain};
pub use init::kaiming::Kaiming;
pub use init::table::Signature;
pub use init::variance_scaling::{Framework, ScaledDistribution, VarianceScaling};
pub use key::Key;
pub use layout::region::Region;
pub use tensor_view::TensorView;
pub use wgpu;

/// Version of the numeric contract ([`docs/CONTRACT.md`]): what a key, an initialiser, an element
/// index and an element type determine. A change of any bit of any output changes this number.
///
/// [`docs/CONTRACT.md`]: https://github.com/seedbed-gpu/seedbed/blob/main/docs/CONTRACT.md
pub const CONTRACT_VERSION: u32 = 1;
