//! Each function of the generators, for all 2^32 words: a kernel of the library whose stream is replaced, so that word
//! `i` is `i`, against the Rust of `src/math`.

use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use seedbed::program::{
    Content, Contents, Destination, Device, FillSpec, Placement, Planner, Program, Usage,
};
use seedbed::{DType, Init, Key, Math, Region};
use seedbed_proof_arithmetic as arithmetic;

use super::compiler::{Compiler, Tools, start};
use super::executor::{Choice, Executor, numbers_of};

/// The arguments of `seedbed-proof metal-words`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    tools: Tools,
    /// The number of words: a power of 2 from 2^20 to 2^32. Fewer than 2^32 lie in at least 64 pieces, far apart
    #[arg(long, default_value_t = ALL)]
    words: u64,
    /// Subnormal numbers count as zeros
    #[arg(long)]
    flush: bool,
    /// The functions
    #[arg(default_values_t = FUNCTIONS.map(|function| function.name.to_owned()))]
    functions: Vec<String>,
}

const ALL: u64 = 1 << 32;
/// The words of a program at most.
const PIECE: u64 = 1 << 20;

/// A function of the generators.
struct Function {
    name: &'static str,
    /// The initialiser whose kernel computes the function, and its element type.
    init: &'static str,
    dtype: DType,
    /// A `values_of` that takes the generator's place. `None` stands for the generator as it is.
    values_of: Option<&'static str>,
    /// The words that the function takes, if not all: a kernel gives it no other.
    domain: Option<fn(u32) -> bool>,
    /// The host's bits, one word after the other from the first on.
    expected: fn(u32, &Table, &mut [u32]),
}

type Table = [[f32; 4]];

const FUNCTIONS: [Function; 9] = [
    Function {
        name: "radius",
        init: "normal()",
        dtype: DType::F32,
        values_of: Some(
            "return bitcast<vec4<u32>>(vec4<f32>(half_radius(words.xy), half_radius(words.zw)));",
        ),
        domain: None,
        expected: |first, _, bits| each(first, bits, |word| arithmetic::half_radius(word).to_bits()),
    },
    Function {
        name: "cosine",
        init: "normal()",
        dtype: DType::F32,
        values_of: Some(
            "return bitcast<vec4<u32>>(\
             vec4<f32>(double_cos_sin(words.xy).cosine, double_cos_sin(words.zw).cosine));",
        ),
        domain: None,
        expected: |first, _, bits| each(first, bits, |word| arithmetic::double_cos_sin(word)[0].to_bits()),
    },
    Function {
        name: "sine",
        init: "normal()",
        dtype: DType::F32,
        values_of: Some(
            "return bitcast<vec4<u32>>(\
             vec4<f32>(double_cos_sin(words.xy).sine, double_cos_sin(words.zw).sine));",
        ),
        domain: None,
        expected: |first, _, bits| each(first, bits, |word| arithmetic::double_cos_sin(word)[1].to_bits()),
    },
    // Words 2 i and 2 i + 1 make two normals.
    Function {
        name: "normal",
        init: "normal(mean=0.1, std=0.02)",
        dtype: DType::F32,
        values_of: None,
        domain: None,
        expected: |first, _, bits| {
            for (pair, bits) in (0..).zip(bits.chunks_exact_mut(2)) {
                let word = first + 2 * pair;
                let normals = arithmetic::box_muller(word, word + 1);
                bits.copy_from_slice(&normals.map(|z| (z * 0.02 + 0.1).to_bits()));
            }
        },
    },
    // The word is the bits of x.
    Function {
        name: "exp",
        init: "log_normal()",
        dtype: DType::F32,
        values_of: Some("return bitcast<vec4<u32>>(portable_exp(keep4(bitcast<vec4<f32>>(words))));"),
        domain: Some(|word| {
            let x = f32::from_bits(word);
            x.is_finite() && x <= 88.722_83
        }),
        expected: |first, _, bits| {
            each(first, bits, |word| arithmetic::exp(f32::from_bits(word)).to_bits());
        },
    },
    Function {
        name: "trunc_normal",
        init: "trunc_normal(mean=0.1, std=0.02, a=0.0625, b=0.1875)",
        dtype: DType::F32,
        values_of: None,
        domain: None,
        expected: |first, table, bits| {
            each(first, bits, |word| {
                let x = arithmetic::quantile(word, table) * 0.02 + 0.1;
                arithmetic::within(x, 0.0625, 0.1875).to_bits()
            });
        },
    },
    Function {
        name: "uniform",
        init: "uniform(a=-0.1, b=0.3)",
        dtype: DType::F32,
        values_of: None,
        domain: None,
        expected: |first, _, bits| {
            each(first, bits, |word| {
                arithmetic::uniform(word, -0.1, 0.3 + 0.1, 0.3_f32.next_down()).to_bits()
            });
        },
    },
    // The word is the bits of the f32 that is rounded.
    Function {
        name: "f16",
        init: "normal()",
        dtype: DType::F16,
        values_of: Some("return words;"),
        domain: Some(|word| f32::from_bits(word).abs() < 65520.0),
        expected: |first, _, bits| each(first, bits, |word| arithmetic::round_to_f16(word).into()),
    },
    Function {
        name: "bf16",
        init: "normal()",
        dtype: DType::BF16,
        values_of: Some("return words;"),
        domain: Some(|word| f32::from_bits(word).is_finite()),
        expected: |first, _, bits| each(first, bits, |word| arithmetic::round_to_bf16(word).into()),
    },
];

