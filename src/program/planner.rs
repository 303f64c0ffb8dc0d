//! The planner: fills -> a program. The program has as few dispatches as the fills' positions, types and
//! generators allow, and the effect of one fill after the other.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use strum::VariantArray;

use super::batch::{Batch, batch};
use super::data::{Binding, BindingKind, Buffer, Clear, Contents, Dispatch, Kernel, Program, Usage};
use super::device::{Device, FillLimits, OrthogonalLimits};
use super::encode::{encode, in_row};
use super::hazards::Waves;
use super::names::Names;
use super::orthogonal::{MatrixPlan, Scratch};
use super::recent::Recent;
use super::split::{WorkItem, split};
use super::uniforms::UniformArena;
use crate::dtype::DType;
use crate::error::Error;
use crate::init::Init;
use crate::init::kernel_args::{Generator, KernelArgs};
use crate::kernel::choices::{Addressing, FillKernel, Grid, Math, Rounding, StorePath};
use crate::kernel::fill::FillVariant;
use crate::kernel::orthogonal::{Access, OrthogonalKernel};
use crate::kernel::params::{FillParams, OrthogonalParams};
use crate::key::Key;
use crate::layout::placement::{Placement, ResolvedPlacement};
use crate::layout::shape::IntoShape;
use crate::math::CONTRACT_VERSION;
use crate::math::truncated_normal::{Truncation, truncated_normal};

/// The content of a fill.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Content<'a> {
    /// The values of an initialiser.
    Init(&'a Init),
    /// The raw words of the stream, as [`DType::U32`]: element `e` is word `e % 4` of block `e / 4`.
    Words,
}

/// The buffer that a fill writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The caller's number of the buffer, below 2^31. The numbers of a plan begin at 0 and have no gaps.
    pub buffer: u32,
    /// The buffer's size in bytes.
    pub size: u64,
    /// Whether `clearBuffer` may write to the buffer: whether the buffer's usages include `COPY_DST`.
    pub can_clear: bool,
}

/// A fill to be planned.
#[derive(Clone, Copy, Debug)]
pub struct FillSpec<'a> {
    /// The fill's name in errors. A fill without a name goes by its number in the list, from 0. Two fills of
    /// one plan with the same name and the same key are an [`Error::DuplicateName`], unless both write parts of
    /// one tensor.
    pub name: Option<&'a str>,
    /// The buffer that the fill writes to.
    pub destination: Destination,
    /// The elements, and their position in the buffer.
    pub placement: &'a Placement<'a>,
    /// The content.
    pub content: Content<'a>,
    /// The key of the stream.
    pub key: Key,
}

/// A checked fill, with everything that follows from its initialiser and its shape.
#[derive(Clone, Debug)]
pub(crate) struct CheckedFill {
    args: KernelArgs,
    rounding: Rounding,
    key: Key,
    destination: Destination,
    placement: ResolvedPlacement,
    input: Input,
}

/// The extra input of a fill's kernel, besides its parameters.
#[derive(Clone, Debug)]
enum Input {
    None,
    /// The table of quantiles of a truncated normal distribution.
    Table(Truncation),
    /// An orthogonal matrix, which other kernels compute.
    Matrix(Box<MatrixPlan>),
}

/// Work items, each with the number of its fill.
type Items = Vec<(usize, WorkItem)>;

/// A table of quantiles: the bits of its bounds, and its words.
type Table = ([u64; 3], Arc<Vec<u32>>);

/// Plans fills for one device. A planner writes the text of each kernel and computes each table once. Threads
/// can share a planner.
#[derive(Debug)]
pub struct Planner {
    device: Device,
    math: Math,
    /// The limits of fills, or the reason why the device can run no fill.
    limits: Result<FillLimits, Error>,
    /// The limits of orthogonal matrices, or the reason why the device can compute none.
    orthogonal_limits: Result<OrthogonalLimits, Error>,
    kernels: Box<[OnceLock<Arc<Kernel>>]>,
    tables: Recent<Table>,
}

/// The largest number of a caller's buffer. The numbers of a program's own buffers, which follow, then fit
/// u32.
const MAX_BUFFER_NUMBER: u32 = (1 << 31) - 1;

