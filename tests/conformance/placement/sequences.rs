//! Random sequences in one recording each: fills, lists, replays of programs, pieces of split tensors, clears and copies
//! of the caller's, and mistakes, which record nothing. A model, the bytes of each buffer, says what remains.
//!
//! A failure prints the number and the steps of its sequence. `SEEDBED_SEQUENCE=NUMBER` runs this sequence alone.

use seedbed::program::{Content, Destination, FillSpec, Placement, Planner, Program};
use seedbed::wgpu::{Buffer, BufferUsages, CommandEncoder};
use seedbed::{DType, Error, Fill, FillRecorder, Init, Key, Math, TensorView, host};

use super::program::{Pipelines, replay};
use crate::Check;
use crate::harness::cases::{initialisers_of, plain_initialisers};
use crate::harness::destinations::{BufferSpec, Job, Part, assert_buffers, buffers};
use crate::harness::engines::{Device, Engine, NO_COPY_DST, SENTINEL, USAGE};
use crate::harness::random::Random;
use crate::harness::shards::Shard;
use crate::reference::half::ALL;

pub const CHECKS: &[Check] = &[
    Check::engine("memory::random_sequences", random_sequences),
    Check::device("memory::random_sequences_of_eight_threads", of_eight_threads),
];

const SEQUENCES: u64 = 200;
const THREADS: u64 = 8;

const SIZE: u64 = 2048;
const BUFFERS: [BufferSpec; 3] = [(SIZE, USAGE), (SIZE, NO_COPY_DST), (SIZE, USAGE)];
/// A buffer of the caller's that no fill can write.
const NO_STORAGE: BufferUsages = BufferUsages::COPY_SRC.union(BufferUsages::COPY_DST);

/// A step of a sequence.
#[derive(Debug)]
enum Step {
    Fill(Job),
    List(Vec<Job>),
    Program(Vec<Job>, Way),
    /// The caller clears bytes.
    Clear {
        buffer: usize,
        offset: u64,
        len: u64,
    },
    /// The caller copies bytes from one buffer to another.
    Copy {
        from: (usize, u64),
        to: (usize, u64),
        len: u64,
    },
    Mistake(Mistake),
}

/// The way of a program from the planner into the recording.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// The recorder plans and replays.
    Recorder,
    /// A planner plans for the recorder's device. The program is stored as JSON, read again and replayed.
    Json,
    /// The same program is replayed twice.
    Twice,
    /// Another executor replays the program.
    Elsewhere,
}

