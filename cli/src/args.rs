//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use seedbed::{CONTRACT_VERSION, Init};

use crate::bench::BenchArgs;
use crate::layout::Layout;
use crate::ranks::PartChoice;
use crate::selftest::SelftestArgs;
use crate::values::{AdapterChoice, ModelType, PlanFor, Shape, TensorType, byte_size, integer};

/// Initialises neural-network parameters on the GPU.
///
/// The same seed gives the same bits on every GPU, and without one: an element depends on the seed, the
/// parameter's name and shape, its initialiser and its type, and on nothing else.
#[derive(Debug, Parser)]
#[command(
    name = "seedbed",
    version = format!("{} (numeric contract {CONTRACT_VERSION})", env!("CARGO_PKG_VERSION")),
    after_help = "\
Examples:
  seedbed init models/gpt2.json -o gpt2.safetensors --preset gpt2
  seedbed plan checkpoint/
  mpirun -n 4 seedbed init model.json -o out/ --part auto && seedbed index out/
  seedbed init old.safetensors -o fresh.safetensors --seed 42 --rules my_rules.toml
  seedbed fill \"normal(std=0.02)\" --shape 50257,768 -o wte.npy
  seedbed adapters
  seedbed selftest
  seedbed bench

Exit codes: 0 done, 1 the run failed, or files differ or are missing, 2 the input or the command line is at
fault, 130 interrupted."
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Init(InitArgs),
    Index(IndexArgs),
    Plan(PlanArgs),
    Verify(VerifyArgs),
    Fill(FillArgs),
    Program(ProgramArgs),
    Bench(BenchArgs),
    Selftest(SelftestArgs),
    /// Lists what --adapter can choose, with the limits that matter
    Adapters {
        /// Prints a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Prints the built-in rules, or those of a preset: a starting point for your own
    Rules {
        /// The preset
        #[arg(long, value_name = "NAME", default_value = "default")]
        preset: String,
    },
}

/// Initialises all parameters of a model
///
/// Every parameter has its own stream of random numbers, derived from the seed and its name, so that
/// adding or removing a layer leaves the others as they were. Each file appears when it is complete;
/// until then, an existing one stays as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = init_help())]
pub struct InitArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// The output may be a file that the model or the copied parameters come from, which it then replaces
    #[arg(long)]
    pub in_place: bool,
    /// The size of the files in a folder: 5GB, 500MB, 2GiB. A tensor that is larger has a file of its own
    #[arg(long, value_name = "SIZE", default_value = "5GB", value_parser = byte_size)]
    pub max_shard_size: u64,
    /// Makes only this process's part of a folder: rank R of N, such as 0/4, or the rank that torchrun, mpirun or srun
    /// gave to this process (auto). `seedbed index DIR` completes the folder when all ranks are done
    #[arg(long, value_name = "auto|R/N")]
    pub part: Option<PartChoice>,
    /// The files of a folder [default: hf]
    #[arg(long, value_enum)]
    pub layout: Option<Layout>,
    #[command(flatten)]
    pub common: Common,
}

fn init_help() -> String {
    let presets: Vec<_> = seedbed_model::PRESETS.iter().map(|preset| preset.name).collect();
    format!(
        "\
Presets: {}

Examples:
  seedbed init models/gpt2.json -o gpt2.safetensors --preset gpt2
  seedbed init checkpoint/ -o fresh/ --seed 0x5eed          # a preset by checkpoint/config.json
  seedbed init model.safetensors -o tuned.safetensors --rules new_head.toml
  seedbed plan checkpoint/                                  # what would each parameter get?
  mpirun -n 4 seedbed init model.json -o out/ --part auto && seedbed index out/

Many processes: https://github.com/seedbed-gpu/seedbed/blob/main/docs/DISTRIBUTED.md
The guide to rules (fused and stacked weights, new heads, copies, presets):
https://github.com/seedbed-gpu/seedbed/blob/main/docs/MODELS.md",
        presets.join(", ")
    )
}

/// Completes a folder that several processes wrote
///
/// Run it when all ranks of `seedbed init --part` are done. It compares the length and the header of each file with the
/// plan that the ranks share, and gives the index its name last. The exit code is 1 where files are missing, and the
/// commands that make them are printed. A folder that is complete stays as it is. `seedbed verify` compares the data.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mpirun -n 4 seedbed init model.json -o out/ --part auto && seedbed index out/
  srun seedbed init model.json -o out/ --part auto && seedbed index out/")]
