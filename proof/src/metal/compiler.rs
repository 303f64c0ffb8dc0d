//! The C++ compiler: kernels -> an executor of programs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, anyhow, ensure};
use seedbed::program::{Device, Kernel};

use super::executor::Executor;
use super::text;
use crate::golden::sha256;

/// The arguments that every proof with Metal has.
#[derive(clap::Args)]
pub struct Tools {
    /// A C++ compiler: clang or gcc
    #[arg(long, default_value = "clang++")]
    compiler: String,
    /// The folder of compiled kernels, which later runs use again
    #[arg(long, value_name = "FOLDER", default_value = "target/proof/metal")]
    cache: PathBuf,
    /// Processes at a time
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    pub jobs: usize,
    /// Make keep() the identity. Then the command succeeds only if something differs
    #[arg(long)]
    pub without_keep: bool,
}

/// The header, the executor, and their folder.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/metal");
const HEADERS: [&str; 3] = [
    include_str!("../../metal/metal_stdlib"),
    include_str!("../../metal/simd/simd.h"),
    include_str!("../../metal/executor.hpp"),
];

/// What a Metal compiler may do, at its harshest: values are neither NaN nor infinite, sums and products may be
/// reordered, and products may be fused with sums. x86-64-v3 has AVX2 and FMA.
const FAST: [&str; 4] = ["-O3", "-ffast-math", "-ffp-contract=fast", "-fno-exceptions"];
#[cfg(target_arch = "x86_64")]
const PROCESSOR: &[&str] = &["-march=x86-64-v3", "-mfma"];
#[cfg(not(target_arch = "x86_64"))]
const PROCESSOR: &[&str] = &[];

/// A compiler, with the kernels that it has compiled.
pub struct Compiler<'a> {
    tools: &'a Tools,
    pub version: String,
    /// In Metal a literal without a suffix is an f32.
    literals: &'static [&'static str],
}

/// The kernels of an executor, by their WGSL.
pub type Numbers = HashMap<String, u64>;

impl<'a> Compiler<'a> {
    /// # Errors
    /// A compiler that does not run.
    pub fn new(tools: &'a Tools) -> Result<Self> {
        let version = output(Command::new(&tools.compiler).arg("--version"))?;
        let version = version.lines().next().unwrap_or("").to_owned();
        let literals: &[_] = match version.contains("clang") {
            true => &["-Xclang", "-cl-single-precision-constant"],
            // gcc takes the bound of an array in earnest, and naga gives each array of unknown length the bound 1.
            false => &["-fsingle-precision-constant", "-fno-aggressive-loop-optimizations"],
        };
        std::fs::create_dir_all(&tools.cache).with_context(|| tools.cache.display().to_string())?;
        Ok(Self { tools, version, literals })
    }

    /// The options of a kernel's compilation, for a person.
    pub fn options(&self) -> String {
        [&FAST[..], PROCESSOR].concat().join(" ")
    }

    /// Compiles kernels, each text once, and links them to the executor.
    ///
    /// # Errors
    /// A text that the compiler refuses.
    pub fn executor(&self, kernels: &[(Device, &Kernel)]) -> Result<(PathBuf, Numbers)> {
        let (mut numbers, mut texts) = (Numbers::new(), Vec::new());
        for (device, kernel) in kernels {
            if numbers.contains_key(&kernel.wgsl) {
                continue;
            }
            let wgsl = match self.tools.without_keep {
                true => &without_keep(&kernel.wgsl),
                false => &kernel.wgsl,
            };
            // The name is one of the text, so that an object file fits every executor.
            let symbol = format!("kernel_{}", &sha256(wgsl.as_bytes())[..16]);
            let text = text::of(wgsl, &kernel.entry_point, device.int64, &symbol)
                .with_context(|| kernel.label.clone())?;
            numbers.insert(kernel.wgsl.clone(), texts.len() as u64);
            texts.push((symbol, text, kernel.label.clone()));
        }
        let queue = Mutex::new(texts.iter());
        let next = || queue.lock().ok()?.next();
        let compile_all = || -> Result<Vec<PathBuf>> {
            let mut objects = Vec::new();
            while let Some((symbol, text, label)) = next() {
                objects.push(self.object(symbol, text).with_context(|| label.clone())?);
            }
            Ok(objects)
        };
        let mut objects = std::thread::scope(|scope| -> Result<Vec<PathBuf>> {
            let workers: Vec<_> = (0..self.tools.jobs.max(1)).map(|_| scope.spawn(compile_all)).collect();
            let mut objects = Vec::new();
            for worker in workers {
                objects.extend(worker.join().map_err(|_| anyhow!("a thread panicked"))??);
            }
            Ok(objects)
        })?;
        objects.sort();
        Ok((self.link(&objects, texts.iter().map(|(symbol, ..)| symbol.as_str()))?, numbers))
    }

