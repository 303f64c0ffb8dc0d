//! `seedbed-bench shapes`: a constant beside other kernels that write one.

use std::fmt;
use std::ops::Range;

use anyhow::{Context, ensure};
use comfy_table::CellAlignment;
use seedbed::gpu::Gpu;
use seedbed::{FillRecorder, Init, TensorView, wgpu};
use seedbed_cli::bench::ELEMENTS;
use seedbed_cli::bench::cases::{KEY, bytes_of, shape};
use seedbed_cli::bench::clock::{self, Clock};
use seedbed_cli::bench::engines::Engines;
use seedbed_cli::bench::report::{Report, driver};
use seedbed_cli::bench::sample::Seconds;
use seedbed_cli::{Failure, Named, integer, table};
use serde::Serialize;

/// The invocations of a workgroup.
const INVOCATIONS: [u32; 5] = [64, 128, 256, 512, 1024];
/// The vectors of four elements that an invocation writes, with one statement for each.
const VECTORS: [u32; 5] = [1, 2, 4, 8, 16];
/// The elements that the largest workgroup writes. In multiples of it, no shape has to check where the buffer
/// ends.
const MULTIPLE: u64 = 1024 * 16 * 4;
/// All kernels run once in each round, because the machine is not equally busy at all times.
const ROUNDS: usize = 7;
/// A value whose bytes differ.
const VALUE: f32 = 0.01;

/// Measures how fast a constant is beside other kernels that write one
///
/// The other kernels have 64 to 1024 invocations in a workgroup. Each invocation writes 1 to 16 vectors of
/// four elements, blocked (an invocation's vectors are neighbours) or strided (neighbours are written by
/// neighbouring invocations). The host has no workgroups and is left out.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  seedbed-bench shapes --adapter nvidia
  seedbed-bench shapes --json shapes.json")]
pub struct Options {
    #[command(flatten)]
    engines: Engines,
    /// Elements of a fill, a multiple of 65536
    #[arg(long, value_name = "N", default_value_t = ELEMENTS, value_parser = integer)]
    elements: u64,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    let (file, elements) = (options.engines.file()?, options.elements);
    let report = Report::new(elements, measure(&options.engines, elements)?);
    file.map_or(Ok(()), |file| file.write(&report))
}

/// Measures each adapter that was asked for, and prints a table for each.
pub fn measure(engines: &Engines, elements: u64) -> Result<Vec<EngineReport>, Failure> {
    check(elements).map_err(Failure::Input)?;
    let host = || Err(anyhow::anyhow!("the host has no workgroups, which are what the shapes differ in"));
    engines.each(|adapter| measure_one(adapter, elements), host, EngineReport::table)
}

/// Which invocation writes which vector.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// An invocation's vectors are neighbours.
    Blocked,
    /// Neighbours are written by neighbouring invocations.
    Strided,
}

/// A way to write a constant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shape {
    pub invocations: u32,
    pub vectors: u32,
    pub order: Order,
}

/// The shape that comes to mind first.
pub const PLAIN: Shape = Shape { invocations: 256, vectors: 1, order: Order::Blocked };

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { invocations, vectors, order } = self;
        write!(f, "workgroups of {invocations}, {vectors} to an invocation, {}", order.word())
    }
}

impl Order {
    fn word(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Strided => "strided",
        }
    }
}

impl Shape {
    fn all(limits: &wgpu::Limits) -> Vec<Self> {
        let max = limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x);
        let mut shapes = Vec::new();
        for invocations in INVOCATIONS.into_iter().filter(|&invocations| invocations <= max) {
            for vectors in VECTORS {
                shapes.push(Self { invocations, vectors, order: Order::Blocked });
                // With one vector both orders are the same.
                if vectors > 1 {
                    shapes.push(Self { invocations, vectors, order: Order::Strided });
                }
            }
        }
        shapes
    }

    /// The vector that an invocation writes is the invocation's index in its group times the first step, plus
    /// the vector's index times the second step.
    fn steps(self) -> [u32; 2] {
        match self.order {
            Order::Blocked => [self.vectors, 1],
            Order::Strided => [1, self.invocations],
        }
    }

    /// The kernel. It checks nothing, because every invocation has all its vectors.
    fn wgsl(self) -> String {
        let Self { invocations, vectors, .. } = self;
        let [lane_step, vector_step] = self.steps();
        let stores = (0..vectors)
            .map(|vector| format!("    destination[first + {}u] = value;\n", vector * vector_step));
        format!(
            "@group(0) @binding(0) var<uniform> value: vec4<u32>;\n\
             @group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;\n\
             @compute @workgroup_size({invocations})\n\
             fn store(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, \
             @builtin(local_invocation_index) lane: u32) {{\n    \
             let group = id.y * groups.x + id.x;\n    \
             let first = group * {}u + lane * {lane_step}u;\n{}}}\n",
            invocations * vectors,
            stores.collect::<String>(),
        )
    }

    /// The columns and rows of workgroups.
    fn grid(self, elements: u64, max: u32) -> anyhow::Result<[u32; 2]> {
        let groups = elements / 4 / u64::from(self.invocations * self.vectors);
        let max = u64::from(max);
        let rows = (groups.div_ceil(max)..=max).find(|rows| groups.is_multiple_of(*rows));
        let rows = rows.with_context(|| {
            format!(
                "{groups} workgroups do not make a grid of this adapter; give a power of two as --elements"
            )
        })?;
        Ok([(groups / rows) as u32, rows as u32])
    }
}