pub struct IndexArgs {
    /// The folder
    pub folder: PathBuf,
    /// Prints nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// Compares a file with the record of its own making
///
/// Each tensor is made again from the seed and the initialisers in the file's metadata. The exit code is 1 where one
/// differs, and 2 where the file has no record. Copied tensors are listed, and not compared.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seedbed verify gpt2.safetensors
  seedbed verify trained.safetensors --like gpt2.safetensors   # PyTorch drops the record")]
pub struct VerifyArgs {
    /// A .safetensors file that `seedbed init` wrote, its index, or its folder
    pub model: PathBuf,
    /// A file, an index or a folder that has the record instead
    #[arg(long, value_name = "FILE|DIR")]
    pub like: Option<PathBuf>,
    /// Prints only the tensors that differ, and the totals
    #[arg(short, long)]
    pub quiet: bool,
}

/// Prints what each parameter of a model would get: rule, initialiser, fans, mean, standard deviation
///
/// Nothing is made or written. A parameter that can't be made is listed with the reason, and the exit code is 2.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seedbed plan models/gpt2.json --preset gpt2
  seedbed plan checkpoint/ --rules my_rules.toml
  seedbed plan model.safetensors --json | jq '.[] | select(.outcome == \"error\")'")]
pub struct PlanArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Prints a JSON array
    #[arg(long)]
    pub json: bool,
}

/// A model, and what says how to initialise it.
#[derive(Debug, clap::Args)]
pub struct ModelArgs {
    /// A .json manifest ({"parameters": {NAME: {"shape": [...], "dtype": "F32"}}}, or the inner object), a
    /// .safetensors file, a model.safetensors.index.json, or a folder with one of the last two. Data are read
    /// only where parameters are copied
    pub model: PathBuf,
    /// Rules that give each parameter its initialiser. No preset follows them, unless the file or --preset names
    /// one [default: the preset of config.json's model_type, or else the built-in rules, see `seedbed rules`]
    #[arg(long, value_name = "RULES.toml")]
    pub rules: Option<PathBuf>,
    /// Initialises as this framework or family does; after --rules, for parameters that no rule matches
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// The file, index or folder that rules with `copy` take parameters from [default: MODEL]
    #[arg(long, value_name = "FILE|DIR")]
    pub from: Option<PathBuf>,
    /// Takes this prefix off the name that a parameter's stream comes from, such as _orig_mod. of torch.compile; may be
    /// given several times. The output keeps the name
    #[arg(long, value_name = "PREFIX")]
    pub strip_prefix: Vec<String>,
    /// Element type of the floating-point parameters that are made; keep: that of each in the model, which is F32,
    /// F16 or BF16. Copies and integers keep theirs
    #[arg(long, value_enum, default_value = "keep")]
    pub dtype: ModelType,
}

/// Makes one tensor
///
/// Its key is (seed, offset), with each --fold-in folded in, in the order given.
#[derive(Debug, clap::Args)]
#[command(after_help = fill_help())]
pub struct FillArgs {
    /// The initialiser, such as "xavier_normal(gain=2)". Numbers may be expressions: "normal(std=0.02/sqrt(24))"
    pub init: String,
    /// Dimensions, separated by commas; "" is a scalar
    #[arg(long, value_name = "N,N,...")]
    pub shape: Shape,
    /// Element type
    #[arg(long, value_enum, default_value = "f32")]
    pub dtype: TensorType,
    /// The first block of the seed's stream; a block is four elements
    #[arg(long, value_name = "N", default_value = "0", value_parser = integer)]
    pub offset: u64,
    /// Derives a new key from the last with this number; may be given several times
    #[arg(long, value_name = "N", value_parser = integer)]
    pub fold_in: Vec<u64>,
    /// The tensor's name in a .safetensors file; the values do not depend on the name
    #[arg(long, default_value = "weight")]
    pub name: String,
    #[command(flatten)]
    pub common: Common,
}