    /// The object file of a kernel.
    fn object(&self, symbol: &str, text: &str) -> Result<PathBuf> {
        let options = self.options();
        let key = [&[text, &self.version, &options][..], &HEADERS].concat().join("\0");
        let object = self.tools.cache.join(format!("{symbol}-{}.o", &sha256(key.as_bytes())[..16]));
        if object.exists() {
            return Ok(object);
        }
        let source = object.with_extension("cpp");
        std::fs::write(&source, text).with_context(|| source.display().to_string())?;
        // A file that is complete or absent.
        let partial = object.with_extension(format!("{}.partial", std::process::id()));
        let mut command = self.command(&FAST);
        command.args(self.literals).arg("-c").arg(&source).arg("-o").arg(&partial);
        output(&mut command)?;
        std::fs::rename(&partial, &object)?;
        Ok(object)
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(&self.tools.compiler);
        command.args(["-std=c++17", "-w", "-I", FOLDER]).args(PROCESSOR).args(options);
        command
    }

    /// The executor. The C library alone is linked: a kernel that calls a function of a mathematical library does not
    /// link.
    fn link<'b>(&self, objects: &[PathBuf], symbols: impl Iterator<Item = &'b str>) -> Result<PathBuf> {
        let (mut declarations, mut table) = (String::from("#include \"executor.hpp\"\n"), String::new());
        for symbol in symbols {
            declarations +=
                &format!("extern \"C\" void {symbol}(const executor::Binding*, const executor::Place&);\n");
            table += &format!("    {symbol},\n");
        }
        let text = format!(
            "{declarations}extern const executor::Kernel seedbed_kernels[];\n\
             const executor::Kernel seedbed_kernels[] = {{\n{table}}};\n"
        );
        let name = format!("executor-{}-{}", &sha256(text.as_bytes())[..16], std::process::id());
        let source = self.tools.cache.join(format!("{name}.cpp"));
        std::fs::write(&source, text).with_context(|| source.display().to_string())?;
        let executor = self.tools.cache.join(name);
        let mut command = self.command(&["-O2", "-fno-exceptions", "-fno-threadsafe-statics"]);
        command.arg(Path::new(FOLDER).join("executor.cpp")).arg(source).args(objects);
        command.args(["-nodefaultlibs", "-lc", "-lgcc", "-o"]).arg(&executor);
        output(&mut command)?;
        Ok(executor)
    }
}

/// Starts an executor for each process that may run at a time. The file serves no later run.
///
/// # Errors
/// An executor that does not start.
pub fn start(tools: &Tools, executor: &Path) -> Result<Vec<Executor>> {
    let executors = (0..tools.jobs.max(1)).map(|_| Executor::start(executor)).collect();
    for file in [executor, &executor.with_extension("cpp")] {
        std::fs::remove_file(file).with_context(|| file.display().to_string())?;
    }
    executors
}

/// The WGSL with a keep() that does nothing.
fn without_keep(wgsl: &str) -> String {
    [" ^ params.zero", " ^ Words(params.zero)", " ^ vec4<u32>(params.zero)"]
        .iter()
        .fold(wgsl.to_owned(), |text, xor| text.replace(xor, ""))
}

/// The standard output of a command that succeeds.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{}", command.get_program().display()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {}: {errors}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