/// The smallest number of bytes that a program clears. For fewer bytes a work item in a batch costs less.
const MIN_CLEAR_BYTES: u64 = 1 << 16;

impl Planner {
    /// The number of kernels. Ids are below it.
    pub(crate) const KERNELS: usize = FillKernel::COUNT + OrthogonalKernel::VARIANTS.len();

    /// A planner for this device. A new planner has generated no kernel.
    pub fn new(device: Device, math: Math) -> Self {
        Self {
            device,
            math,
            limits: FillLimits::of(&device),
            orthogonal_limits: OrthogonalLimits::of(&device),
            kernels: std::iter::repeat_with(OnceLock::new).take(Self::KERNELS).collect(),
            tables: Recent::default(),
        }
    }

    /// The device that programs are planned for.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Plans fills. The program has the effect of one fill after the other.
    ///
    /// # Errors
    /// [`Error::NoCompute`] or [`Error::DeviceLimit`] where the device can run no fill;
    /// [`Error::DuplicateName`]; [`Error::Fill`], which names the fill, for every mistake in one.
    pub fn plan(&self, fills: &[FillSpec<'_>]) -> Result<Program, Error> {
        self.limits()?;
        let mut names = Names::of(fills.len());
        let mut checked = Vec::with_capacity(fills.len());
        for (number, fill) in fills.iter().enumerate() {
            names.check(fill.name, fill.key, &fill.placement.region)?;
            checked.push(self.check_fill(fill).map_err(|error| named(error, fill.name, number))?);
        }
        self.assemble(&checked)
    }

    /// Checks whether the device can fill a tensor of this shape.
    ///
    /// # Errors
    /// The errors of [`Self::plan`], except those about the destination, and without the name of a fill.
    pub fn check<'a>(&self, init: &Init, dtype: DType, shape: impl IntoShape<'a>) -> Result<(), Error> {
        let args = init.kernel_args(&shape.into_shape(), dtype)?;
        self.limits()?;
        self.input(&args).map(drop)
    }

    pub(crate) fn limits(&self) -> Result<FillLimits, Error> {
        self.limits.clone()
    }

    /// Finds every mistake in a fill.
    pub(crate) fn check_fill(&self, fill: &FillSpec<'_>) -> Result<CheckedFill, Error> {
        let FillSpec { destination, placement, content, key, .. } = *fill;
        let dtype = placement.dtype;
        let args = match content {
            Content::Init(init) => init.kernel_args(placement.region.shape(), dtype)?,
            Content::Words if dtype == DType::U32 => KernelArgs::new(Generator::Words),
            Content::Words => {
                return Err(Error::DTypeMismatch { operation: "fill_words", dtype, expected: DType::U32 });
            }
        };
        let placement = placement.resolve(destination.size)?;
        if destination.buffer > MAX_BUFFER_NUMBER {
            return Err(Error::BufferNumber { number: destination.buffer, max: MAX_BUFFER_NUMBER });
        }
        let mut input = Input::None;
        if !placement.selection.is_empty() {
            self.limits()?;
            input = self.input(&args)?;
        }
        let rounding = Rounding::of(dtype);
        Ok(CheckedFill { args, rounding, key, destination, placement, input })
    }

    fn input(&self, args: &KernelArgs) -> Result<Input, Error> {
        match (args.truncation, args.generator) {
            (Some(truncation), _) => Ok(Input::Table(truncation.canonical())),
            (None, Generator::Copy) => {
                let limits = self.orthogonal_limits.clone()?;
                let plan = MatrixPlan::new(limits, args.matrix.rows, args.matrix.columns)?;
                Ok(Input::Matrix(Box::new(plan)))
            }
            (None, _) => Ok(Input::None),
        }
    }