/// The function of each word.
#[inline(always)]
fn each(first: u32, bits: &mut [u32], function: impl Fn(u32) -> u32) {
    for (i, bits) in (0..).zip(bits) {
        *bits = function(first + i);
    }
}

/// Compares, and prints a line for each function.
///
/// # Errors
/// A tool that fails, or bits that differ; without keep(), bits that are all equal.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { tools, words, flush, functions } = arguments;
    ensure!(
        words.is_power_of_two() && (1 << 20..=ALL).contains(words),
        "{words} words: not a power of 2 from 2^20 to 2^32"
    );
    let compiler = Compiler::new(tools)?;
    let subnormals = if *flush { "subnormal numbers as zeros" } else { "subnormal numbers kept" };
    println!("{}, {}, {subnormals}", compiler.version, compiler.options());
    let find = |name: &String| {
        FUNCTIONS.iter().find(|function| function.name == name).with_context(|| {
            format!("there is no function {name}, but {}", FUNCTIONS.map(|function| function.name).join(", "))
        })
    };
    let mut all_differ = 0;
    for name in functions {
        let function = find(name)?;
        let began = Instant::now();
        let Count { compared, differ } = function.compare(&compiler, arguments)?;
        println!("{name}: {differ} of {compared} differ, {} s", began.elapsed().as_secs());
        all_differ += differ;
    }
    match (tools.without_keep, all_differ) {
        (false, 1..) => bail!("{all_differ} results differ from the host's"),
        (true, 0) => bail!("without keep() nothing differs, so the proof proves nothing"),
        _ => Ok(()),
    }
}

#[derive(Clone, Copy, Default)]
struct Count {
    compared: u64,
    differ: u64,
}

impl Function {
    fn compare(&self, compiler: &Compiler, arguments: &Arguments) -> Result<Count> {
        let Arguments { tools, words, flush, .. } = arguments;
        let init: Init = self.init.parse()?;
        let planner = Planner::new(Device::webgpu(), Math::Portable);
        let piece = PIECE.min(words / 64);
        let step = piece * (ALL / words);
        let sample = self.plan(&planner, &init, 0..piece)?;
        let kernels: Vec<_> = sample.kernels.iter().map(|kernel| (sample.device, &**kernel)).collect();
        let (executor, numbers) = compiler.executor(&kernels)?;
        // The low bits of a piece's first word differ between the pieces. Pieces of whole vectors have one kernel.
        let first_of = |i: u64| step * i + (0x9E37_79B9 * i % (step - piece + 1)) / 8 * 8;
        let starts = Mutex::new((0..ALL / step).map(first_of));
        let next = || starts.lock().ok()?.next();
        let choice = Choice { flush: *flush, backward: false };
        let work = |mut executor: Executor| -> Result<Count> {
            let (mut count, mut results) = (Count::default(), [Vec::new()]);
            let mut expected = vec![0; piece as usize];
            while let Some(start) = next() {
                let program = self.plan(&planner, &init, start..start + piece)?;
                let callers = [(self.bytes(piece), 0xA5)];
                executor.run(&program, &numbers_of(&program, &numbers)?, &callers, choice, &mut results)?;
                self.count(&program, start as u32, &results[0], &mut expected, &mut count);
            }
            Ok(count)
        };
        let executors = start(tools, &executor)?;
        std::thread::scope(|scope| {
            let workers: Vec<_> =
                executors.into_iter().map(|executor| scope.spawn(move || work(executor))).collect();
            let mut all = Count::default();
            for worker in workers {
                let count = worker.join().map_err(|_| anyhow!("a thread panicked"))??;
                all.compared += count.compared;
                all.differ += count.differ;
            }
            Ok(all)
        })
    }

