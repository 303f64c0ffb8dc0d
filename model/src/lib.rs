//! Which initialiser each parameter of a model gets: model + rules -> a plan of fills. No GPU is needed.
//!
//! A person points at a model (a manifest, a safetensors file, a folder), and rules or a preset say what each parameter
//! holds. [`Plan::new`] finds every mistake before anything is made. The plan's tensors consist of runs of sources: fills
//! of seedbed, copied bytes, formulas. [`Maker`] makes them on the host; a program with a GPU records the fills itself.
//!
//! ```
//! use seedbed_model::{Maker, Model, Parameter, Plan, Rules, Segment};
//! use safetensors::Dtype;
//!
//! let parameter = |name: &str, shape: &[u64]| Parameter { name: name.into(), shape: shape.into(), dtype: Dtype::F32 };
//! let model = Model::of_parameters(vec![
//!     parameter("h.0.mlp.c_proj.weight", &[3072, 768]),
//!     parameter("h.0.ln_1.weight", &[768]),
//! ])?;
//! let plan = Plan::new(&model, None, &Rules::preset("gpt2")?, None)?;
//! plan.check()?;
//!
//! let mut maker = Maker::new(42, None); // the seed
//! for tensor in plan.tensors() {
//!     for Segment { source, elements } in tensor.content.segments() {
//!         let mut bytes = vec![0; 4 * (elements.end - elements.start) as usize];
//!         maker.make(tensor, source, elements, &mut bytes)?;
//!     }
//! }
//! # Ok::<(), seedbed_model::Error>(())
//! ```
//!
//! # The house
//!
//! | step | file |
//! |---|---|
//! | files, folders -> parameters, and where their data lie | `input.rs`, `input/` |
//! | metadata of a checkpoint's files -> the parts of its tensors | `parts.rs` |
//! | text of rules -> compiled rules | `rules.rs`, `rules/`; presets are the files of `rules/` |
//! | text of an initialiser, with expressions for numbers | `initialiser.rs`, `expression.rs` |
//! | names of other parameters, prefixes | `names.rs` |
//! | parameters + rules -> a plan | `plan.rs`, `plan/` |
//! | the content of a tensor: sources and runs | `tensor.rs` |
//! | bytes, on the host | `values.rs` |
//! | what a file says about its own making | `record.rs` |
//! | the words of errors that only the program has | `remedy.rs` |

mod error;
mod expression;
mod initialiser;
mod input;
mod names;
mod parameter;
mod parts;
mod plan;
mod record;
pub mod remedy;
mod rules;
mod tensor;
mod values;

pub use error::{Error, Result};
pub use expression::Expression;
pub use initialiser::{OF_RULES, content, initialiser};
pub use input::{Config, Data, LENGTH_BYTES, MAX_HEADER, METADATA, Model, extension};
pub use parameter::{Parameter, float, in_file, is_floating, unit_size};
pub use parts::{Chunk, Parts};
pub use plan::{Entry, Outcome, Plan, Problem, RuleRef, describe};
pub use record::Record;
pub use rules::{Origin, PRESETS, Preset, Rules};
/// The element types of files.
pub use safetensors::Dtype;
pub use tensor::{Content, Run, Segment, Source, Tensor};
pub use values::{Keys, Maker};