    /// The kernels that fills of `init` with elements of `dtype` need, so that an executor can compile them
    /// before there is a buffer. The result has the kernels for whole tensors and ranges of elements. Some
    /// shapes and scales need another kernel: a standard deviation of 0, for example, needs that of a
    /// constant.
    ///
    /// # Errors
    /// [`Error::NoCompute`] or [`Error::DeviceLimit`] where the device can run no such fill,
    /// [`Error::DTypeMismatch`] for [`DType::U32`].
    pub fn kernels_of(&self, init: &Init, dtype: DType) -> Result<Vec<Arc<Kernel>>, Error> {
        self.limits()?;
        if dtype == DType::U32 {
            return Err(Error::DTypeMismatch { operation: "an initialiser", dtype, expected: DType::F32 });
        }
        let (generator, rounding) = (init.usual_generator(), Rounding::of(dtype));
        let mut kernels = Vec::new();
        if generator == Generator::Copy {
            self.orthogonal_limits.clone()?;
            kernels.extend(OrthogonalKernel::VARIANTS.iter().map(|&kernel| self.orthogonal_kernel(kernel)));
        }
        for (store_path, grid) in [
            (StorePath::Vectorized, Grid::Single),
            (StorePath::Elementwise, Grid::Single),
            (StorePath::Elementwise, Grid::Batched),
        ] {
            // The two ragged ends of a range share a batched dispatch. Parts of a matrix never share one.
            if generator != Generator::Copy || grid == Grid::Single {
                let addressing = Addressing::Contiguous;
                kernels.push(self.fill_kernel(FillKernel {
                    generator,
                    store_path,
                    rounding,
                    addressing,
                    grid,
                }));
            }
        }
        Ok(kernels)
    }

    /// Plans checked fills.
    pub(crate) fn assemble(&self, fills: &[CheckedFill]) -> Result<Program, Error> {
        let mut assembly = Assembly::new(self, self.limits()?, fills);
        let mut waves = Waves::default();
        // Sorted. Buffers are numbered in the order of their first use, so a new group is rarely far from the end.
        let mut groups: Vec<(Group, FillKernel, Items)> = Vec::new();
        // The buffers of small clears, sorted, each with whether several clears are of it.
        let mut small_clears: Vec<(u32, bool)> = Vec::new();
        for fill in fills.iter().filter(|fill| fill.can_be_cleared() && fill.is_small()) {
            let buffer = fill.destination.buffer;
            match small_clears.binary_search_by_key(&buffer, |(of, _)| *of) {
                Ok(index) => small_clears[index].1 = true,
                Err(index) => small_clears.insert(index, (buffer, false)),
            }
        }
        let has_several = |buffer| small_clears.binary_search(&(buffer, true)).is_ok();
        for (number, fill) in fills.iter().enumerate() {
            let (buffer, bytes) = (fill.destination.buffer, &fill.placement.bytes);
            if bytes.is_empty() {
                continue;
            }
            // A fill alone overlaps nothing.
            let wave = if fills.len() > 1 { waves.wave_of(buffer, bytes) } else { 0 };
            // A clear is several times faster than a kernel, and wgpu then need not zero a fresh buffer
            // first.
            if wave == 0 && fill.can_be_cleared() && !(fill.is_small() && has_several(buffer)) {
                let (offset, size) = (bytes.start, bytes.end - bytes.start);
                assembly.program.clears.push(Clear { buffer, offset, size });
                continue;
            }
            let input = fill.input.sort_key(number);
            // A copy reads f32 elements. A binding may hold fewer f32 elements than elements of the
            // destination.
            let max_elements =
                matches!(fill.input, Input::Matrix(_)).then(|| assembly.limits.matrix_elements());
            let (generator, rounding) = (fill.args.generator, fill.rounding);
            let selection = &fill.placement.selection;
            for (first, runs) in (0..selection.rectangles()).map(|number| selection.rectangle(number)) {
                let offset = bytes.start + first * rounding.element_bytes();
                for item in split(assembly.limits, generator, rounding, &runs, offset, max_elements) {
                    let addressing = match item.dims.is_empty() {
                        true => Addressing::Contiguous,
                        false => Addressing::Strided,
                    };
                    let (store_path, grid) = (item.store_path, Grid::Single);
                    let kernel = FillKernel { generator, store_path, rounding, addressing, grid };
                    let group = Group { wave, buffer, input, kernel: kernel.index() };
                    let index =
                        groups.binary_search_by(|(other, ..)| other.cmp(&group)).unwrap_or_else(|index| {
                            groups.insert(index, (group, kernel, Vec::new()));
                            index
                        });
                    groups[index].2.push((number, item));
                }
            }
        }
        for (Group { buffer, .. }, kernel, items) in groups {
            let batches = match kernel.generator {
                // Each work item reads its own part of the matrix, so no two share a dispatch.
                Generator::Copy => {
                    items.into_iter().flat_map(|item| batch(assembly.limits, vec![item])).collect()
                }
                _ => batch(assembly.limits, items),
            };
            for batch in batches {
                assembly.dispatch(kernel, buffer, &batch);
            }
        }
        Ok(assembly.finish())
    }

