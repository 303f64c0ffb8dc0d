// The README's program needs a device of wgpu.
#![cfg_attr(feature = "wgpu", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "wgpu"), doc = "# seedbed")]
//!
//! # The house
//!
//! Layers, lowest first. A file imports only from its own layer and from those above it in this table.
//!
//! | layer | holds |
//! |---|---|
//! | `math` | the contract's arithmetic, one file for each file of `shaders/math`; imports std alone |
//! | `dtype`, `error` | element types, and rounding to them; what can go wrong |
//! | `layout` | **where**: regions of tensors, runs of neighbours, placements in buffers |
//! | `key` | **which stream**: seed, offset, derived keys |
//! | `init` | **what**: the initialisers and their table (`init/table.rs`), fans, gains, distributions |
//! | `kernel` | **with what**: a kernel and its choices, parameter blocks, WGSL by slots (`shaders/README.md`) |
//! | [`program`] | **how**: fills and a device's limits -> a [`Program`](program::Program), plain data |
//! | [`recorder`] | an executor: any GPU API, by a trait with the calls of the API |
//! | [`host`] | an executor: the CPU |
//! | [`self_test`] | the self-test of any executor of programs: trials, each with what the [`host`] writes |
//! | `wgpu_recorder` | an executor: a device of wgpu (feature `wgpu`), with [`gpu`] for programs that own no device |
//!
//! # The way of a fill
//!
//! | step | file |
//! |---|---|
//! | [`FillRecorder::fill`] is called with a view, an initialiser, a key | `recorder.rs`, `recorder/tensor_view.rs` |
//! | initialiser and shape -> a distribution -> what a kernel takes, validated and rounded | `init/resolve.rs`, `init/distribution/`, `init/kernel_args.rs` |
//! | shapes of any integers -> regions | `layout/shape.rs`, `layout/region.rs` |
//! | the view -> runs of neighbouring elements, checked against the buffer | `layout/placement.rs`, `layout/selection.rs`, `layout/runs.rs`, `layout/ranges.rs` |
//! | checked fills -> clears and dispatches | `program/planner.rs` |
//! | a fill -> work items that a binding can hold; work items -> dispatches | `program/split.rs`, `program/batch.rs` |
//! | a work item -> its parameter block | `program/encode.rs` |
//! | a kernel's choices -> WGSL | `kernel/fill.rs`, then `shaders/entry/` and on |
//! | the program -> commands of your encoder | `recorder/replay.rs`, `recorder/pipelines.rs`, then `wgpu_recorder.rs` |
//! | what wgpu reports meanwhile -> an error | `recorder/reports.rs` |
//!
//! Two initialisers take a detour in the planner: a truncated normal by a table (`math/truncated_normal.rs`), an orthogonal
//! matrix by kernels of its own (`program/orthogonal.rs`), whose result the fill then copies. [`host::fill`] takes the same
//! way as far as the distribution, and then computes on the CPU.
//!
//! # Glossary
//!
//! | word | meaning |
//! |---|---|
//! | block | four words: what one call of Philox gives; four neighbouring elements |
//! | run | elements that are neighbours in the logical tensor and in the destination |
//! | strided dimension | a dimension around the runs, such as the rows of a shard |
//! | rectangle | runs within strided dimensions: a shard, or one of several parts of lists of ranges |
//! | selection | the elements of a region, in the order of their destination: one rectangle, or several |
//! | work item | what one kernel writes in one dispatch: a run, or runs within strided dimensions |
//! | batch | work items that share a dispatch |
//! | generator | what a kernel computes: normals, uniforms, a constant, … |
//! | store path | how an invocation writes: whole vectors of 16 bytes, or element by element |
//! | device class | GPU, llvmpipe or another CPU: chooses among kernels with the same bits |
//! | wave | fills that may be written at once; a later wave overwrites an earlier one |
//! | panel, chunk, window | of an orthogonal matrix: 32 reflections; 128 rows that are summed in order; rows that a binding holds |
//! | keep | what a float passes through, so that no compiler fuses or reorders it |
//!
//! [`guide`] walks through a program that fills its own buffers; [`recipes`] has layers that need several views.

mod dtype;
mod error;
#[cfg(feature = "wgpu")]
pub mod gpu;
#[cfg(feature = "wgpu")]
pub mod guide;
pub mod host;
mod init;
mod kernel;
mod key;
mod layout;
mod math;
pub mod program;
#[cfg(feature = "wgpu")]
pub mod recipes;
#[macro_use]
pub mod recorder;
pub mod self_test;
#[cfg(feature = "wgpu")]
mod wgpu_recorder;

pub use dtype::{DType, UnknownDType};
pub use error::Error;
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
pub use kernel::choices::Math;
pub use key::Key;
pub use layout::region::Region;
pub use layout::shape::{Count, IntoShape};
pub use math::CONTRACT_VERSION;
/// The traits of [`host::PhiloxRng`].
pub use rand_core;
#[cfg(feature = "wgpu")]
pub use wgpu;
#[cfg(feature = "wgpu")]
pub use wgpu_recorder::{Fill, FillRecorder, TensorView, Wgpu};