/// The kernels of one engine.
#[derive(Serialize)]
pub struct EngineReport {
    pub name: String,
    driver: String,
    pub shapes: Vec<Row>,
    /// The constant, as a fill records it.
    pub constant: Time,
    /// The speed of the constant, as a part of that of the best shape. The best shape is also the luckiest
    /// one.
    of_best: f64,
}

/// One shape.
#[derive(Serialize)]
pub struct Row {
    #[serde(flatten)]
    pub shape: Shape,
    #[serde(flatten)]
    pub time: Time,
}

/// The times of one kernel.
#[derive(Serialize)]
pub struct Time {
    /// The time from the submission to its end.
    pub wall: Seconds,
    /// The time between two timestamps of the queue, where it has them.
    queue: Option<Seconds>,
    /// By the queue's time, or else the wall's.
    elements_per_second: f64,
}

impl Time {
    pub fn of(times: &[(f64, Option<f64>)], elements: u64) -> Self {
        let (wall, queue) = Seconds::of_both(times);
        Self { wall, queue, elements_per_second: elements as f64 / queue.unwrap_or(wall).median }
    }
}

/// Refuses a number of elements that some shape does not divide.
fn check(elements: u64) -> anyhow::Result<()> {
    ensure!(
        elements > 0 && elements.is_multiple_of(MULTIPLE),
        "{elements} elements can't be shared by every shape; give a multiple of {MULTIPLE} as --elements"
    );
    Ok(())
}

fn measure_one(Named { name, adapter }: &Named, elements: u64) -> anyhow::Result<EngineReport> {
    let (info, gpu) = (adapter.get_info(), clock::open(adapter)?);
    let limits = gpu.device.limits();
    let bytes = bytes_of(elements, limits.max_buffer_size, "a buffer of this adapter")?;
    let bench = Bench { buffer: gpu.storage_buffer(bytes), clock: Clock::new(&gpu), gpu };

    let (shapes, value) = (Shape::all(&limits), bench.value());
    let stores: Vec<_> =
        shapes.iter().map(|shape| bench.store(*shape, &value, elements)).collect::<anyhow::Result<_>>()?;
    let recorder = FillRecorder::new(&bench.gpu.device);
    let (init, tensor) =
        (Init::Constant { value: VALUE.into() }, TensorView::f32(&bench.buffer, shape(elements)));

    let mut times = vec![Vec::new(); shapes.len()];
    let mut constant = Vec::new();
    // The first round is not counted.
    for round in 0..=ROUNDS {
        let own = bench.time(|encoder| recorder.fill(encoder, &tensor, &init, KEY).map_err(Into::into))?;
        constant.extend((round > 0).then_some(own));
        for (store, times) in stores.iter().zip(&mut times) {
            let time = bench.time(|encoder| {
                store.record(encoder);
                Ok(())
            })?;
            times.extend((round > 0).then_some(time));
        }
    }

    let rows = shapes.into_iter().zip(times);
    let rows = rows.map(|(shape, times)| Row { shape, time: Time::of(&times, elements) }).collect();
    Ok(EngineReport::new(name.clone(), driver(&info), rows, Time::of(&constant, elements)))
}

struct Bench {
    gpu: Gpu,
    buffer: wgpu::Buffer,
    clock: Option<Clock>,
}

/// A kernel that writes, and what it binds and how it is dispatched for each window of the buffer.
struct Store {
    pipeline: wgpu::ComputePipeline,
    windows: Vec<(wgpu::BindGroup, [u32; 2])>,
}

impl Store {
    fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        for (group, [columns, rows]) in &self.windows {
            pass.set_bind_group(0, group, &[]);
            pass.dispatch_workgroups(*columns, *rows, 1);
        }
    }
}

/// The elements of each binding, from the first on.
fn windows(elements: u64, binding: u64) -> anyhow::Result<Vec<Range<u64>>> {
    let max = binding / 4 / MULTIPLE * MULTIPLE;
    ensure!(max > 0, "bindings of {binding} bytes are too small for the shapes");
    Ok((0..elements).step_by(max as usize).map(|start| start..elements.min(start + max)).collect())
}