/// Prints the kernels of a fill as WGSL, with their buffers, bindings and workgroups
///
/// A line `// ---- shaders/PATH` stands before each part of a kernel. All lines outside the kernels are WGSL
/// comments, so that the output for a single kernel is a module that other tools take. Use this command if a
/// driver rejects a kernel, or to see what runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  seedbed program \"xavier_normal(gain=1)\" --shape 768,3072
  seedbed program \"normal(std=0.02)\" --shape 50257,768 --dtype bf16 --limits nvidia
  seedbed program \"orthogonal()\" --shape 512,512 --kernel 1 > reflect.wgsl
  seedbed program \"uniform()\" --shape 1000 --json > program.json")]
pub struct ProgramArgs {
    /// The initialiser, such as "xavier_normal(gain=2)"
    pub init: Init,
    /// Dimensions, separated by commas; "" is a scalar
    #[arg(long, value_name = "N,N,...")]
    pub shape: Shape,
    /// Element type
    #[arg(long, value_enum, default_value = "f32")]
    pub dtype: TensorType,
    /// Decimal, or hexadecimal after 0x; 64 bits
    #[arg(long, value_name = "N", default_value = "0", value_parser = integer)]
    pub seed: u64,
    /// For which device: webgpu (the limits that every WebGPU device has), or a name that `seedbed adapters`
    /// lists or a part of it
    #[arg(long, value_name = "webgpu|NAME", default_value = "webgpu")]
    pub limits: PlanFor,
    /// Prints the WGSL of this kernel alone, counted from 0
    #[arg(long, value_name = "N", conflicts_with = "json")]
    pub kernel: Option<usize>,
    /// Prints the whole program as JSON: what another executor needs
    #[arg(long)]
    pub json: bool,
}

/// Columns of a signature in the help. The text of a longer one is on a line of its own.
const SIGNATURE: usize = 25;

/// The help of `seedbed fill`: the initialisers, from the library's table, and examples.
fn fill_help() -> String {
    let row = |signature: &str, help: &str| {
        let gap =
            if signature.len() > SIGNATURE { format!("\n{:1$}", "", SIGNATURE + 2) } else { String::new() };
        format!("  {signature:SIGNATURE$}{gap}  {help}\n")
    };
    let library = Init::signatures().map(|signature| row(&signature.to_string(), signature.help));
    let of_rules = seedbed_model::OF_RULES.into_iter().map(|(signature, help)| row(signature, help));
    format!(
        "\
Initialisers, as in torch.nn.init; after jax:: and keras::, as in those frameworks:
{}
Examples:
  seedbed fill \"xavier_normal(gain=2)\" --shape 128,256 -o w.npy
  seedbed fill \"normal(0,0.02)\" --shape 768 --seed 7 --fold-in 3 -o w.safetensors",
        library.chain(of_rules).collect::<String>(),
    )
}

#[derive(Debug, clap::Args)]
pub struct Common {
    /// The file to write: .safetensors (for `fill`, .npy too); for `init`, a folder too, which ends with a slash
    /// or exists. A file that exists is replaced
    #[arg(short, long, value_name = "FILE|DIR/")]
    pub output: PathBuf,
    /// Decimal, or hexadecimal after 0x; 64 bits
    #[arg(long, value_name = "N", default_value = "0", value_parser = integer)]
    pub seed: u64,
    /// auto (a GPU if there is one, or else the host), host, or a name that `seedbed adapters` lists or a
    /// part of it. With --part, the processes of a machine take turns at the adapters that fit. No choice changes a
    /// bit of the output [default: auto; with --part: host]
    #[arg(long, value_name = "auto|host|NAME")]
    adapter: Option<AdapterChoice>,
    /// Trusts the adapter without the short self-test that compares it with the host before the first fill
    #[arg(long)]
    pub no_selftest: bool,
    /// Prints nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
}

impl Common {
    /// The adapter: the user's choice, or the host for one of several ranks.
    pub fn adapter(&self, is_rank: bool) -> AdapterChoice {
        let default = if is_rank { AdapterChoice::Host } else { AdapterChoice::Auto };
        self.adapter.clone().unwrap_or(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn help_lists_every_initialiser() {
        use clap::CommandFactory;
        let mut args = Args::command();
        let fill = args.find_subcommand_mut("fill").unwrap();
        let help = fill.render_long_help().to_string();
        for row in Init::signatures() {
            assert!(help.contains(&format!("\n  {row}")) && help.contains(row.help), "{row}");
        }
    }
}
