//! A small engine with its own device, kernels and arena. seedbed initialises its parameters in the engine's
//! command encoder: `cargo run --release --example mlp_engine`.
//!
//! The engine trains a multi-layer perceptron to tell two spirals apart: once from zeros, where it learns
//! nothing, and once from `xavier_normal`. seedbed occurs in two places: `Engine::open` keeps a
//! `FillRecorder`, and `Engine::initialize` records the fills.

use std::error::Error;
use std::f32::consts::{LN_2, PI};

use seedbed::{Fill, FillRecorder, Init, Key, TensorView, gpu, wgpu};

/// The widths of the layers: two coordinates, two hidden layers, one logit.
const WIDTHS: [u32; 4] = [2, 32, 32, 1];
/// The number of points of each spiral.
const POINTS: u32 = 80;
const LEARNING_RATE: f64 = 1.0;
const STEPS: u32 = 500;
/// The number of steps between two lines of the output.
const STEPS_PER_REPORT: u32 = 100;
const STEPS_PER_SUBMISSION: u32 = 25;

/// A parameter: name and shape as in a checkpoint, and its place in the arena.
struct Parameter {
    name: String,
    shape: Vec<u32>,
    /// The offset in the arena, in bytes.
    offset: u64,
}

/// A layer, laid out like `Layer` in `mlp_engine.wgsl`.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Layer {
    inputs: u32,
    outputs: u32,
    weight: u32,
    bias: u32,
    x: u32,
    y: u32,
    relu_before: u32,
    relu_after: u32,
}

/// The layout of the memory. Parameters begin at multiples of 16 bytes, where fills are fastest; activations
/// follow each other without a gap.
struct Plan {
    parameters: Vec<Parameter>,
    layers: Vec<Layer>,
    /// The length of the arena, in f32 elements.
    parameters_len: u32,
    activations_len: u32,
}

impl Plan {
    fn new(widths: &[u32], batch: u32) -> Self {
        let mut plan = Self {
            parameters: Vec::new(),
            layers: Vec::new(),
            parameters_len: 0,
            activations_len: batch * widths[0],
        };
        let count = widths.len() - 1;
        for (index, pair) in widths.windows(2).enumerate() {
            let [inputs, outputs] = [pair[0], pair[1]];
            let weight = plan.parameter(format!("layer{index}.weight"), &[outputs, inputs]);
            let bias = plan.parameter(format!("layer{index}.bias"), &[outputs]);
            let (x, y) = (plan.activations_len - batch * inputs, plan.activations_len);
            plan.activations_len += batch * outputs;
            let [relu_before, relu_after] = [index > 0, index + 1 < count].map(u32::from);
            plan.layers.push(Layer { inputs, outputs, weight, bias, x, y, relu_before, relu_after });
        }
        plan
    }

    /// Appends a parameter and returns the index of its first element.
    fn parameter(&mut self, name: String, shape: &[u32]) -> u32 {
        let start = self.parameters_len.next_multiple_of(TensorView::ALIGNMENT as u32 / 4);
        self.parameters_len = start + shape.iter().product::<u32>();
        self.parameters.push(Parameter { name, shape: shape.to_vec(), offset: 4 * u64::from(start) });
        start
    }
}

struct Engine {
    device: wgpu::Device,
    queue: wgpu::Queue,
    plan: Plan,
    batch: u32,
    /// All parameters of the network.
    arena: wgpu::Buffer,
    report: wgpu::Buffer,
    /// The buffers as each layer's kernels see them.
    bindings: Vec<wgpu::BindGroup>,
    forward: wgpu::ComputePipeline,
    logistic_loss: wgpu::ComputePipeline,
    differentiate: wgpu::ComputePipeline,
    backward: wgpu::ComputePipeline,
    descend: wgpu::ComputePipeline,
    /// The recorder, which holds seedbed's pipelines: one for the life of the device.
    recorder: FillRecorder,
}

/// The loss and the accuracy of the network on the points.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Report {
    loss: f32,
    accuracy: f32,
}

