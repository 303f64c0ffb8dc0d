//! Runs of the program on changed files: its exit code, what it prints, and what it leaves.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use seedbed_model::{Dtype, Model, PRESETS, Plan, Rules};

use crate::corpus::{Corpus, file, manifest};
use crate::mutate::{boundary, bytes, pick, tokens};
use crate::parameters::parameters;
use crate::{Findings, Options};

/// A run that takes longer is reported.
const SLOW: Duration = Duration::from_secs(1);
/// A run that takes longer is ended and reported.
const HANG: Duration = Duration::from_secs(30);
/// The largest output, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// A run: the files of its folder, and its arguments.
struct Run {
    files: BTreeMap<&'static str, Vec<u8>>,
    arguments: Vec<String>,
    /// The output, and what is there before.
    output: &'static str,
    before: Option<Vec<u8>>,
}

pub fn fuzz(options: &Options, corpus: &Corpus, findings: &mut Findings) {
    let program = options.program.clone().unwrap_or_else(|| PathBuf::from("target/release/seedbed"));
    let next = AtomicU64::new(0);
    let found = Mutex::new(std::mem::take(findings));
    // Runs by their exit code; -1: too large to be made.
    let counts: Mutex<BTreeMap<i32, u64>> = Mutex::default();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.runs {
                        break;
                    }
                    let seed = options.seed.wrapping_mul(0xD1B5_4A32_D192_ED03).wrapping_add(number);
                    let run = run(corpus, &mut SmallRng::seed_from_u64(seed));
                    let began = Instant::now();
                    let result = check(&program, &run);
                    let input = || {
                        let files: Vec<_> = run
                            .files
                            .iter()
                            .map(|(name, text)| format!("{name}: {:?}", String::from_utf8_lossy(text)))
                            .collect();
                        let mut text = format!("run {number}: {:?}\n{}", run.arguments, files.join("\n"));
                        text.truncate(boundary(&text, 4000));
                        text
                    };
                    match result {
                        Ok(code) => *lock(&counts).entry(code).or_default() += 1,
                        Err((place, text)) => lock(&found).add(place, &format!("{text}\n{}", input())),
                    }
                    if began.elapsed() > SLOW {
                        lock(&found).add("a slow run", &format!("{:?}\n{}", began.elapsed(), input()));
                    }
                }
            });
        }
    });
    println!("{} runs of the program in {:.1?}", options.runs, started.elapsed());
    for (code, count) in counts.into_inner().expect("no panic") {
        match code {
            -1 => println!("  too large     {count:8} runs"),
            _ => println!("  exit code {code}   {count:8} runs"),
        }
    }
    *findings = found.into_inner().expect("no panic");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic while it is held")
}

fn run(corpus: &Corpus, random: &mut SmallRng) -> Run {
    let mut files: BTreeMap<&'static str, Vec<u8>> = BTreeMap::new();
    let mut small: Vec<_> = parameters(corpus, random)
        .into_iter()
        .filter(|parameter| parameter.bytes().is_ok_and(|bytes| bytes < 1 << 16))
        .collect();
    // Few types have initialisers.
    if random.random_bool(0.8) {
        small.iter_mut().for_each(|parameter| parameter.dtype = Dtype::F32);
        small.retain(|parameter| parameter.bytes().is_ok_and(|bytes| bytes < 1 << 16));
    }
    let changes = |random: &mut SmallRng, text: &str| match random.random_range(0..6) {
        0..4 => text.as_bytes().to_vec(),
        4 => tokens(random, text, &corpus.json[0], &corpus.words).into_bytes(),
        _ => bytes(random, text, &corpus.json[0]),
    };
    let model = match random.random_range(0..4) {
        0 => {
            let text = manifest(&small);
            files.insert("model.json", changes(random, &text));
            "model.json"
        }
        1 => {
            let mut file = file(&small, &[]);
            for _ in 0..random.random_range(0..3) {
                let at = random.random_range(0..file.len().min(300));
                file[at] ^= 1 << random.random_range(0..8);
            }
            if random.random_bool(0.2) {
                file.truncate(random.random_range(0..=file.len()));
            }
            files.insert("model.safetensors", file);
            "model.safetensors"
        }
        _ => {
            let (a, b) = small.split_at(small.len() / 2);
            files.insert("a.safetensors", file(a, &[]));
            files.insert("b.safetensors", file(b, &[]));
            let entries: Vec<_> = [(a, "a"), (b, "b")]
                .iter()
                .flat_map(|(all, file)| {
                    all.iter().map(move |p| format!("{:?}: \"{file}.safetensors\"", p.name))
                })
                .collect();
            let index = format!("{{\"metadata\": {{}}, \"weight_map\": {{{}}}}}", entries.join(",\n"));
            files.insert("model.safetensors.index.json", changes(random, &index));
            if random.random_bool(0.5) { "model.safetensors.index.json" } else { "." }
        }
    };
    if random.random_bool(0.3) {
        let text = corpus.configs[random.random_range(0..corpus.configs.len())].clone();
        files.insert("config.json", changes(random, &text));
    }
    let mut arguments: Vec<String> = ["init", model, "--adapter", "host"].map(str::to_owned).into();
    if random.random_bool(0.7) {
        let count = random.random_range(1..4);
        let mut text: String =
            (0..count).map(|_| corpus.blocks[random.random_range(0..corpus.blocks.len())].clone()).collect();
        // Without a last rule most plans would fail.
        text += "\n[[rule]]\nmatch = \"*\"\nrank = 2\ninit = \"xavier_normal\"\n[[rule]]\nmatch = \"*\"\ninit = \"ones\"\n";
        files.insert("rules.toml", changes(random, &text));
        arguments.extend(["--rules", "rules.toml"].map(str::to_owned));
    }
    if random.random_bool(0.2) {
        arguments
            .extend(["--preset".to_owned(), PRESETS[random.random_range(0..PRESETS.len())].name.to_owned()]);
    }
    if random.random_bool(0.2) {
        arguments.extend(["--dtype", pick(random, &["f32", "f16", "bf16"])].map(str::to_owned));
    }
    let output = pick(random, &["out.safetensors", "out.safetensors", "out/"]);
    arguments.extend(["-o".to_owned(), output.to_owned()]);
    if output == "out/" {
        arguments.extend(["--max-shard-size", pick(random, &["1", "100", "1KB", "5GB"])].map(str::to_owned));
    }
    let before = (output != "out/" && random.random_bool(0.5)).then(|| b"what was there before".to_vec());
    Run { files, arguments, output, before }
}

