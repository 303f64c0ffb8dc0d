//! The planner: a [`Planner`] turns fills and a device's limits into a [`Program`], which is plain data.
//!
//! [`FillRecorder`](crate::FillRecorder) plans and replays in one call, on a device of this library's wgpu.
//! Use this module to run the same kernels elsewhere: on another version of wgpu, in a web page, in another
//! language. A program names no type of wgpu; with the feature `serde` it can be stored and sent.
//!
//! ```
//! use seedbed::program::{Content, Destination, Device, FillSpec, Placement, Planner};
//! use seedbed::{DType, Init, Key, Math};
//!
//! let planner = Planner::new(Device::webgpu(), Math::Portable);
//! let program = planner.plan(&[FillSpec {
//!     name: Some("mlp.weight"),
//!     destination: Destination { buffer: 0, size: 4 * 768 * 3072, can_clear: false },
//!     placement: &Placement::new(DType::F32, [768, 3072]),
//!     content: Content::Init(&Init::xavier_normal()),
//!     key: Key::new(42).named("mlp.weight"),
//! }])?;
//! assert_eq!(program.dispatches.len(), 1);
//! assert!(program.kernels[0].wgsl.contains("// ---- shaders/generator/normal.wgsl"));
//! # Ok::<(), seedbed::Error>(())
//! ```
//!
//! # How to replay a program
//!
//! An executor that follows these rules, on any WebGPU device, writes the bits of the contract.
//!
//! **Buffers** share one numbering. Buffers `0..destinations` are the caller's, as the fills numbered them.
//! Each needs the usage `STORAGE`, and `COPY_DST` where the fill said `can_clear`. Buffer `destinations + i`
//! is `buffers[i]`: create it with the usages of its [`Usage`]. [`Contents::Words`] are little-endian u32
//! words that fill the buffer from its beginning: create the buffer with `mappedAtCreation` and copy the
//! words in, so that nothing touches the queue. [`Contents::Zeros`] is a fresh buffer: WebGPU zeroes each new
//! buffer, and the kernels rely on the zeros. So scratch buffers are created anew for each replay, while
//! buffers of [`Usage::Uniform`] and [`Usage::Table`] are never written and may be kept. Tables with equal
//! words are the same table.
//!
//! **Kernels** are created once for a device and kept, by [`Kernel::id`]: programs that were planned for the
//! same [`Device`] and [`Math`](crate::Math) by the same version of this library have equal kernels for equal
//! ids. Create the shader module from `wgsl`; the module has no `enable` directive. The device needs wgpu's
//! feature `SHADER_INT64` where `device.int64` is set. Binding `i` of group 0 is `bindings[i]`, visible to
//! the compute stage, without dynamic offsets. `layout: "auto"` gives the same layout. There are no override
//! constants.
//!
//! **Recording** has two steps. First record each clear, in order: `clearBuffer(buffer, offset, size)`. Then
//! record all dispatches, in order, in one compute pass: set the pipeline of `kernels[kernel]`, bind group 0
//! with `bindings[i]` at binding `i`, and dispatch `workgroups`. Dispatches of one pass may depend on each
//! other: WebGPU orders them. A program without dispatches needs no pass. Bytes of the destinations that no
//! fill names are never changed.
//!
//! **Assumptions.** `contract` is the version of the numeric contract whose bits the program writes. `device`
//! holds the limits that the plan relies on: the executor's device must have limits that are at least as good.
//! Offsets of bindings are multiples of the plan's `min_uniform_buffer_offset_alignment` and
//! `min_storage_buffer_offset_alignment`. A device of another [`DeviceClass`] than the plan's runs the program
//! more slowly, with the same bits. Do not run the kernels with unchecked loads and stores: a kernel may read
//! past the end of a binding where the value that it reads is not used.
//!
//! **Golden programs** test an executor. The folder [`tests/programs`] has them in JSON, each with the SHA-256
//! of what a replay must write, and describes the JSON form of a program.
//!
//! [`tests/programs`]: https://github.com/seedbed-gpu/seedbed/tree/main/tests/programs

mod batch;
mod data;
mod device;
mod encode;
mod hazards;
mod names;
mod orthogonal;
mod planner;
mod recent;
mod split;
mod uniforms;

pub use self::data::{Binding, BindingKind, Buffer, Clear, Contents, Dispatch, Kernel, Program, Usage};
pub use self::device::{Device, Limits};
pub(crate) use self::names::Names;
pub(crate) use self::planner::{CheckedFill, named};
pub use self::planner::{Content, Destination, FillSpec, Planner};
pub(crate) use self::recent::Recent;
pub use crate::kernel::device_class::DeviceClass;
pub use crate::layout::placement::Placement;