impl Engine {
    async fn open(adapter: &wgpu::Adapter, widths: &[u32], data: &Data) -> Result<Self, Box<dyn Error>> {
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("engine"),
                // seedbed needs no feature. Fills are faster with this one; the bits are the same.
                required_features: adapter.features() & wgpu::Features::SHADER_INT64,
                ..Default::default()
            })
            .await?;
        let batch = data.targets.len() as u32;
        let plan = Plan::new(widths, batch);

        use wgpu::BufferUsages as Usage;
        let buffer = |label, len: u32, usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: 4 * u64::from(len),
                usage: Usage::STORAGE | usage,
                mapped_at_creation: false,
            })
        };
        // seedbed needs STORAGE. With COPY_DST too, zeros become a clear_buffer.
        let arena = buffer("parameters", plan.parameters_len, Usage::COPY_DST);
        let gradients = buffer("gradients", plan.parameters_len, Usage::empty());
        let activations = buffer("activations", plan.activations_len, Usage::COPY_DST);
        let deltas = buffer("deltas", plan.activations_len, Usage::empty());
        let targets = buffer("targets", batch, Usage::COPY_DST);
        let report = buffer("report", 2, Usage::COPY_SRC);
        queue.write_buffer(&activations, 0, bytemuck::cast_slice(&data.points));
        queue.write_buffer(&targets, 0, bytemuck::cast_slice(&data.targets));

        let module = device.create_shader_module(wgpu::include_wgsl!("mlp_engine.wgsl"));
        let storage = [&arena, &gradients, &activations, &deltas, &targets, &report];
        let layout = bind_group_layout(&device, storage.len() as u32);
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            bind_group_layouts: &[Some(&layout)],
            ..Default::default()
        });
        let pipeline = |entry_point| {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry_point),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(entry_point),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &[("batch", batch.into()), ("learning_rate", LEARNING_RATE)],
                    ..Default::default()
                },
                cache: None,
            })
        };
        let bindings = plan.layers.iter().map(|layer| {
            let uniform = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("layer"),
                size: size_of::<Layer>() as u64,
                usage: Usage::UNIFORM | Usage::COPY_DST,
                mapped_at_creation: false,
            });
            queue.write_buffer(&uniform, 0, bytemuck::bytes_of(layer));
            let buffers = [&uniform].into_iter().chain(storage);
            let entries: Vec<_> = (0..)
                .zip(buffers)
                .map(|(binding, buffer)| wgpu::BindGroupEntry {
                    binding,
                    resource: buffer.as_entire_binding(),
                })
                .collect();
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("layer"),
                layout: &layout,
                entries: &entries,
            })
        });
        Ok(Self {
            bindings: bindings.collect(),
            forward: pipeline("forward"),
            logistic_loss: pipeline("logistic_loss"),
            differentiate: pipeline("differentiate"),
            backward: pipeline("backward"),
            descend: pipeline("descend"),
            recorder: FillRecorder::new(&device),
            device,
            queue,
            plan,
            batch,
            arena,
            report,
        })
    }

    /// Records the initialisation of every parameter. Nothing is submitted here, and no byte is uploaded or
    /// read back.
    ///
    /// Each parameter's stream depends on its name, so one more layer leaves the values of the others
    /// unchanged.
    fn initialize(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        weights: Init,
        model: Key,
    ) -> Result<(), seedbed::Error> {
        let fills = self.plan.parameters.iter().map(|parameter| {
            let tensor = TensorView::f32(&self.arena, &parameter.shape).at(parameter.offset);
            let init = if parameter.shape.len() > 1 { weights } else { Init::zeros() };
            Fill::named(&parameter.name, tensor, init, model)
        });
        self.recorder.fill_all(encoder, &fills.collect::<Vec<_>>())
    }

    /// Records an evaluation of the points: activations, loss, and the derivative of the loss by the logits.
    fn evaluate(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.forward);
        for (layer, group) in self.plan.layers.iter().zip(&self.bindings) {
            pass.set_bind_group(0, group, &[]);
            dispatch(pass, self.batch * layer.outputs);
        }
        // The last layer is still bound.
        pass.set_pipeline(&self.logistic_loss);
        pass.dispatch_workgroups(1, 1, 1);
    }

    /// Records a step of gradient descent. Every dispatch sees what those before it wrote.
    fn step(&self, pass: &mut wgpu::ComputePass<'_>) {
        self.evaluate(pass);
        for (layer, group) in self.plan.layers.iter().zip(&self.bindings).rev() {
            pass.set_bind_group(0, group, &[]);
            pass.set_pipeline(&self.differentiate);
            dispatch(pass, layer.outputs * (layer.inputs + 1));
            // The derivative by the network's inputs is not needed.
            if layer.relu_before == 1 {
                pass.set_pipeline(&self.backward);
                dispatch(pass, self.batch * layer.inputs);
            }
        }
        pass.set_pipeline(&self.descend);
        dispatch(pass, self.plan.parameters_len);
    }

    fn train(&self, steps: u32) {
        for _ in 0..steps / STEPS_PER_SUBMISSION {
            let mut encoder = self.encoder();
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for _ in 0..STEPS_PER_SUBMISSION {
                self.step(&mut pass);
            }
            drop(pass);
            self.queue.submit([encoder.finish()]);
        }
    }

    /// Submits `encoder` with an evaluation at its end, and waits for the report.
    fn report(&self, mut encoder: wgpu::CommandEncoder) -> Result<Report, Box<dyn Error>> {
        self.evaluate(&mut encoder.begin_compute_pass(&Default::default()));
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size: self.report.size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        encoder.copy_buffer_to_buffer(&self.report, 0, &staging, 0, staging.size());
        self.queue.submit([encoder.finish()]);
        // get_mapped_range reports a failure too.
        staging.map_async(wgpu::MapMode::Read, .., |_| {});
        self.device.poll(wgpu::PollType::wait_indefinitely())?;
        let bytes = staging.get_mapped_range(..)?;
        let [loss, accuracy]: [f32; 2] = *bytemuck::from_bytes(&bytes);
        Ok(Report { loss, accuracy })
    }

    fn encoder(&self) -> wgpu::CommandEncoder {
        self.device.create_command_encoder(&Default::default())
    }
}

