//! `seedbed bench --shapes`: a constant beside other kernels that store one.

use std::ops::Range;

use anyhow::{Context, ensure};
use comfy_table::CellAlignment;
use seedbed::gpu::Gpu;
use seedbed::{FillRecorder, Init, TensorView, wgpu};
use serde::Serialize;

use super::clock::{self, Clock};
use super::sample::Seconds;
use super::{KEY, bytes_of, driver, shape};
use crate::report::table;
use crate::select::Named;

/// Invocations of a workgroup.
const INVOCATIONS: [u32; 5] = [64, 128, 256, 512, 1024];
/// Vectors of four elements that an invocation stores, one statement for each.
const VECTORS: [u32; 5] = [1, 2, 4, 8, 16];
/// What the largest workgroup stores: no shape has to look where the buffer ends.
const MULTIPLE: u64 = 1024 * 16 * 4;
/// Once each, then all of them again: what else the machine does is not the same at all times.
const TURNS: usize = 7;
/// Any, but one whose bytes differ.
const VALUE: f32 = 0.01;

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    /// An invocation's vectors are neighbours.
    Blocked,
    /// Neighbours are stored by neighbouring invocations.
    Strided,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Shape {
    invocations: u32,
    vectors: u32,
    order: Order,
}

impl Shape {
    fn all(limits: &wgpu::Limits) -> Vec<Self> {
        let most = limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x);
        let mut shapes = Vec::new();
        for invocations in INVOCATIONS.into_iter().filter(|&invocations| invocations <= most) {
            for vectors in VECTORS {
                shapes.push(Self { invocations, vectors, order: Order::Blocked });
                // Of one vector they are the same.
                if vectors > 1 {
                    shapes.push(Self { invocations, vectors, order: Order::Strided });
                }
            }
        }
        shapes
    }

    /// Which vector an invocation stores, as its number in a group times the first, plus a vector's number times the
    /// second.
    fn steps(self) -> [u32; 2] {
        match self.order {
            Order::Blocked => [self.vectors, 1],
            Order::Strided => [1, self.invocations],
        }
    }

    /// Nothing is checked: every invocation has all its vectors.
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

    /// Columns and rows of workgroups.
    fn grid(self, elements: u64, most: u32) -> anyhow::Result<[u32; 2]> {
        let groups = elements / 4 / u64::from(self.invocations * self.vectors);
        let most = u64::from(most);
        let rows = (groups.div_ceil(most)..=most).find(|rows| groups.is_multiple_of(*rows));
        let rows = rows.with_context(|| {
            format!(
                "{groups} workgroups do not make a grid of this adapter; give a power of two as --elements"
            )
        })?;
        Ok([(groups / rows) as u32, rows as u32])
    }
}

/// One engine.
#[derive(Serialize)]
pub struct EngineReport {
    name: String,
    driver: String,
    shapes: Vec<Row>,
    /// `constant_`, as a fill records it.
    constant: Time,
    /// Its speed, as a part of that of the best shape, which is the luckiest one too.
    of_best: f64,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    shape: Shape,
    #[serde(flatten)]
    time: Time,
}

/// Of one kernel.
#[derive(Serialize)]
struct Time {
    /// From the submission to its end.
    wall: Seconds,
    /// Between two timestamps of the queue, where it has them.
    queue: Option<Seconds>,
    /// By the queue's time, or else the wall's.
    elements_per_second: f64,
}

impl Time {
    fn of(times: &[(f64, Option<f64>)], elements: u64) -> Self {
        let (wall, queue) = Seconds::of_both(times);
        Self { wall, queue, elements_per_second: elements as f64 / queue.unwrap_or(wall).median }
    }
}

/// # Errors
/// Of a number of elements that some shape does not divide.
pub fn check(elements: u64) -> anyhow::Result<()> {
    ensure!(
        elements > 0 && elements.is_multiple_of(MULTIPLE),
        "{elements} elements can't be shared by every shape; give a multiple of {MULTIPLE} as --elements"
    );
    Ok(())
}

pub fn measure(Named { name, adapter }: &Named, elements: u64) -> anyhow::Result<EngineReport> {
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
    // The first turn is not counted.
    for turn in 0..=TURNS {
        let own = bench.time(|encoder| recorder.fill(encoder, &tensor, &init, KEY).map_err(Into::into))?;
        constant.extend((turn > 0).then_some(own));
        for (store, times) in stores.iter().zip(&mut times) {
            let time = bench.time(|encoder| {
                store.record(encoder);
                Ok(())
            })?;
            times.extend((turn > 0).then_some(time));
        }
    }

    let rows: Vec<_> = shapes
        .into_iter()
        .zip(times)
        .map(|(shape, times)| Row { shape, time: Time::of(&times, elements) })
        .collect();
    let constant = Time::of(&constant, elements);
    let best = rows.iter().map(|row| row.time.elements_per_second).fold(0.0, f64::max);
    Ok(EngineReport {
        name: name.clone(),
        driver: driver(&info),
        shapes: rows,
        of_best: constant.elements_per_second / best,
        constant,
    })
}

struct Bench {
    gpu: Gpu,
    buffer: wgpu::Buffer,
    clock: Option<Clock>,
}

/// A kernel that stores, and what it binds and how it is dispatched for each window of the buffer.
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

/// Elements of each binding, from the first on.
fn windows(elements: u64, binding: u64) -> anyhow::Result<Vec<Range<u64>>> {
    let most = binding / 4 / MULTIPLE * MULTIPLE;
    ensure!(most > 0, "bindings of {binding} bytes are too small for the shapes");
    Ok((0..elements).step_by(most as usize).map(|start| start..elements.min(start + most)).collect())
}

impl Bench {
    fn value(&self) -> wgpu::Buffer {
        use wgpu::util::DeviceExt;
        self.gpu.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("seedbed-cli::Shape::value"),
            contents: bytemuck::bytes_of(&[VALUE; 4]),
            usage: wgpu::BufferUsages::UNIFORM,
        })
    }

    fn store(&self, shape: Shape, value: &wgpu::Buffer, elements: u64) -> anyhow::Result<Store> {
        let (device, limits) = (&self.gpu.device, self.gpu.device.limits());
        let label = Some("seedbed-cli::Shape::store");
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
    /// For a person: rows of vectors, columns of invocations, in millions of elements a second.
    pub fn table(&self) -> String {
        let mut table = table(["vectors", "", "64", "128", "256", "512", "1024"]);
        let all =
            VECTORS.into_iter().flat_map(|vectors| [(vectors, Order::Blocked), (vectors, Order::Strided)]);
        for (vectors, order) in all.filter(|row| *row != (1, Order::Strided)) {
            let word = match order {
                Order::Blocked => "blocked",
                Order::Strided => "strided",
            };
            let rate = |invocations| {
                let shape = Shape { invocations, vectors, order };
                let row = self.shapes.iter().find(|row| row.shape == shape);
                row.map_or_else(|| "-".into(), |row| format!("{:.0}", row.time.elements_per_second / 1e6))
            };
            table.add_row([vec![vectors.to_string(), word.into()], INVOCATIONS.map(rate).into()].concat());
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
