//! A fuzzer of this crate: it changes models, rules and records at random, and looks for panics, hangs, and errors that
//! are no single line.
//!
//! ```text
//! cargo run --release -p seedbed-model --example fuzz -- --cases 1000000 --seed 1
//! cargo run --release -p seedbed-model --example fuzz -- --runs 3000 --program target/release/seedbed
//! ```
//!
//! A case is a function of the seed and the number of the case: `--only KIND:NUMBER` repeats one and prints its input.
//! Built with `--config 'profile.release.overflow-checks=true'`, the fuzzer finds arithmetic that overflows, too.
//!
//! `--runs` starts the program on changed files in a temporary folder, and checks its exit code and what it leaves.

mod cases;
mod corpus;
mod mutate;
mod program;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::cases::Kind;
use crate::corpus::Corpus;

/// A case that takes longer is reported.
const SLOW: Duration = Duration::from_secs(1);
/// A case that takes longer ends the run.
const HANG: Duration = Duration::from_secs(30);
/// The resident memory that ends the run, in kiB.
const MAX_MEMORY: u64 = 3 << 20;
/// The most findings of a place that are printed.
const PRINTED: u64 = 2;

thread_local! {
    /// Where the thread's last panic was, and its text.
    static PANIC: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// What the command line says.
struct Options {
    cases: u64,
    runs: u64,
    seed: u64,
    jobs: usize,
    program: Option<PathBuf>,
    only: Option<(Kind, u64)>,
}

impl Options {
    fn read() -> Result<Self, String> {
        let mut options = Self { cases: 0, runs: 0, seed: 1, jobs: 2, program: None, only: None };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} takes a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{name} {value}: no number"));
            match &*name {
                "--cases" => options.cases = number()?,
                "--runs" => options.runs = number()?,
                "--seed" => options.seed = number()?,
                "--jobs" => options.jobs = number()?.max(1) as usize,
                "--program" => options.program = Some(value.into()),
                "--only" => {
                    let (kind, number) = value.split_once(':').ok_or("--only takes KIND:NUMBER")?;
                    let kind = Kind::ALL.into_iter().find(|other| other.name() == kind).ok_or("no kind")?;
                    options.only = Some((kind, number.parse().map_err(|_| "no number of a case")?));
                }
                _ => return Err(format!("unknown: {name}")),
            }
        }
        Ok(options)
    }
}

/// What was found at a place.
#[derive(Default)]
struct Findings(BTreeMap<String, u64>);

impl Findings {
    fn add(&mut self, place: &str, text: &str) {
        let count = self.0.entry(place.to_owned()).or_default();
        *count += 1;
        if *count <= PRINTED {
            println!("FOUND {place}\n{text}\n");
        }
    }
}

/// What a worker does at the moment.
#[derive(Default)]
struct Now(Mutex<Option<(Instant, Kind, u64)>>);

fn main() {
    let options = match Options::read() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(2);
        }
    };
    let corpus = Corpus::new();
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, ToString::to_string);
        if std::thread::current().name() == Some("main") {
            eprintln!("{info}");
        }
        PANIC.with_borrow_mut(|panic| *panic = Some((place, info.to_string().replace('\n', " "))));
    }));
    if let Some((kind, number)) = options.only {
        println!("{}", cases::input(&corpus, kind, &mut random(options.seed, kind, number)));
        let (result, time) = timed(&corpus, options.seed, kind, number);
        println!("{result:?} in {time:?}");
        return;
    }
    let mut findings = Findings::default();
    if options.cases > 0 {
        fuzz(&options, &corpus, &mut findings);
    }
    if options.runs > 0 {
        program::fuzz(&options, &corpus, &mut findings);
    }
    println!("peak memory: {} MiB", memory("VmHWM:") / 1024);
    let count: u64 = findings.0.values().sum();
    println!("findings: {count} at {} places", findings.0.len());
    for (place, count) in &findings.0 {
        println!("  {count:8}  {place}");
    }
    std::process::exit(i32::from(count > 0));
}

fn random(seed: u64, kind: Kind, number: u64) -> SmallRng {
    // An odd factor gives each case another seed, which the generator mixes.
    let case = number * Kind::ALL.len() as u64 + kind as u64;
    SmallRng::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(case))
}

/// Runs a case. The result is what is wrong with it: place and text.
fn timed(corpus: &Corpus, seed: u64, kind: Kind, number: u64) -> (Result<bool, (String, String)>, Duration) {
    let started = Instant::now();
    let run = || cases::run(corpus, kind, &mut random(seed, kind, number));
    let result = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|(place, text)| (place.to_owned(), text)),
        Err(_) => Err(PANIC.take().unwrap_or_default()),
    };
    (result, started.elapsed())
}

fn fuzz(options: &Options, corpus: &Corpus, findings: &mut Findings) {
    let next = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let all: Vec<Now> = (0..options.jobs).map(|_| Now::default()).collect();
    let found = Mutex::new(std::mem::take(findings));
    // Cases, those that were accepted, and their time.
    let counts: Mutex<BTreeMap<&str, (u64, u64, Duration)>> = Mutex::default();
    let started = Instant::now();
    std::thread::scope(|scope| {
        let watchdog = scope.spawn(|| watch(&all, &over));
        let worker = |now: &Now| {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= options.cases {
                    break;
                }
                let kind = Kind::of(number);
                *lock(&now.0) = Some((Instant::now(), kind, number));
                let (result, time) = timed(corpus, options.seed, kind, number);
                *lock(&now.0) = None;
                let mut counts = lock(&counts);
                let count = counts.entry(kind.name()).or_default();
                *count = (count.0 + 1, count.1 + u64::from(matches!(result, Ok(true))), count.2 + time);
                drop(counts);
                let case = || {
                    let mut input = cases::input(corpus, kind, &mut random(options.seed, kind, number));
                    input.truncate(mutate::boundary(&input, 3000));
                    format!("--seed {} --only {}:{number}\n{input}", options.seed, kind.name())
                };
                if let Err((place, text)) = result {
                    lock(&found).add(&place, &format!("{text}\n{}", case()));
                }
                if time > SLOW {
                    lock(&found).add("slow", &format!("{time:?}\n{}", case()));
                }
            }
        };
        let workers: Vec<_> = all.iter().map(|now| scope.spawn(move || worker(now))).collect();
        for worker in workers {
            worker.join().expect("a worker catches its panics");
        }
        over.store(true, Ordering::Relaxed);
        watchdog.join().expect("the watchdog does not panic");
    });
    println!("{} cases with seed {} in {:.1?}", options.cases, options.seed, started.elapsed());
    for (kind, (cases, accepted, time)) in counts.into_inner().expect("no panic") {
        println!("  {kind:12} {cases:8} cases, {accepted:8} without an error, {time:.1?}");
    }
    *findings = found.into_inner().expect("no panic");
}

/// Ends the run where a case hangs or takes too much memory.
fn watch(all: &[Now], over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
        let memory = memory("VmRSS:");
        for now in all {
            let Some((since, kind, number)) = *lock(&now.0) else { continue };
            if since.elapsed() > HANG || memory > MAX_MEMORY {
                let time = since.elapsed();
                println!(
                    "FOUND a hang, or too much memory: --only {}:{number}, {time:?}, {memory} kiB",
                    kind.name()
                );
            }
            if since.elapsed() > HANG {
                std::process::exit(3);
            }
        }
        if memory > MAX_MEMORY {
            std::process::exit(3);
        }
    }
}

/// A line of the process's status, in kiB; 0 where the system has no such file.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no panic while it is held")
}