/// A mistake, and the beginning of its message.
#[derive(Debug)]
enum Mistake {
    /// A single fill.
    Fill(Job, &'static str),
    /// A fill within a list, behind its place in the list.
    List(Vec<Job>, usize, &'static str),
    /// Two whole tensors of one name.
    Names(Vec<Job>),
    /// A tensor in a buffer without the usage `STORAGE`.
    NoStorage(Job),
    /// A program that something was done to.
    Program(Vec<Job>, Change),
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Contract,
    Destinations,
    OtherDevice,
    FarBinding,
}

impl Change {
    const ALL: [Self; 4] = [Self::Contract, Self::Destinations, Self::OtherDevice, Self::FarBinding];
}

type Initialisers = fn(&[u64]) -> Vec<Init>;

/// A part of a small tensor, at any offset of a buffer, with or without a row pitch.
fn job(random: &mut Random, of: Initialisers) -> Job {
    let rank = random.below(5);
    let max = [1, 150, 20, 7, 4][rank as usize];
    let shape: Vec<u64> =
        (0..rank).map(|_| if random.one_in(25) { 0 } else { 1 + random.below(max) }).collect();
    let part = match random.below(3) {
        0 => Part::Whole,
        1 => Part::Elements(random.range(shape.iter().product())),
        _ => {
            let ranges: Vec<_> = shape.iter().map(|&len| random.range(len)).collect();
            let start = ranges.iter().map(|range| range.start).collect();
            let shape = ranges.iter().map(|range| range.end - range.start).collect();
            Part::Shard(Shard { start, shape })
        }
    };
    let init = initialiser(&shape, random, of);
    let dtype = *random.pick(&ALL);
    let key = key(random);
    placed(Job { shape, part, dtype, init, key, name: None, buffer: 0, offset: 0, pitch: None }, random)
}

/// An initialiser that a tensor of this shape can have.
fn initialiser(shape: &[u64], random: &mut Random, of: Initialisers) -> Init {
    match *random.pick(&of(shape)) {
        // No tensor has 0 groups, not even one without elements.
        Init::Dirac { groups: 0 } => Init::dirac(),
        init => init,
    }
}

fn key(random: &mut Random) -> Key {
    // Within the tensor, counters wrap or pass 32 bits.
    let offset = match random.below(3) {
        0 => random.word(),
        1 => u64::MAX - random.below(300),
        _ => (1 << 32) - random.below(300),
    };
    Key { seed: random.word(), offset }
}

/// The job with a random destination.
fn placed(mut job: Job, random: &mut Random) -> Job {
    let size = job.dtype.size();
    let local = job.region().local_shape().to_vec();
    let row = local.last().copied().unwrap_or(1) * size;
    let rows: u64 = local.iter().rev().skip(1).product();
    let pitch = row + size * random.below(7);
    job.pitch = (random.one_in(2) && rows * pitch <= SIZE).then_some(pitch);
    let span = rows * job.pitch.unwrap_or(row);
    job.buffer = random.below(BUFFERS.len() as u64) as usize;
    job.offset = size * random.below((SIZE - span) / size + 1);
    job
}

/// Jobs of a list. A name occurs once, except for parts of one tensor.
fn jobs(random: &mut Random, of: Initialisers) -> Vec<Job> {
    if random.one_in(3) {
        return pieces(random, of);
    }
    let named = |(number, mut job): (u64, Job), random: &mut Random| {
        job.name = random.one_in(2).then(|| format!("h.{number}.w"));
        job
    };
    (0..random.below(8))
        .map(|number| {
            let job = job(random, of);
            named((number, job), random)
        })
        .collect()
}

/// The pieces of a tensor that several processes make: its rows, cut anywhere, in any order.
fn pieces(random: &mut Random, of: Initialisers) -> Vec<Job> {
    let shape = vec![1 + random.below(20), 1 + random.below(20)];
    let mut cuts: Vec<u64> = (0..random.below(5)).map(|_| random.below(shape[0] + 1)).collect();
    cuts.extend([0, shape[0]]);
    cuts.sort_unstable();
    let init = initialiser(&shape, random, of);
    let (dtype, key, name) = (*random.pick(&ALL), key(random), Some("split.weight".to_owned()));
    let mut pieces: Vec<Job> = cuts
        .windows(2)
        .map(|rows| {
            let part = Shard { start: vec![rows[0], 0], shape: vec![rows[1] - rows[0], shape[1]] };
            let (part, shape, name) = (Part::Shard(part), shape.clone(), name.clone());
            placed(Job { shape, part, dtype, init, key, name, buffer: 0, offset: 0, pitch: None }, random)
        })
        .collect();
    random.shuffle(&mut pieces);
    pieces
}

/// A fill that no engine takes.
fn mistake(random: &mut Random) -> (Job, &'static str) {
    let buffer = random.below(BUFFERS.len() as u64) as usize;
    let right = |dtype, offset| Job {
        shape: vec![4, 4],
        part: Part::Whole,
        dtype,
        init: Init::normal(0.0, 1.0),
        key: Key::new(1),
        name: None,
        buffer,
        offset,
        pitch: None,
    };
    match random.below(6) {
        0 => (right(DType::F32, 4 * random.below(100) + 2), "the byte offset "),
        1 => (right(DType::F16, SIZE - 2 - 2 * random.below(15)), "the tensor needs bytes "),
        2 => (Job { pitch: Some(12), ..right(DType::F32, 0) }, "a row pitch of 12 bytes"),
        3 => (Job { init: Init::constant(7e4), ..right(DType::F16, 0) }, "value = 7e4 overflows f16"),
        4 => {
            let part = Part::Shard(Shard { start: vec![3, 0], shape: vec![2, 2] });
            (Job { part, ..right(DType::F32, 0) }, "the shard has 2 elements from 3")
        }
        _ => (Job { part: Part::Elements(9..17), ..right(DType::BF16, 0) }, "elements 9..17 "),
    }
}

fn step(random: &mut Random, of: Initialisers) -> Step {
    match random.below(12) {
        0 | 1 => Step::Fill(job(random, of)),
        2 => {
            let job = job(random, of);
            // Raw words are as large as f32.
            let dtype = DType::U32;
            Step::Fill(if job.dtype == DType::F32 { Job { dtype, ..job } } else { job })
        }
        3..=5 => Step::List(jobs(random, of)),
        6 | 7 => {
            let way = *random.pick(&[Way::Recorder, Way::Json, Way::Twice, Way::Json, Way::Elsewhere]);
            Step::Program(jobs(random, of), way)
        }
        8 => {
            let words = random.range(SIZE / 4 - 1);
            let (offset, len) = (4 * words.start, 4 * (words.end - words.start) + 4);
            Step::Clear { buffer: 2 * random.below(2) as usize, offset, len }
        }
        9 => {
            let len = 4 * (1 + random.below(SIZE / 8));
            let [from, to] = [(); 2].map(|()| 4 * random.below((SIZE - len) / 4 + 1));
            Step::Copy { from: (random.below(2) as usize, from), to: (2, to), len }
        }
        _ => Step::Mistake(match random.below(5) {
            0 => {
                let (job, message) = mistake(random);
                Mistake::Fill(job, message)
            }
            1 => {
                let (mut list, (job, message)) = (jobs(random, of), mistake(random));
                let index = random.below(list.len() as u64 + 1) as usize;
                list.insert(index, job);
                Mistake::List(list, index, message)
            }
            2 => {
                let (mut list, twice) = (jobs(random, of), job(random, of));
                let twice = Job { part: Part::Whole, name: Some("twice".into()), ..twice };
                list.extend([placed(twice.clone(), random), placed(twice, random)]);
                Mistake::Names(list)
            }
            3 => {
                let (shape, part, init) = (vec![4, 4], Part::Whole, Init::normal(0.0, 1.0));
                Mistake::NoStorage(Job { shape, part, init, offset: 0, pitch: None, ..job(random, of) })
            }
            _ => {
                let mut list = jobs(random, of);
                // At least one dispatch.
                list.push(placed(Job { part: Part::Whole, ..mistake(random).0 }, random));
                list.iter_mut().for_each(|job| {
                    if job.init == Init::constant(7e4) {
                        job.init = Init::normal(0.0, 1.0);
                    }
                });
                Mistake::Program(list, *random.pick(&Change::ALL))
            }
        }),
    }
}

impl Step {
    /// What the step does to the bytes of the buffers.
    fn simulate(&self, bytes: &mut [Vec<u8>]) {
        match self {
            Self::Fill(job) => job.put(&job.take(&job.whole()), &mut bytes[job.buffer]),
            Self::List(jobs) | Self::Program(jobs, _) => {
                for job in jobs {
                    job.put(&job.take(&job.whole()), &mut bytes[job.buffer]);
                }
            }
            Self::Clear { buffer, offset, len } => {
                bytes[*buffer][*offset as usize..][..*len as usize].fill(0);
            }
            Self::Copy { from, to, len } => {
                let copied = bytes[from.0][from.1 as usize..][..*len as usize].to_vec();
                bytes[to.0][to.1 as usize..][..copied.len()].copy_from_slice(&copied);
            }
            Self::Mistake(_) => {}
        }
    }

    fn record(&self, recording: &mut Recording<'_>) -> Result<(), Error> {
        let Recording { device, recorder, encoder, buffers, pipelines } = recording;
        match self {
            Self::Fill(job) => job.record_by(recorder, encoder, buffers),
            Self::List(jobs) => recorder.fill_all(encoder, &fills(jobs, buffers)),
            Self::Program(jobs, Way::Recorder) => {
                let fills = fills(jobs, buffers);
                let (program, buffers) = recorder.plan(&fills)?;
                recorder.replay(encoder, &program, &buffers)
            }
            Self::Program(jobs, way) => {
                let program = plan(recorder.planner(), jobs)?;
                let callers = &buffers[..program.destinations as usize];
                let all: Vec<&Buffer> = callers.iter().collect();
                match way {
                    Way::Elsewhere => replay(&device.gpu.device, encoder, &program, callers, pipelines),
                    Way::Twice => {
                        recorder.replay(encoder, &program, &all)?;
                        recorder.replay(encoder, &program, &all)?;
                    }
                    _ => recorder.replay(encoder, &stored(program), &all)?,
                }
                Ok(())
            }
            Self::Clear { buffer, offset, len } => {
                encoder.clear_buffer(&buffers[*buffer], *offset, Some(*len));
                Ok(())
            }
            Self::Copy { from, to, len } => {
                encoder.copy_buffer_to_buffer(&buffers[from.0], from.1, &buffers[to.0], to.1, *len);
                Ok(())
            }
            Self::Mistake(mistake) => {
                mistake.record(recorder, encoder, buffers);
                Ok(())
            }
        }
    }
}

impl Mistake {
    /// Makes the mistake, and checks the error.
    fn record(&self, recorder: &FillRecorder, encoder: &mut CommandEncoder, buffers: &[Buffer]) {
        let (result, message) = match self {
            Self::Fill(job, message) => (job.record_by(recorder, encoder, buffers), (*message).to_owned()),
            Self::List(jobs, index, message) => {
                let place = if jobs.len() == 1 { String::new() } else { format!("fill {index}: ") };
                let result = recorder.fill_all(encoder, &fills(jobs, buffers));
                // A list of one fill names the fill too.
                let named = matches!(&result, Err(Error::Fill { .. }));
                (result, if named { format!("fill {index}: {message}") } else { place + message })
            }
            Self::Names(jobs) => (
                recorder.fill_all(encoder, &fills(jobs, buffers)),
                "two fills of the list are named \"twice\"".into(),
            ),
            Self::NoStorage(job) => {
                let tensor = TensorView::new(&buffers[BUFFERS.len()], job.dtype, job.region());
                (
                    recorder.fill(encoder, &tensor, &job.init, job.key),
                    "the buffer was created with usage".into(),
                )
            }
            Self::Program(jobs, change) => {
                let mut device = *recorder.planner().device();
                if matches!(change, Change::OtherDevice) {
                    device.limits.max_compute_workgroups_per_dimension += 1;
                }
                let planner = Planner::new(device, Math::Portable);
                let mut program = plan(&planner, jobs).expect("fills that are right");
                let mut all: Vec<&Buffer> = buffers[..program.destinations as usize].iter().collect();
                match change {
                    Change::Contract => program.contract += 1,
                    Change::Destinations => _ = all.pop(),
                    Change::OtherDevice => {}
                    Change::FarBinding => match program.dispatches.last_mut() {
                        Some(last) => last.bindings[0].offset = u64::MAX - 3,
                        None => return,
                    },
                }
                (recorder.replay(encoder, &program, &all), "the program can't be replayed: ".into())
            }
        };
        crate::harness::assertions::assert_starts(result, &message);
    }
}

fn fills<'a>(jobs: &'a [Job], buffers: &'a [Buffer]) -> Vec<Fill<'a>> {
    jobs.iter().map(|job| job.to_fill(buffers)).collect()
}

fn plan(planner: &Planner, jobs: &[Job]) -> Result<Program, Error> {
    let placements: Vec<Placement<'_>> = jobs.iter().map(Job::placement).collect();
    let destination = |job: &Job| {
        let (size, usage) = BUFFERS[job.buffer];
        Destination { buffer: job.buffer as u32, size, can_clear: usage.contains(BufferUsages::COPY_DST) }
    };
    let specs: Vec<_> = jobs
        .iter()
        .zip(&placements)
        .map(|(job, placement)| FillSpec {
            name: job.name.as_deref(),
            destination: destination(job),
            placement,
            content: Content::Init(&job.init),
            key: job.stream(),
        })
        .collect();
    planner.plan(&specs)
}

/// The program after it was stored and read again.
fn stored(program: Program) -> Program {
    #[cfg(feature = "serde")]
    {
        let text = serde_json::to_string(&program).expect("a program that can be stored");
        serde_json::from_str(&text).expect("a program that can be read")
    }
    #[cfg(not(feature = "serde"))]
    program
}

/// What a sequence is recorded by, and into.
struct Recording<'a> {
    device: &'a Device,
    recorder: &'a FillRecorder,
    encoder: &'a mut CommandEncoder,
    /// The buffers of [`BUFFERS`], and one without the usage `STORAGE`.
    buffers: &'a [Buffer],
    pipelines: &'a mut Pipelines,
}

/// A sequence, which says what it is if a check panics.
struct Sequence {
    number: u64,
    steps: Vec<Step>,
}

impl Sequence {
    fn new(number: u64, of: Initialisers) -> Self {
        let mut random = Random::new(number);
        let count = 1 + random.below(16);
        Self { number, steps: (0..count).map(|_| step(&mut random, of)).collect() }
    }