fn check(program: &Path, run: &Run) -> Result<i32, (&'static str, String)> {
    let folder = tempfile::tempdir().map_err(|error| ("no folder", error.to_string()))?;
    let at = |name: &str| folder.path().join(name);
    let mut names: Vec<String> = Vec::new();
    for (name, text) in &run.files {
        fs::write(at(name), text).map_err(|error| ("no file", error.to_string()))?;
        names.push((*name).to_owned());
    }
    if let Some(before) = &run.before {
        fs::write(at(run.output), before).map_err(|error| ("no file", error.to_string()))?;
        names.push(run.output.to_owned());
    }
    if size(folder.path(), run).is_some_and(|bytes| bytes > MAX_BYTES) {
        return Ok(-1);
    }
    let (code, out, errors) = start(program, folder.path(), &run.arguments)?;
    let all = format!("exit code {code:?}\n{out}\n{errors}");
    if !matches!(code, Some(0..=2)) || errors.contains("panicked") {
        return Err(("a panic, or an exit code that means nothing", all));
    }
    if errors.lines().filter(|line| line.starts_with("error: ")).count() != usize::from(code != Some(0)) {
        return Err(("not one error", all));
    }
    let is_odd = |c: char| c.is_control() && c != '\n';
    if errors.contains(is_odd) || out.contains(is_odd) {
        return Err(("the output has control characters", all));
    }
    let mut left = Vec::new();
    for entry in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
        left.push(entry.file_name().to_string_lossy().into_owned());
    }
    if let Some(entries) = fs::read_dir(at("out")).ok().filter(|_| run.output == "out/") {
        let inside: Vec<_> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        let is_whole = inside.iter().all(|name| name.starts_with("model") && !name.ends_with(".tmp"));
        if !is_whole || code != Some(0) && !inside.is_empty() {
            return Err(("the output's folder holds something else", format!("{all}\n{inside:?}")));
        }
        left.retain(|name| name != "out");
    }
    if code == Some(0) && run.output != "out/" && !names.contains(&run.output.to_owned()) {
        names.push(run.output.to_owned());
    }
    names.sort();
    left.sort();
    if names != left {
        return Err(("other files are left than expected", format!("{all}\n{left:?}")));
    }
    if code == Some(0) {
        let verified = start(program, folder.path(), &["verify".to_owned(), run.output.to_owned()])?;
        if verified.0 != Some(0) || verified.1.contains("unknown: the record") {
            return Err(("the output is not what verify makes", format!("{all}\n{verified:?}")));
        }
    } else if run.before.is_some() && fs::read(at(run.output)).ok() != run.before {
        return Err(("an output that failed changed the file", all));
    }
    Ok(code.unwrap_or_default())
}

/// The bytes of the output, where the input is right. The plan must be that of the program.
fn size(folder: &Path, run: &Run) -> Option<u64> {
    let option = |name: &str| run.arguments.iter().skip_while(|argument| *argument != name).nth(1);
    let model = Model::read(&folder.join(&run.arguments[1])).ok()?;
    let own = option("--rules").map(|path| Rules::load(&folder.join(path))).transpose().ok()?;
    let preset = option("--preset").map(|name| Rules::preset(name)).transpose().ok()?;
    let rules = match (own, preset) {
        (Some(own), Some(preset)) => own.then(preset),
        (Some(rules), None) | (None, Some(rules)) => rules,
        (None, None) => Rules::built_in().ok()?,
    };
    let plan = Plan::new(&model, Some(&model), &rules, None).ok()?;
    Some(
        plan.tensors().fold(0_u64, |sum, tensor| sum.saturating_add(tensor.bytes().unwrap_or(u64::MAX) + 64)),
    )
}

/// Runs the program. The result is its exit code, and what it prints.
fn start(
    program: &Path,
    folder: &Path,
    arguments: &[String],
) -> Result<(Option<i32>, String, String), (&'static str, String)> {
    let failed = |error: std::io::Error| ("the program can't be run", error.to_string());
    let program = fs::canonicalize(program).map_err(failed)?;
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let started = Instant::now();
    let mut is_hanging = false;
    std::thread::scope(|scope| {
        scope.spawn(|| stdout.map(|mut stdout| stdout.read_to_end(&mut out)));
        scope.spawn(|| stderr.map(|mut stderr| stderr.read_to_end(&mut errors)));
        while let Ok(None) = child.try_wait() {
            if started.elapsed() > HANG {
                is_hanging = true;
                // The readers end with the program.
                drop(child.kill());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    if is_hanging {
        return Err(("the program hangs", format!("{arguments:?}")));
    }
    let status = child.wait().map_err(failed)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((status.code(), text(&out), text(&errors)))
}