impl Bench {
    fn value(&self) -> wgpu::Buffer {
        use wgpu::util::DeviceExt;
        self.gpu.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("seedbed-bench::Shape::value"),
            contents: bytemuck::bytes_of(&[VALUE; 4]),
            usage: wgpu::BufferUsages::UNIFORM,
        })
    }

    fn store(&self, shape: Shape, value: &wgpu::Buffer, elements: u64) -> anyhow::Result<Store> {
        let (device, limits) = (&self.gpu.device, self.gpu.device.limits());
        let label = Some("seedbed-bench::Shape::store");
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(shape.wgsl().into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let layout = pipeline.get_bind_group_layout(0);
        let bind = |window: &Range<u64>| {
            let destination = wgpu::BufferBinding {
                buffer: &self.buffer,
                offset: 4 * window.start,
                size: wgpu::BufferSize::new(4 * (window.end - window.start)),
            };
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label,
                layout: &layout,
                entries: &[
                    wgpu::BindGroupEntry { binding: 0, resource: value.as_entire_binding() },
                    wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::Buffer(destination) },
                ],
            })
        };
        let windows = windows(elements, limits.max_storage_buffer_binding_size)?.into_iter().map(|window| {
            let grid = shape.grid(window.end - window.start, limits.max_compute_workgroups_per_dimension)?;
            Ok((bind(&window), grid))
        });
        let windows = windows.collect::<anyhow::Result<_>>()?;
        Ok(Store { pipeline, windows })
    }

    fn time(
        &self,
        record: impl FnOnce(&mut wgpu::CommandEncoder) -> anyhow::Result<()>,
    ) -> anyhow::Result<(f64, Option<f64>)> {
        clock::time(&self.gpu, self.clock.as_ref(), record)
    }
}

impl EngineReport {
    /// The shapes, with the constant beside them.
    pub fn new(name: String, driver: String, shapes: Vec<Row>, constant: Time) -> Self {
        let best = shapes.iter().map(|row| row.time.elements_per_second).fold(0.0, f64::max);
        Self { name, driver, shapes, of_best: constant.elements_per_second / best, constant }
    }

    /// The table for a person: rows of vectors, columns of invocations, in millions of elements a second.
    pub fn table(&self) -> String {
        let mut table = table(["vectors", "", "64", "128", "256", "512", "1024"]);
        let all =
            VECTORS.into_iter().flat_map(|vectors| [(vectors, Order::Blocked), (vectors, Order::Strided)]);
        for (vectors, order) in all.filter(|row| *row != (1, Order::Strided)) {
            let rate = |invocations| {
                let shape = Shape { invocations, vectors, order };
                let row = self.shapes.iter().find(|row| row.shape == shape);
                row.map_or_else(|| "-".into(), |row| format!("{:.0}", row.time.elements_per_second / 1e6))
            };
            table.add_row(
                [vec![vectors.to_string(), order.word().into()], INVOCATIONS.map(rate).into()].concat(),
            );
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!(
            "{} ({})\n{}\nconstant_: {:.0} Melem/s, {:.3} of the best shape\n\n",
            self.name,
            self.driver,
            table.trim_fmt(),
            self.constant.elements_per_second / 1e6,
            self.of_best
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Shape> {
        Shape::all(&wgpu::Limits {
            max_compute_workgroup_size_x: 1024,
            max_compute_invocations_per_workgroup: 1024,
            ..Default::default()
        })
    }

    #[test]
    fn every_vector_is_stored_once() {
        for shape in all() {
            let [lane_step, vector_step] = shape.steps();
            let per_group = shape.invocations * shape.vectors;
            let mut stored: Vec<_> = (0..shape.invocations)
                .flat_map(|lane| (0..shape.vectors).map(move |v| lane * lane_step + v * vector_step))
                .collect();
            stored.sort_unstable();
            assert!(stored.into_iter().eq(0..per_group), "{shape:?}");

            let wgsl = shape.wgsl();
            assert!(wgsl.contains(&format!("group * {per_group}u + lane * {lane_step}u;")), "{wgsl}");
            for vector in 0..shape.vectors {
                let store = format!("destination[first + {}u] = value;", vector * vector_step);
                assert_eq!(wgsl.matches(&store).count(), 1, "{wgsl}");
            }
        }
    }

    #[test]
    fn grids_have_all_groups() {
        for shape in all() {
            for elements in [MULTIPLE, 3 * MULTIPLE, 1 << 26] {
                let [columns, rows] = shape.grid(elements, 65_535).unwrap();
                let groups = u64::from(columns) * u64::from(rows);
                assert_eq!(4 * groups * u64::from(shape.invocations * shape.vectors), elements, "{shape:?}");
                assert!(columns <= 65_535 && rows <= 65_535);
            }
        }
    }

    #[test]
    fn windows_are_the_whole_and_fit_a_binding() {
        let (binding, elements) = (3 * 4 * MULTIPLE + 1, 7 * MULTIPLE);
        let windows = windows(elements, binding).unwrap();
        assert_eq!(windows, [0..3 * MULTIPLE, 3 * MULTIPLE..6 * MULTIPLE, 6 * MULTIPLE..7 * MULTIPLE]);
        assert!(super::windows(elements, 4 * MULTIPLE - 1).is_err());
    }

    #[test]
    fn shapes_keep_to_the_limits() {
        for (size, invocations) in [(128, 1024), (1024, 128)] {
            let shapes = Shape::all(&wgpu::Limits {
                max_compute_workgroup_size_x: size,
                max_compute_invocations_per_workgroup: invocations,
                ..Default::default()
            });
            assert_eq!(shapes.len(), 2 * (1 + 2 * 4));
            assert!(shapes.iter().all(|shape| shape.invocations <= 128));
        }
    }
}
