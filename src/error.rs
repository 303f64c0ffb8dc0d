//! The errors of the library: each one names the offending value and the remedy.

use crate::dtype::{DType, UnknownDType};

/// The reason why a fill was refused. A function that returns an error has recorded and written nothing.
#[derive(Debug, thiserror::Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A shape without fans: fans need two dimensions or more. The first sentence is PyTorch's.
    #[error(
        "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions: the shape is {shape:?}; \
         use constant, normal or another initialiser without fans for it"
    )]
    TooFewDimensions {
        /// The shape without enough dimensions.
        shape: Vec<u64>,
    },
    /// A negative standard deviation. The first half is PyTorch's.
    #[error(
        "normal expects std >= 0.0, but found std {std}; give a standard deviation (or gain) of 0 or more"
    )]
    NegativeStd {
        /// The standard deviation, after the gain and the fans.
        std: f64,
    },
    /// A standard deviation that is not positive, for a log-normal distribution. The first half is PyTorch's.
    #[error("log_normal_ expects std > 0.0, but found std={std}; for one value everywhere use constant")]
    LogNormalStd {
        /// The standard deviation of the logarithm.
        std: f64,
    },
    /// A log-normal distribution whose largest elements the element type can't hold.
    #[error(
        "log_normal can make exp(mean + 6.77 std) = exp({exponent:.2}), which overflows {dtype}; \
         choose mean and std so that mean + 6.77 std is at most {max}"
    )]
    LogNormalOverflow {
        /// `mean + 6.77·std`.
        exponent: f64,
        /// The largest exponent for the element type.
        max: f64,
        /// The element type.
        dtype: DType,
    },
    /// A number of dimensions that the initialiser does not support. The first sentence is PyTorch's.
    #[error("Only tensors with {supported} are supported: the shape is {shape:?}")]
    Dimensions {
        /// The supported numbers of dimensions.
        supported: &'static str,
        /// The shape.
        shape: Vec<u64>,
    },
    /// Groups of a convolution that do not divide it. The first half is PyTorch's.
    #[error("dim 0 must be divisible by groups, but it is {dimension} and there are {groups} groups")]
    Groups {
        /// The first dimension.
        dimension: u64,
        /// The groups.
        groups: u64,
    },
    /// A fan that the initialiser does not know. The sentence is PyTorch's.
    #[error("Mode {mode} not supported, please use one of [{supported}]")]
    Mode {
        /// The mode.
        mode: String,
        /// The supported modes.
        supported: &'static str,
    },
    /// A non-linearity without a gain. The first sentence is PyTorch's.
    #[error("Unsupported nonlinearity {name}; there are {known}")]
    Nonlinearity {
        /// The name that was given.
        name: String,
        /// The list of the known names.
        known: String,
    },
    /// A matrix that the host has no memory for.
    #[error("no memory for a matrix of {rows} x {columns}, which takes {bytes} bytes")]
    OutOfMemory {
        /// The matrix's rows.
        rows: u64,
        /// The matrix's columns: the product of all dimensions but the first.
        columns: u64,
        /// The bytes that the computation takes, in f32.
        bytes: u64,
    },
    /// A sparsity that is not between 0 and 1.
    #[error("sparsity is {sparsity}; it is the part of each column that is zero, from 0 to 1")]
    Sparsity {
        /// The sparsity.
        sparsity: f64,
    },
    /// A range that begins above its end. The first half is PyTorch's.
    #[error(
        "uniform_ expects to return a [from, to) range, but found from={low} > to={high}; give the lower bound first"
    )]
    UniformBounds {
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// A range that is wider than the largest f32. The sentence is PyTorch's.
    #[error(
        "uniform_ expects to-from <= std::numeric_limits<float>::max(), but found to={high:e} and \
         from={low:e} which result in to-from to exceed the limit"
    )]
    UniformRange {
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// Bounds of a truncated distribution that are not in order.
    #[error("trunc_normal expects a < b, but found a={a} and b={b}")]
    TruncBounds {
        /// The lower bound.
        a: f64,
        /// The upper bound.
        b: f64,
    },
    /// Bounds between which the element type has no value.
    #[error("no value of {dtype} lies between a={a:e} and b={b:e}; widen the bounds or choose a finer type")]
    NoValue {
        /// The lower bound.
        a: f64,
        /// The upper bound.
        b: f64,
        /// The element type.
        dtype: DType,
    },
    /// A shape without axes: axes need two dimensions or more. The first sentence is JAX's.
    #[error(
        "Can't compute input and output sizes of a {rank}-dimensional weights tensor. Must be at least 2D. \
         The shape is {shape:?}; keras:: takes vectors and scalars too",
        rank = shape.len()
    )]
    TooFewAxes {
        /// The shape without enough dimensions.
        shape: Vec<u64>,
    },
    /// An axis that the shape does not have.
    #[error("axis {axis} is out of range for a tensor of {rank} dimensions")]
    AxisOutOfRange {
        /// The axis, as it was given.
        axis: i64,
        /// The number of dimensions.
        rank: usize,
    },
    /// A scale of the wrong sign. The words are Keras's.
    #[error("Argument `scale` must be {needed}. Received: scale={scale}")]
    Scale {
        /// The scale.
        scale: f64,
        /// The condition that the scale has to meet.
        needed: &'static str,
    },
    /// Axes for one of Keras's initialisers, which always take the last two.
    #[error("Keras's initialisers have no axes to choose; use jax:: ones for other axes than the last two")]
    KerasAxes,
    /// A matrix that a kernel can't count in 32 bits.
    #[error("a matrix of {rows} rows and {columns} columns; this initialiser takes up to 2^31 - 1 of each")]
    MatrixTooLarge {
        /// The matrix's rows.
        rows: u64,
        /// The matrix's columns: the product of all dimensions but the first.
        columns: u64,
    },
    /// An orthogonal matrix with more elements than a device can count.
    #[error(
        "an orthogonal matrix of {rows} x {columns} has more elements than 32 bits can count; make it on the host"
    )]
    OrthogonalTooLarge {
        /// The matrix's rows.
        rows: u64,
        /// The matrix's columns: the product of all dimensions but the first.
        columns: u64,
    },
    /// A parameter of an initialiser that is infinite or NaN.
    #[error("{parameter} is {value}; it must be finite")]
    NotFinite {
        /// The parameter's name.
        parameter: &'static str,
        /// The parameter's value.
        value: f64,
    },
    /// A finite value that the element type can only hold as infinity: a parameter, or a value computed from
    /// it.
    #[error("{parameter} = {value:e} overflows {dtype}; the largest is {max:e}", max = dtype.max())]
    Overflow {
        /// The name of the parameter or of the value.
        parameter: &'static str,
        /// The value.
        value: f64,
        /// The element type.
        dtype: DType,
    },
    /// A shape of more than 2^60 elements.
    #[error("the shape {shape:?} has more than 2^60 elements")]
    ShapeOverflow {
        /// The shape.
        shape: Vec<u64>,
    },
    /// A count of elements or bytes that is negative, or 2^63 or more: often the result of a subtraction below 0.
    #[error("{quantity} is {signed} (as u64: {value}); it must be 0 to 2^63 - 1", signed = *value as i64)]
    Negative {
        /// The thing that was counted.
        quantity: &'static str,
        /// The count. A negative count of a signed type is in two's complement.
        value: u64,
    },
    /// A part of a view that is itself a part of a tensor.
    #[error(
        "a {part} was taken of a range of elements, a shard or ranges of indices; take it of a view of a whole \
         tensor, whose shape is then that of the part"
    )]
    PartOfPart {
        /// The part: "row", "column" or "slice".
        part: &'static str,
    },
    /// A range of elements that its tensor does not have.
    #[error("elements {start}..{end} were asked for, but the tensor of shape {shape:?} has {len}")]
    ElementsOutOfRange {
        /// The first element.
        start: u64,
        /// The index after the last element.
        end: u64,
        /// The number of elements of the tensor.
        len: u64,
        /// The tensor's shape.
        shape: Vec<u64>,
    },
    /// A shard with another number of dimensions than its tensor.
    #[error(
        "the shard begins at {start:?} and has the shape {local:?}; \
         both need one number for each of the tensor's {rank} dimensions"
    )]
    ShardRank {
        /// The index at which the shard begins.
        start: Vec<u64>,
        /// The shard's local shape.
        local: Vec<u64>,
        /// The number of dimensions of the tensor.
        rank: usize,
    },
    /// A shard that reaches out of its tensor.
    #[error(
        "the shard has {extent} elements from {start} on in dimension {dimension}, of which the tensor has {len}"
    )]
    ShardOutOfRange {
        /// The dimension, counted from 0.
        dimension: usize,
        /// The index at which the shard begins in the dimension.
        start: u64,
        /// The shard's elements in the dimension.
        extent: u64,
        /// The tensor's elements in the dimension.
        len: u64,
    },
    /// Lists of index ranges for another number of dimensions than the tensor has.
    #[error("the ranges have {lists} lists; give one list for each of the tensor's {rank} dimensions")]
    RangesRank {
        /// The number of lists.
        lists: usize,
        /// The number of dimensions of the tensor.
        rank: usize,
    },
    /// A range of indices that its dimension does not have.
    #[error(
        "the range {start}..{end} of dimension {dimension} reaches out of the tensor, which has the indices 0..{len} \
         there",
        start = *start as i64, end = *end as i64
    )]
    RangeOutOfRange {
        /// The dimension, counted from 0.
        dimension: usize,
        /// The first index. A negative index of a signed type is in two's complement.
        start: u64,
        /// The index after the last one, likewise.
        end: u64,
        /// The number of indices of the dimension.
        len: u64,
    },
    /// A range of indices that ends before it begins.
    #[error(
        "the range {start}..{end} of dimension {dimension} ends before it begins; give the smaller index first"
    )]
    RangeReversed {
        /// The dimension, counted from 0.
        dimension: usize,
        /// The first index.
        start: u64,
        /// The index after the last one.
        end: u64,
    },
    /// Rows that overlap, or that begin between two elements.
    #[error(
        "a row pitch of {pitch} bytes; rows of {row} elements of {dtype} need a multiple of {size} from {least} on",
        size = dtype.size(), least = row.saturating_mul(dtype.size())
    )]
    RowPitch {
        /// Bytes from the beginning of one row to the beginning of the next.
        pitch: u64,
        /// Elements of a row.
        row: u64,
        /// The element type.
        dtype: DType,
    },
    /// A destination slice whose length differs from the number of elements to write.
    #[error("the destination has {actual} elements, but {expected} are to be written; make them equal")]
    LengthMismatch {
        /// The number of elements to write.
        expected: u64,
        /// The number of elements of the slice.
        actual: u64,
    },
    /// A destination that reaches past the end of its buffer.
    #[error(
        "the tensor needs bytes {offset}..{end} of its buffer, which has {size}{rows}; \
         make the buffer larger or the offset smaller",
        rows = match row_pitch { Some(pitch) => format!(", for rows {pitch} bytes apart"), None => String::new() }
    )]
    BufferTooSmall {
        /// The tensor's byte offset.
        offset: u64,
        /// The byte offset after the tensor's last byte; `u64::MAX` if that offset exceeds 64 bits.
        end: u64,
        /// Bytes from one row to the next, if the tensor specifies a row pitch.
        row_pitch: Option<u64>,
        /// Bytes of the buffer.
        size: u64,
    },
    /// A buffer that was created without a usage that the fill needs.
    #[error("the buffer was created with usage {actual}; a fill needs {needed} too")]
    MissingUsage {
        /// The missing usage, such as `BufferUsages(STORAGE)`.
        needed: String,
        /// The buffer's usages.
        actual: String,
    },
    /// An alignment that no device has.
    #[error(
        "the device's {limit} is {alignment}; alignments are powers of two: describe the device as it is"
    )]
    DeviceAlignment {
        /// The limit's name.
        limit: &'static str,
        /// The alignment in bytes.
        alignment: u32,
    },
    /// A program that does not fit the device, the buffers, or itself.
    #[error("the program can't be replayed: {reason}; plan the fills anew for this device and these buffers")]
    Program {
        /// The reason.
        reason: String,
    },
    /// A number that is too large for a buffer of a program.
    #[error("{number} is the number of a buffer; numbers begin at 0, have no gaps, and end at {max}")]
    BufferNumber {
        /// The number.
        number: u32,
        /// The largest number.
        max: u32,
    },
    /// A byte offset between two elements.
    #[error("the byte offset {offset} is not a multiple of {alignment}, the alignment of {dtype}")]
    MisalignedOffset {
        /// The byte offset.
        offset: u64,
        /// The number of which the offset has to be a multiple.
        alignment: u64,
        /// The element type.
        dtype: DType,
    },
    /// An element type that this fill can't write.
    #[error("{operation} can't write {dtype}; give it a tensor of {expected}")]
    DTypeMismatch {
        /// The operation that was called.
        operation: &'static str,
        /// The tensor's element type.
        dtype: DType,
        /// The element type that fits.
        expected: DType,
    },
    /// A device with a limit that is too small for a fill.
    #[error(
        "the device's {limit} is {actual}; a fill needs at least {needed}: request it when you open the device"
    )]
    DeviceLimit {
        /// The limit's name in `wgpu::Limits`.
        limit: &'static str,
        /// The value with which the device was opened.
        actual: u64,
        /// The value that the fill needs.
        needed: u64,
    },
    /// A name that two fills of a list share. Both fills would draw the same words.
    #[error(
        "two fills of the list are named {name:?}, and one name means one stream of values; give each fill a name of \
         its own, or leave the names out and give the fills one key where equal values are wanted"
    )]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A device that runs no compute shaders.
    #[error(
        "the device runs no compute shaders: its limit max_compute_workgroup_size_x is 0, as in wgpu's \
         Limits::downlevel_webgl2_defaults(); open it with Limits::downlevel_defaults() or more. Where the adapter \
         has no compute at all, as under WebGL 2, fill memory with seedbed::host::fill and upload it with \
         Queue::write_buffer: the bits are the same"
    )]
    NoCompute,
    /// An error of one fill among several.
    #[error("{fill}: {error}")]
    Fill {
        /// The fill's name, or its number, counted from 0.
        fill: String,
        /// The error.
        error: Box<Error>,
    },
    /// A gain for an initialiser that takes none.
    #[error("{init} takes no gain; xavier_uniform, xavier_normal and orthogonal take one")]
    NoGain {
        /// The initialiser, in its textual form.
        init: String,
    },
    /// A fan that counts no units.
    #[error("a fan of {fan} counts no units; give a finite number, 0 or more")]
    Fan {
        /// The fan.
        fan: f64,
    },
    /// A text that names no initialiser.
    #[error("{text:?} is not an initialiser: {reason}")]
    Parse {
        /// The text.
        text: String,
        /// The fault, and the remedy.
        reason: String,
    },
    /// A text that names no element type.
    #[error(transparent)]
    DType(#[from] UnknownDType),
    /// A name that no adapter has, or no adapter at all.
    #[error("no adapter {}; there are: {}",
        match wanted { Some(w) => format!("matches {w:?}"), None => "was found".into() },
        if available.is_empty() { "none (is a Vulkan, Metal, D3D12 or OpenGL driver installed?)".into() } else { available.join(", ") })]
    NoAdapter {
        /// The name, or part of a name, that was asked for.
        wanted: Option<String>,
        /// The names of all adapters.
        available: Vec<String>,
    },
    /// An adapter that could not be opened.
    #[error("the adapter {adapter} could not be opened: {reason}")]
    RequestDevice {
        /// The adapter's name.
        adapter: String,
        /// The reason that wgpu gave.
        reason: String,
    },
    /// An error that the device reported: the device ran out of memory, was lost, or was misused.
    #[error("the GPU failed: {reason}")]
    Device {
        /// The reason that wgpu gave.
        reason: String,
    },
    /// A resource that wgpu reported as invalid, such as a buffer that was destroyed or belongs to another device.
    #[error("wgpu refused the fill: {reason}; use live buffers of the recorder's device")]
    Refused {
        /// The reason that wgpu gave.
        reason: String,
    },
    /// Missing entropy: the operating system gave none.
    #[error("no entropy from the operating system: {0}")]
    Entropy(String),
}
