//! Eight threads at the same time, on everything that the library lets threads share: the pool of the host engine, a
//! planner, a recorder, a model and rules. The program compares what each thread gets with what one thread alone gets.
//! Under ThreadSanitizer it also finds accesses that nothing orders.

use std::sync::Barrier;
use std::thread;

use seedbed::program::{Content, Destination, Device, FillSpec, Placement, Planner, Program};
use seedbed::{DType, Fill, FillRecorder, Init, Key, Math, TensorView, host};
use seedbed_model::{Model, Plan, Rules};

const THREADS: usize = 8;
const ROUNDS: usize = 3;
const KEY: Key = Key::new(42);
/// Enough elements for the host engine to divide the fill.
const SHAPE: [u64; 2] = [520, 257];
const TYPES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

/// Each kind of kernel and of host loop.
const INITS: [&str; 12] = [
    "zeros",
    "constant(0.1)",
    "uniform",
    "normal",
    "log_normal(0, 0.5)",
    "trunc_normal",
    "trunc_normal(0.0, 1.0, -1.0, 0.5)",
    "xavier_uniform",
    "kaiming_normal",
    "sparse(0.5)",
    "eye",
    "orthogonal",
];

fn main() {
    let inits: Vec<Init> = INITS.iter().map(|text| text.parse().expect("an initialiser")).collect();
    // The first use comes from all threads at once, so the comparison comes last.
    check("host engine", || host(&inits));
    check_shared(
        "planner",
        || Planner::new(Device::webgpu(), Math::Portable),
        |planner| plan(planner, &inits),
    );
    check_shared("recorder", Noop::new, |noop| noop.record(&inits));
    check_shared("model", model, |(model, rules)| {
        let plan = Plan::new(model, Some(model), rules, None).expect("a plan");
        plan.entries
            .iter()
            .map(|entry| (entry.parameter.name.clone(), entry.description()))
            .collect::<Vec<_>>()
    });
}

/// Runs the work on all threads at once, several times, and compares the results with those of one thread.
fn check<R: PartialEq + Send>(name: &str, work: impl Fn() -> R + Sync) {
    check_shared(name, || (), |()| work());
}

fn check_shared<S: Sync, R: PartialEq + Send>(
    name: &str,
    make: impl Fn() -> S,
    work: impl Fn(&S) -> R + Sync,
) {
    let mut results = Vec::new();
    for _ in 0..ROUNDS {
        let (shared, barrier) = (make(), Barrier::new(THREADS));
        let run = || {
            barrier.wait();
            work(&shared)
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(run)).collect();
            results.extend(
                threads.into_iter().map(|thread| thread.join().expect("a thread that does not panic")),
            );
        });
    }
    let alone = work(&make());
    assert!(results.iter().all(|result| *result == alone), "{name}: a thread got something else");
    println!("{name}: {} results of {THREADS} threads equal one thread's", results.len());
}

/// The bytes of every initialiser and type.
fn host(inits: &[Init]) -> Vec<u8> {
    let mut all = Vec::new();
    for (number, init) in (0..).zip(inits) {
        let dtype = TYPES[number as usize % 3];
        let mut bytes = vec![0; (SHAPE[0] * SHAPE[1] * dtype.size()) as usize];
        let key = KEY.named(&format!("layer.{number}.weight")).fold_in(number);
        host::fill_bytes(&mut bytes, dtype, SHAPE, init, key).expect("a fill that is right");
        all.extend(bytes);
    }
    all
}

fn plan(planner: &Planner, inits: &[Init]) -> Program {
    let slot = SHAPE[0] * SHAPE[1] * 4;
    let placements: Vec<_> = (0..inits.len() as u64)
        .map(|number| Placement {
            offset: slot.next_multiple_of(256) * number,
            ..Placement::new(TYPES[number as usize % 3], SHAPE)
        })
        .collect();
    let size = slot.next_multiple_of(256) * inits.len() as u64;
    let specs: Vec<_> = inits
        .iter()
        .zip(&placements)
        .map(|(init, placement)| FillSpec {
            name: None,
            destination: Destination { buffer: 0, size, can_clear: true },
            placement,
            content: Content::Init(init),
            key: KEY,
        })
        .collect();
    planner.plan(&specs).expect("fills that are right")
}

/// A device that runs no shader, with a recorder that has compiled nothing.
struct Noop {
    device: wgpu::Device,
    queue: wgpu::Queue,
    recorder: FillRecorder,
}

impl Noop {
    fn new() -> Self {
        let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        Self { recorder: FillRecorder::new(&device), device, queue }
    }

    fn record(&self, inits: &[Init]) -> bool {
        let recorder = self.recorder.clone();
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: SHAPE[0] * SHAPE[1] * 4,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let fills = inits.iter().zip(TYPES.iter().cycle());
        let fills: Vec<_> = fills
            .map(|(init, &dtype)| Fill::new(TensorView::new(&buffer, dtype, SHAPE), *init, KEY))
            .collect();
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let list = recorder.fill_all(&mut encoder, &fills);
        let single = recorder.fill(&mut encoder, fills[3].tensor(), fills[3].init(), KEY);
        let mistake = recorder.fill(&mut encoder, &TensorView::f32(&buffer, [1_u64 << 40]), &Init::Ones, KEY);
        self.queue.submit([encoder.finish()]);
        list.is_ok() && single.is_ok() && mistake.is_err()
    }
}

fn model() -> (Model, Rules) {
    let layers = (0..50).map(|layer| {
        format!(
            r#""h.{layer}.weight": {{"shape": [64, 32], "dtype": "F32"}}, "h.{layer}.bias": {{"shape": [64], "dtype": "F32"}}"#
        )
    });
    let layers: Vec<_> = layers.collect();
    let text = format!(r#"{{"name": "test", "parameters": {{{}}}}}"#, layers.join(", "));
    let model = Model::of_manifest(text.as_bytes()).expect("a manifest");
    (model, Rules::built_in().expect("the rules that come with the crate"))
}
