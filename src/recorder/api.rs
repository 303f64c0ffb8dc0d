//! The trait of a GPU API, with the calls that a recorder makes.

use std::fmt::Debug;
use std::hash::Hash;
use std::ops::{BitAnd, BitOr};

use crate::error::Error;
use crate::program::{Binding, Buffer, Device, Kernel};

/// A GPU API, such as a major version of wgpu. The trait has only the calls that a recorder makes;
/// [`FillRecorder`](super::FillRecorder) holds all rules.
///
/// The implementor is an empty type, such as `struct Wgpu`. The trait's functions follow the page of
/// [`program`](crate::program), "How to replay a program". A function reports a mistake as the API does, and
/// the recorder turns the report into an error ([`Self::open_scope`]).
///
/// A later minor version of this library may add items that an implementor must define.
pub trait Api: Copy + Debug + 'static {
    /// A device: a handle that is cheap to clone.
    type Device: Clone + Debug;
    /// A buffer: a handle that is cheap to clone. Two handles are equal if they name the same buffer.
    type Buffer: Clone + Debug + Eq + Hash;
    /// A set of usages of a buffer. [`Error::MissingUsage`] contains the set's debug form.
    type BufferUsages: Copy
        + Debug
        + PartialEq
        + BitAnd<Output = Self::BufferUsages>
        + BitOr<Output = Self::BufferUsages>;
    /// An encoder of commands.
    type Encoder;
    /// A compute pass of an encoder.
    type Pass<'a>;
    /// A cache for the driver's compilations: a handle that is cheap to clone.
    type PipelineCache: Clone + Debug;
    /// A compute pipeline, with everything that the pipeline's bind groups need.
    type Pipeline: Debug;
    /// An entry of a bind group.
    type Entry<'a>;
    /// A bind group.
    type BindGroup;
    /// A scope that takes reports of one kind.
    type Scope;

    /// The usage that a uniform binding needs.
    const UNIFORM: Self::BufferUsages;
    /// The usage that a storage binding needs.
    const STORAGE: Self::BufferUsages;
    /// The usage that [`Self::clear`] needs.
    const COPY_DST: Self::BufferUsages;

    /// The limits, features and class of a device.
    fn describe(device: &Self::Device) -> Device;

    /// The size of a buffer in bytes.
    fn size(buffer: &Self::Buffer) -> u64;

    /// The usages of a buffer.
    fn usages(buffer: &Self::Buffer) -> Self::BufferUsages;

    /// Creates a buffer of zeros with the label and size of `buffer`.
    fn create(device: &Self::Device, buffer: &Buffer, usages: Self::BufferUsages) -> Self::Buffer;

    /// Creates a buffer of these words with the label and size of `buffer`. The function uses no queue,
    /// because a queue's writes run before all commands of an encoder.
    ///
    /// # Errors
    /// [`lost`](super::lost) if the device was lost or destroyed.
    fn upload(
        device: &Self::Device,
        buffer: &Buffer,
        usages: Self::BufferUsages,
        words: &[u32],
    ) -> Result<Self::Buffer, Error>;

    /// Compiles a kernel.
    fn compile(device: &Self::Device, kernel: &Kernel, cache: Option<&Self::PipelineCache>)
    -> Self::Pipeline;

    /// The entry of a bind group that binds a part of `buffer` at binding `number`.
    fn entry<'a>(number: u32, buffer: &'a Self::Buffer, binding: &Binding) -> Self::Entry<'a>;

    /// Creates a bind group.
    fn bind(device: &Self::Device, pipeline: &Self::Pipeline, entries: &[Self::Entry<'_>])
    -> Self::BindGroup;

    /// Records a clear of `size` bytes from `offset` on.
    fn clear(encoder: &mut Self::Encoder, buffer: &Self::Buffer, offset: u64, size: u64);

    /// Begins a compute pass. Dropping the pass ends the pass.
    fn begin_pass(encoder: &mut Self::Encoder) -> Self::Pass<'_>;

    /// Records a dispatch.
    fn dispatch(
        pass: &mut Self::Pass<'_>,
        pipeline: &Self::Pipeline,
        group: &Self::BindGroup,
        workgroups: [u32; 2],
    );

    /// Opens a scope that takes all later reports of one kind on this thread. A report goes to the innermost
    /// scope of the report's kind.
    fn open_scope(device: &Self::Device, kind: ReportKind) -> Self::Scope;

    /// Closes the innermost scope, and returns the text of the scope's first report. Outside of the web, the
    /// future is ready at the first poll.
    fn close_scope(scope: Self::Scope) -> impl Future<Output = Option<String>>;
}

/// A kind of report of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportKind {
    /// The device is out of memory.
    OutOfMemory,
    /// An argument is wrong, or a resource is invalid.
    Validation,
    /// The driver or the API failed.
    Internal,
}