    fn fill_kernel(&self, kernel: FillKernel) -> Arc<Kernel> {
        let id = kernel.index();
        let make = || {
            let (math, class, int64) = (self.math, self.device.class, self.device.int64);
            let mut bindings = vec![
                BindingKind::Uniform {
                    size: u64::from(kernel.grid.blocks()) * size_of::<FillParams>() as u64,
                },
                BindingKind::Storage,
            ];
            match kernel.generator {
                Generator::Copy => bindings.push(BindingKind::ReadOnlyStorage),
                // The files of `shaders/table` say why GPUs and processors differ here.
                Generator::TruncNormal if class.is_gpu() => bindings.push(BindingKind::ReadOnlyStorage),
                Generator::TruncNormal => bindings.push(BindingKind::Uniform { size: TABLE_BYTES }),
                _ => {}
            }
            Arc::new(Kernel {
                id: id as u32,
                label: kernel.label().into(),
                wgsl: FillVariant { kernel, int64, math, class }.wgsl(),
                entry_point: "fill".into(),
                workgroup_size: class.workgroup_size(),
                bindings,
            })
        };
        Arc::clone(self.kernels[id].get_or_init(make))
    }

    fn orthogonal_kernel(&self, kernel: OrthogonalKernel) -> Arc<Kernel> {
        let id = FillKernel::COUNT + kernel as usize;
        let make = || {
            let storage = kernel.storage().iter().map(|access| match access {
                Access::Read => BindingKind::ReadOnlyStorage,
                Access::ReadWrite => BindingKind::Storage,
            });
            let params = BindingKind::Uniform { size: size_of::<OrthogonalParams>() as u64 };
            Arc::new(Kernel {
                id: id as u32,
                label: kernel.label().into(),
                wgsl: kernel.wgsl(self.device.int64),
                entry_point: "orthogonal".into(),
                workgroup_size: kernel.workgroup_size(),
                bindings: std::iter::once(params).chain(storage).collect(),
            })
        };
        Arc::clone(self.kernels[id].get_or_init(make))
    }

    /// The table of quantiles of a truncated normal distribution, computed or kept.
    fn table(&self, truncation: Truncation) -> Arc<Vec<u32>> {
        let bounds = truncation.bits();
        let make = || {
            let table = truncated_normal(truncation);
            let words = bytemuck::cast_slice::<_, u32>(table.coefficients.as_slice()).to_vec();
            Ok::<_, Infallible>((bounds, Arc::new(words)))
        };
        let Ok((_, words)) = self.tables.get_or_make(|(of, _)| *of == bounds, make);
        words
    }
}

/// The bytes of a table of quantiles, which holds 512 cubics.
const TABLE_BYTES: u64 = 512 * 16;

/// The error of one fill among several.
pub(crate) fn named(error: Error, name: Option<&str>, number: usize) -> Error {
    let fill = name.map_or_else(|| format!("fill {number}"), str::to_owned);
    Error::Fill { fill, error: error.into() }
}

/// The sort key of an extra input. Fills with equal keys may share a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum InputKey {
    None,
    /// The bits of the table's bounds.
    Table([u64; 3]),
    /// The number of the fill that owns the matrix.
    Matrix(usize),
}

impl Input {
    fn sort_key(&self, number: usize) -> InputKey {
        match self {
            Self::None => InputKey::None,
            Self::Table(truncation) => InputKey::Table(truncation.bits()),
            Self::Matrix(_) => InputKey::Matrix(number),
        }
    }
}