    /// The bytes of the buffers at the end.
    fn simulate(&self) -> Vec<Vec<u8>> {
        let mut bytes = vec![vec![SENTINEL; SIZE as usize]; BUFFERS.len()];
        self.steps.iter().for_each(|step| step.simulate(&mut bytes));
        bytes
    }

    fn run(&self, device: &Device, recorder: &FillRecorder, pipelines: &mut Pipelines) {
        let mut buffers = buffers(device, &BUFFERS);
        buffers.push(device.sentinel_buffer(SIZE, NO_STORAGE));
        device.submit(|encoder| {
            let buffers = &buffers[..];
            let mut recording = Recording { device, recorder, encoder, buffers, pipelines };
            for (index, step) in self.steps.iter().enumerate() {
                step.record(&mut recording).unwrap_or_else(|error| panic!("step {index}: {error}"));
            }
        });
        let mut expected = self.simulate();
        expected.push(vec![SENTINEL; SIZE as usize]);
        assert_buffers(device, &buffers, &expected, ("sequence", self.number));
    }

    /// The same on the host, without programs and the caller's commands.
    fn run_on_the_host(&self) {
        let mut bytes = vec![vec![SENTINEL; SIZE as usize]; BUFFERS.len()];
        let mut expected = bytes.clone();
        for step in &self.steps {
            match step {
                Step::Fill(job) => fill_on_the_host(job, &mut bytes).expect("a right fill"),
                Step::List(jobs) | Step::Program(jobs, _) => {
                    jobs.iter().for_each(|job| fill_on_the_host(job, &mut bytes).expect("a right fill"));
                }
                Step::Mistake(Mistake::Fill(job, message)) => {
                    crate::harness::assertions::assert_starts(fill_on_the_host(job, &mut bytes), message);
                }
                Step::Clear { .. } | Step::Copy { .. } | Step::Mistake(_) => continue,
            }
            step.simulate(&mut expected);
        }
        assert!(bytes == expected, "the host's memory differs");
    }
}

fn fill_on_the_host(job: &Job, bytes: &mut [Vec<u8>]) -> Result<(), Error> {
    let bytes = &mut bytes[job.buffer];
    if job.dtype == DType::U32 {
        // The host writes raw words without gaps.
        let words = Engine::Host.words(job.region(), job.stream());
        job.put(bytemuck::cast_slice(&words), bytes);
        return Ok(());
    }
    host::fill_buffer(bytes, &job.placement(), &job.init, job.stream())
}

impl Drop for Sequence {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { number, steps } = self;
            eprintln!("sequence {number} (SEEDBED_SEQUENCE={number} runs it alone):");
            steps.iter().enumerate().for_each(|(index, step)| eprintln!("  {index}: {step:?}"));
        }
    }
}