    fn bytes(&self, words: u64) -> u64 {
        words * self.dtype.size()
    }

    /// The program for these words.
    fn plan(&self, planner: &Planner, init: &Init, words: Range<u64>) -> Result<Program> {
        let size = self.bytes(words.end - words.start);
        let mut program = planner.plan(&[FillSpec {
            name: None,
            destination: Destination { buffer: 0, size, can_clear: false },
            placement: &Placement::new(self.dtype, Region::from([ALL]).elements(words)),
            content: Content::Init(init),
            key: Key::new(0),
        }])?;
        for kernel in &mut program.kernels {
            let kernel = Arc::make_mut(kernel);
            kernel.wgsl = self.replaced(&kernel.wgsl)?;
        }
        Ok(program)
    }

    /// The kernel whose block `b` has the words `4 b`, `4 b + 1`, `4 b + 2` and `4 b + 3`.
    fn replaced(&self, wgsl: &str) -> Result<String> {
        const MARK: &str = "// ---- ";
        let mut files: Vec<_> = wgsl.split(MARK).map(str::to_owned).collect();
        let mut replace = |file: &str, text: &str| {
            let found = files.iter_mut().find(|part| part.starts_with(file));
            *found.with_context(|| format!("the kernel has no {file}"))? = format!("{file}\n{text}\n\n");
            Ok::<_, anyhow::Error>(())
        };
        replace(
            "shaders/math/philox_u32.wgsl",
            "fn philox4x32_10(counter: vec2<u32>, seed: vec2<u32>) -> vec4<u32> {\n\
             return vec4<u32>(4u * counter.x) + vec4<u32>(0u, 1u, 2u, 3u);\n}",
        )?;
        if let Some(values_of) = self.values_of {
            let (generator, _) = self.init.split_once('(').context("no (")?;
            replace(
                &format!("shaders/generator/{generator}.wgsl"),
                &format!("fn values_of(words: vec4<u32>) -> vec4<u32> {{\n{values_of}\n}}"),
            )?;
        }
        Ok(files.join(MARK))
    }

    /// Counts the results that differ from the host's.
    fn count(&self, program: &Program, first: u32, found: &[u8], expected: &mut [u32], count: &mut Count) {
        let tables = program.buffers.iter().filter(|buffer| buffer.usage == Usage::Table);
        let table: Vec<[f32; 4]> = tables
            .filter_map(|buffer| match &buffer.contents {
                Contents::Words(words) => Some(words),
                _ => None,
            })
            .flat_map(|words| words.as_chunks().0)
            .map(|row: &[u32; 4]| row.map(f32::from_bits))
            .collect();
        (self.expected)(first, &table, expected);
        if self.domain.is_none() && found == bytemuck::cast_slice::<u32, u8>(expected) {
            count.compared += expected.len() as u64;
            return;
        }
        let mut compare = |word: u32, found: u32, expected: u32| {
            if self.domain.is_none_or(|contains| contains(word)) {
                count.compared += 1;
                count.differ += u64::from(found != expected);
            }
        };
        let words = first..=u32::MAX;
        if self.dtype.size() == 4 {
            let found = found.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
            words.zip(found).zip(expected).for_each(|((word, found), bits)| compare(word, found, *bits));
        } else {
            let found = found.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes).into());
            words.zip(found).zip(expected).for_each(|((word, found), bits)| compare(word, found, *bits));
        }
    }
}