/// The key of a group: the properties that work items of one dispatch share. The order of keys is the order
/// of recording.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    wave: usize,
    buffer: u32,
    /// Sorted before `kernel`, so that all copies of a matrix directly follow the dispatches that compute it.
    input: InputKey,
    /// The index of the kernel for a single work item.
    kernel: usize,
}

impl CheckedFill {
    /// Whether a clear before all dispatches can write this fill.
    fn can_be_cleared(&self) -> bool {
        let ResolvedPlacement { selection, bytes } = &self.placement;
        self.destination.can_clear
            && self.args.are_zeros()
            && !bytes.is_empty()
            && selection.as_run().is_some()
            && bytes.start.is_multiple_of(4)
            && bytes.end.is_multiple_of(4)
    }

    fn is_small(&self) -> bool {
        self.placement.bytes.end - self.placement.bytes.start < MIN_CLEAR_BYTES
    }
}

/// A program under construction.
struct Assembly<'a> {
    planner: &'a Planner,
    limits: FillLimits,
    fills: &'a [CheckedFill],
    program: Program,
    uniforms: UniformArena,
    /// The tables that the program has, sorted: bits of the bounds, and buffer.
    tables: Vec<([u64; 3], u32)>,
    /// The matrix that was computed last: the number of its fill, and its buffer.
    matrix: Option<(usize, u32)>,
}

impl<'a> Assembly<'a> {
    fn new(planner: &'a Planner, limits: FillLimits, fills: &'a [CheckedFill]) -> Self {
        let program = Program {
            contract: CONTRACT_VERSION,
            device: planner.device,
            destinations: fills.iter().map(|fill| fill.destination.buffer + 1).max().unwrap_or(0),
            buffers: Vec::new(),
            kernels: Vec::new(),
            clears: Vec::new(),
            dispatches: Vec::new(),
        };
        let uniforms = UniformArena::new(planner.device.limits.min_uniform_buffer_offset_alignment);
        Self { planner, limits, fills, program, uniforms, tables: Vec::new(), matrix: None }
    }

    fn finish(mut self) -> Program {
        self.uniforms.finish(&mut self.program.buffers, self.program.destinations);
        self.program
    }

    fn buffer(&mut self, buffer: Buffer) -> u32 {
        self.program.buffers.push(buffer);
        self.program.destinations + self.program.buffers.len() as u32 - 1
    }

    fn kernel(&mut self, kernel: Arc<Kernel>) -> u32 {
        // A program has few kernels.
        let kernels = &mut self.program.kernels;
        let index = kernels.iter().position(|known| known.id == kernel.id).unwrap_or_else(|| {
            kernels.push(kernel);
            kernels.len() - 1
        });
        index as u32
    }

    fn params<P: bytemuck::Pod>(&mut self, blocks: &[P], bound: u32) -> Binding {
        self.uniforms.push(blocks, bound, &mut self.program.buffers, self.program.destinations)
    }

    /// Adds a dispatch of a fill's kernel, after the dispatches that compute the matrix that it copies.
    fn dispatch(&mut self, kernel: FillKernel, buffer: u32, batch: &Batch<usize>) {
        let grid = if batch.items.len() == 1 { Grid::Single } else { Grid::Batched };
        // All items of a batch have the same input.
        let (number, first) = &batch.items[0];
        let fills = self.fills;
        let input = match &fills[*number].input {
            Input::None => None,
            Input::Table(truncation) => Some(self.table(*truncation)),
            Input::Matrix(plan) => {
                let elements = first.elements();
                let offset = elements.start * 4 / self.limits.alignment * self.limits.alignment;
                let buffer = self.matrix(*number, plan);
                Some(Binding { buffer, offset, size: elements.end * 4 - offset })
            }
        };
        let binding_start = batch.binding.start / kernel.rounding.element_bytes();
        let matrix_start = input.map_or(0, |input| input.offset / 4);
        let params_of = |(number, item): &(usize, WorkItem)| {
            let CheckedFill { args, key, .. } = &self.fills[*number];
            encode(args, *key, item, binding_start, matrix_start)
        };
        let params = match grid {
            Grid::Single => self.params(&[params_of(&batch.items[0])], grid.blocks()),
            Grid::Batched => {
                let blocks: Vec<FillParams> = batch.items.iter().map(params_of).collect();
                let rows = batch.rows(self.limits).map(|(item, first)| in_row(blocks[item], first));
                self.params(&rows.collect::<Vec<_>>(), grid.blocks())
            }
        };
        let (offset, size) = (batch.binding.start, batch.binding.end - batch.binding.start);
        let mut bindings = vec![params, Binding { buffer, offset, size }];
        bindings.extend(input);
        let kernel = self.kernel(self.planner.fill_kernel(FillKernel { grid, ..kernel }));
        self.program.dispatches.push(Dispatch { kernel, bindings, workgroups: batch.workgroups });
    }