fn numbers() -> Vec<u64> {
    match std::env::var("SEEDBED_SEQUENCE").map(|number| number.parse()) {
        Ok(number) => vec![number.expect("SEEDBED_SEQUENCE is the number of a sequence")],
        Err(_) => (0..SEQUENCES).collect(),
    }
}

/// The sequences go by turns to the device and to one with small limits.
fn random_sequences(engine: &Engine) {
    let Engine::Device(device) = engine else {
        return numbers()
            .into_iter()
            .for_each(|number| Sequence::new(number, initialisers_of).run_on_the_host());
    };
    let small = device.limited(1024, 2, 256);
    // The small bindings have no room for tables and matrices.
    let of: [Initialisers; 2] = [initialisers_of, plain_initialisers];
    let mut pipelines = [Pipelines::new(), Pipelines::new()];
    for number in numbers() {
        let which = (number % 2) as usize;
        let device = [device, &small][which];
        Sequence::new(number, of[which]).run(device, &device.recorder, &mut pipelines[which]);
    }
}

/// Eight threads share a recorder that has compiled nothing yet, and each records sequences of its own.
fn of_eight_threads(device: &Device) {
    let recorder = device.fresh_recorder();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let recorder = recorder.clone();
            scope.spawn(move || {
                let mut pipelines = Pipelines::new();
                for round in 0..4 {
                    Sequence::new(1000 * thread + round, initialisers_of).run(
                        device,
                        &recorder,
                        &mut pipelines,
                    );
                }
            });
        }
    });
    device.gpu.check().expect("a device that works");
}
