//! naga's Metal output of every kernel, compiled as C++ at the harshest reading of what a Metal compiler may do, and
//! executed on the CPU: the golden lists and programs.
//!
//! | file | holds |
//! |---|---|
//! | `metal/text.rs` | WGSL -> Metal, as wgpu asks naga for it, and its call in C++ |
//! | `metal/compiler.rs` | C++ -> an executor, by clang or gcc with fast math |
//! | `metal/executor.rs` | the process that runs programs |
//! | `metal/words.rs` | each function of the generators, for all 2^32 words |
//! | `proof/metal` | the header that stands in for Metal's library, and the executor in C++ |

mod compiler;
mod executor;
mod text;
pub mod words;

use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Result, anyhow, bail, ensure};
use seedbed::program::{Device, Program};

use self::compiler::{Compiler, Numbers, Tools, start};
use self::executor::{Choice, Executor, numbers_of};
use crate::golden::{Folder, List, sha256};

/// The arguments of `seedbed-proof metal`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    golden: Folder,
    #[command(flatten)]
    tools: Tools,
    /// Lists and programs whose names contain this text
    #[arg(long, default_value = "")]
    only: String,
}

/// A list, planned for a device.
struct Case<'a> {
    list: &'a List,
    program: Program,
}

/// Both ways to run a program. What differs between the two, no kernel may depend on.
const CHOICES: [Choice; 2] =
    [Choice { flush: false, backward: false }, Choice { flush: true, backward: true }];

/// Compares, and prints what was compared.
///
/// # Errors
/// A tool that fails, or bits that differ; without keep(), bits that are all equal.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { golden, tools, only } = arguments;
    let compiler = Compiler::new(tools)?;
    let mut lists = golden.lists()?;
    lists.retain(|list| list.name.contains(only.as_str()));
    ensure!(!lists.is_empty(), "no list has a name with {only:?} in it");
    let mut cases = Vec::new();
    for int64 in [false, true] {
        for list in &lists {
            let program = list.plan(Device { int64, ..Device::webgpu() })?;
            cases.push(Case { list, program });
        }
    }
    let kernels: Vec<_> = cases
        .iter()
        .flat_map(|case| case.program.kernels.iter().map(|kernel| (case.program.device, &**kernel)))
        .collect();
    let began = Instant::now();
    let (executor, numbers) = compiler.executor(&kernels)?;
    println!(
        "{}, {}: {} kernels, {} s",
        compiler.version,
        compiler.options(),
        numbers.len(),
        began.elapsed().as_secs()
    );
    let began = Instant::now();
    let queue = Mutex::new(cases.iter());
    let next = || queue.lock().ok()?.next();
    let work = |mut executor: Executor| -> Result<Tally> {
        let mut tally = Tally::default();
        while let Some(case) = next() {
            for choice in CHOICES {
                tally.add(case, choice, &mut executor, &numbers)?;
            }
        }
        Ok(tally)
    };
    let executors = start(tools, &executor)?;
    let tally = std::thread::scope(|scope| -> Result<Tally> {
        let workers: Vec<_> =
            executors.into_iter().map(|executor| scope.spawn(move || work(executor))).collect();
        let mut all = Tally::default();
        for worker in workers {
            let tally = worker.join().map_err(|_| anyhow!("a thread panicked"))??;
            all.runs += tally.runs;
            all.bytes += tally.bytes;
            all.differ.extend(tally.differ);
        }
        Ok(all)
    })?;
    let (runs, bytes, differ) = (tally.runs, tally.bytes, tally.differ);
    for (name, how) in differ.iter().take(if tools.without_keep { 0 } else { 20 }) {
        println!("{name} ({how}) differs");
    }
    println!(
        "{} lists and programs, with and without int64, in order and backward with subnormal numbers as zeros: \
         {} of {runs} runs differ, {bytes} bytes compared, {} s",
        lists.len(),
        differ.len(),
        began.elapsed().as_secs()
    );
    match (tools.without_keep, differ.is_empty()) {
        (false, false) => bail!("{} of {runs} runs differ from the host", differ.len()),
        (true, true) => bail!("without keep() nothing differs, so the proof proves nothing"),
        _ => Ok(()),
    }
}

#[derive(Default)]
struct Tally {
    runs: usize,
    bytes: u64,
    /// The names of the lists that differ, and how these were run.
    differ: Vec<(String, String)>,
}

impl Tally {
    fn add(&mut self, case: &Case, choice: Choice, executor: &mut Executor, numbers: &Numbers) -> Result<()> {
        let Case { list, program } = case;
        let callers: Vec<_> = list.buffers.iter().map(|buffer| (buffer.bytes, buffer.prefill)).collect();
        let mut results = vec![Vec::new(); callers.len()];
        executor.run(program, &numbers_of(program, numbers)?, &callers, choice, &mut results)?;
        let is_same = list.buffers.iter().zip(&results).all(|(buffer, found)| buffer.sha256 == sha256(found));
        self.runs += 1;
        self.bytes += callers.iter().map(|(bytes, _)| bytes).sum::<u64>();
        if !is_same {
            let int64 = if program.device.int64 { "with int64" } else { "without int64" };
            let order = if choice.backward { "backward" } else { "in order" };
            self.differ.push((list.name.clone(), format!("{int64}, {order}")));
        }
        Ok(())
    }
}