    /// The binding of a truncated normal distribution's table.
    fn table(&mut self, truncation: Truncation) -> Binding {
        let bounds = truncation.bits();
        let buffer = match self.tables.binary_search_by_key(&bounds, |(of, _)| *of) {
            Ok(index) => self.tables[index].1,
            Err(index) => {
                let contents = Contents::Words(self.planner.table(truncation));
                let (label, size, usage) = ("seedbed::table".into(), TABLE_BYTES, Usage::Table);
                let buffer = self.buffer(Buffer { label, size, usage, contents });
                self.tables.insert(index, (bounds, buffer));
                buffer
            }
        };
        Binding { buffer, offset: 0, size: TABLE_BYTES }
    }

    /// The buffer of a fill's orthogonal matrix, which the next dispatch copies. Dispatches that compute the
    /// matrix are added unless it is the last one that was computed.
    fn matrix(&mut self, number: usize, plan: &MatrixPlan) -> u32 {
        if let Some((of, buffer)) = self.matrix
            && of == number
        {
            return buffer;
        }
        let scratch = self.scratch(plan);
        for step in plan.steps(self.fills[number].key) {
            let params = self.params(&[step.params], 1);
            let parts = step.bindings.iter().map(|&part| scratch.binding(part));
            let bindings = std::iter::once(params).chain(parts).collect();
            let kernel = self.kernel(self.planner.orthogonal_kernel(step.kernel));
            self.program.dispatches.push(Dispatch { kernel, bindings, workgroups: step.workgroups });
        }
        self.matrix = Some((number, scratch.result.buffer));
        scratch.result.buffer
    }

    fn scratch(&mut self, plan: &MatrixPlan) -> ScratchBuffers {
        let mut whole = |label, size| {
            let (usage, contents) = (Usage::Scratch, Contents::Zeros);
            let buffer = self.buffer(Buffer { label, size, usage, contents });
            Binding { buffer, offset: 0, size }
        };
        let result = whole("seedbed::orthogonal::result".into(), plan.result_bytes());
        let mut offset = 0;
        let mut windows = Vec::new();
        for rows in plan.windows() {
            let size = plan.matrix_bytes(&rows);
            let matrix = match plan.is_in_place() {
                true => Binding { buffer: result.buffer, offset, size },
                false => whole("seedbed::orthogonal::matrix".into(), size),
            };
            offset += size;
            windows.push((whole("seedbed::orthogonal::panel".into(), plan.panel_bytes(&rows)), matrix));
        }
        ScratchBuffers {
            result,
            windows,
            sums: whole("seedbed::orthogonal::sums".into(), plan.sums_bytes()),
            totals: whole("seedbed::orthogonal::totals".into(), plan.totals_bytes()),
            state: whole("seedbed::orthogonal::state".into(), plan.state_bytes()),
        }
    }
}

/// The scratch buffers of one orthogonal matrix.
struct ScratchBuffers {
    result: Binding,
    /// The panel and the matrix of each window.
    windows: Vec<(Binding, Binding)>,
    sums: Binding,
    totals: Binding,
    state: Binding,
}

impl ScratchBuffers {
    fn binding(&self, part: Scratch) -> Binding {
        match part {
            Scratch::Panel(window) => self.windows[window].0,
            Scratch::Matrix(window) => self.windows[window].1,
            Scratch::Sums => self.sums,
            Scratch::Totals => self.totals,
            Scratch::State => self.state,
            Scratch::Result(offset, size) => Binding { offset, size, ..self.result },
        }
    }
}