/// A layout with a uniform buffer and then storage buffers, of which the fifth is only read.
fn bind_group_layout(device: &wgpu::Device, storage: u32) -> wgpu::BindGroupLayout {
    let entry = |binding| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: match binding {
                0 => wgpu::BufferBindingType::Uniform,
                _ => wgpu::BufferBindingType::Storage { read_only: binding == 5 },
            },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("engine"),
        entries: &(0..=storage).map(entry).collect::<Vec<_>>(),
    })
}

fn dispatch(pass: &mut wgpu::ComputePass<'_>, invocations: u32) {
    pass.dispatch_workgroups(invocations.div_ceil(64), 1, 1);
}

struct Data {
    points: Vec<[f32; 2]>,
    targets: Vec<f32>,
}

/// Two spirals of one and a half turns each. One is the other's image by reflection through the origin.
fn spirals(points: u32) -> Data {
    let spiral = |class: u32| {
        (0..points).map(move |i| {
            let t = (i as f32 + 0.5) / points as f32;
            let (sin, cos) = (3.0 * PI * t + PI * class as f32).sin_cos();
            let radius = 0.2 + 1.8 * t;
            ([radius * cos, radius * sin], class as f32)
        })
    };
    let (points, targets) = spiral(0).chain(spiral(1)).unzip();
    Data { points, targets }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let instance = wgpu::Instance::default();
    // `instance.request_adapter` would do too: seedbed takes a device from anywhere.
    let adapter = gpu::pick(&instance, std::env::args().nth(1).as_deref()).await?;
    let data = spirals(POINTS);
    let engine = Engine::open(&adapter, &WIDTHS, &data).await?;
    println!(
        "{}: {WIDTHS:?}, {} parameters in one buffer",
        gpu::name(&adapter.get_info()),
        engine.plan.parameters_len
    );

    // The seed is the checkpoint of an untrained network: the same seed gives the same loss to the last bit.
    let untrained = |weights: Init, seed: u64| {
        let mut encoder = engine.encoder();
        engine.initialize(&mut encoder, weights, Key::new(seed))?;
        engine.report(encoder)
    };
    let xavier = Init::xavier_normal();
    let [first, other, again] = [untrained(xavier, 42)?, untrained(xavier, 43)?, untrained(xavier, 42)?];
    println!("initial loss: seed 42 {}, seed 43 {}, seed 42 again {}", first.loss, other.loss, again.loss);
    check(first == again, "the same seed gives the same loss")?;
    check(first.loss != other.loss, "another seed gives another loss")?;

    let train = |weights: Init| -> Result<Report, Box<dyn Error>> {
        let mut report = untrained(weights, 42)?;
        println!("\n{weights}");
        for step in (0..=STEPS).step_by(STEPS_PER_REPORT as usize) {
            if step > 0 {
                engine.train(STEPS_PER_REPORT);
                report = engine.report(engine.encoder())?;
            }
            println!("  step {step:>5}: loss {:.6}, accuracy {:.1} %", report.loss, 100.0 * report.accuracy);
        }
        Ok(report)
    };
    // All gradients are 0 except that of the last bias, where the two classes cancel each other.
    let zeros = train(Init::Zeros)?;
    check((zeros.loss - LN_2).abs() < 1e-3, "zeros stay at ln 2")?;
    let xavier = train(xavier)?;
    check(xavier.loss < 0.2 && xavier.accuracy >= 0.95, "xavier_normal learns the spirals")?;
    Ok(())
}

fn check(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}")) }
}

fn main() {
    if let Err(error) = pollster::block_on(run()) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}
