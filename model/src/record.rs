//! The record in a file's metadata: what is needed to make each tensor again.

use std::collections::BTreeMap;

use safetensors::tensor::Dtype;
use seedbed::{CONTRACT_VERSION, Init};
use serde::{Deserialize, Serialize};

use crate::error::{At, Error, Result, bail, ensure};
use crate::parameter::Parameter;
use crate::tensor::{Content, Run, Source, Tensor};

/// The entries of `__metadata__` that a record consists of.
const SEED: &str = "seedbed.seed";
const CONTRACT: &str = "seedbed.contract";
const TENSORS: &str = "seedbed.tensors";

/// What a file says about its own making: the seed, and each tensor's content.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The seed.
    pub seed: u64,
    contents: BTreeMap<String, Entry>,
}

/// The content of a tensor, as it is written.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
enum Entry {
    /// One fill of the tensor's own shape and name.
    Init(Init),
    Content(Written),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    sources: Vec<WrittenSource>,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    outer: u64,
    /// Source, first, stride, len. Without runs the only source is the tensor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    runs: Vec<(usize, u64, u64, u64)>,
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(value: &u64) -> bool {
    *value == 1
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum WrittenSource {
    Init { init: Init, shape: Vec<u64>, stream: String },
    Copy { name: String, shape: Vec<u64> },
    Formula { text: String, variables: Vec<(String, f64)>, shape: Vec<u64>, stream: String },
    Norm { name: String, shape: Vec<u64>, dtype: Dtype, of: Box<Written>, axis: usize },
}

impl Record {
    /// The record of tensors that are made with the seed.
    pub fn new<'a>(seed: u64, tensors: impl IntoIterator<Item = &'a Tensor>) -> Self {
        let contents = tensors.into_iter().map(|tensor| {
            let entry = match tensor.content.single() {
                Some(Source::Init { init, shape, stream })
                    if *shape == tensor.shape && *stream == tensor.name =>
                {
                    Entry::Init(*init)
                }
                _ => Entry::Content(Written::of(&tensor.content)),
            };
            (tensor.name.clone(), entry)
        });
        Self { seed, contents: contents.collect() }
    }

    /// The entries of `__metadata__` that hold the record.
    pub fn metadata(&self) -> Vec<(String, String)> {
        // Texts, numbers and lists: no value of these can fail.
        let tensors = serde_json::to_string(&self.contents).unwrap_or_default();
        vec![
            (CONTRACT.into(), CONTRACT_VERSION.to_string()),
            (SEED.into(), self.seed.to_string()),
            (TENSORS.into(), tensors),
        ]
    }

    /// Whether an entry of `__metadata__` belongs to a record or says how seedbed was called.
    pub fn is_own(key: &str) -> bool {
        key == "seedbed" || key.starts_with("seedbed.")
    }

    /// The record of a file, from its metadata. `None`: the file has none.
    ///
    /// # Errors
    /// A record of another contract version, or one that can't be read.
    pub fn read(metadata: &[(String, String)]) -> Result<Option<Self>> {
        let entry =
            |key: &str| metadata.iter().find(|(other, _)| other == key).map(|(_, value)| value.as_str());
        let Some(tensors) = entry(TENSORS) else { return Ok(None) };
        let missing = |key| Error::new(format_args!("the metadata have {TENSORS} but no {key}"));
        let contract = entry(CONTRACT).ok_or_else(|| missing(CONTRACT))?;
        ensure!(
            contract == CONTRACT_VERSION.to_string(),
            "the file was made under the numeric contract {contract:?}; this program knows {CONTRACT_VERSION}"
        );
        let seed = entry(SEED).ok_or_else(|| missing(SEED))?;
        let seed =
            seed.parse().map_err(|_| Error::new(format_args!("{SEED} is {seed:?}, which is no seed")))?;
        let contents = serde_json::from_str(tensors)
            .map_err(|error| Error::new(error.to_string().replace('\n', " ")))
            .at(|| TENSORS)?;
        Ok(Some(Self { seed, contents }))
    }

    /// One record of several files.
    ///
    /// # Errors
    /// No record, or records with different seeds.
    pub fn merge(records: Vec<Self>) -> Result<Self> {
        let mut records = records.into_iter();
        let Some(mut first) = records.next() else { bail!("there is no record") };
        for record in records {
            ensure!(record.seed == first.seed, "the files have the seeds {} and {}", first.seed, record.seed);
            first.contents.extend(record.contents);
        }
        Ok(first)
    }

    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.contents.keys().map(String::as_str)
    }

    /// The tensor that a parameter of the file was made as. `None`: the record does not have it.
    ///
    /// # Errors
    /// A content that does not fit the parameter's shape and type.
    pub fn tensor(&self, parameter: &Parameter) -> Result<Option<Tensor>> {
        let Some(entry) = self.contents.get(&parameter.name) else { return Ok(None) };
        let Parameter { name, shape, dtype } = parameter;
        let content = match entry {
            Entry::Init(init) => {
                Content::whole(Source::Init { init: *init, shape: shape.clone(), stream: name.clone() })?
            }
            Entry::Content(written) => written.content(0)?,
        };
        let tensor = Tensor { name: name.clone(), shape: shape.clone(), dtype: *dtype, content };
        tensor.check()?;
        Ok(Some(tensor))
    }
}

impl Written {
    fn of(content: &Content) -> Self {
        let sources = content.sources.iter().map(|source| match source.clone() {
            Source::Init { init, shape, stream } => WrittenSource::Init { init, shape, stream },
            Source::Copy { name, shape } => WrittenSource::Copy { name, shape },
            Source::Formula { text, variables, shape, stream } => {
                WrittenSource::Formula { text, variables, shape, stream }
            }
            Source::Norm { of, axis } => WrittenSource::Norm {
                of: Box::new(Self::of(&of.content)),
                name: of.name,
                shape: of.shape,
                dtype: of.dtype,
                axis,
            },
        });
        let is_single = content.single().is_some();
        let runs = content.runs.iter().map(|run| (run.source, run.first, run.stride, run.len));
        Self {
            sources: sources.collect(),
            outer: content.outer,
            runs: if is_single { Vec::new() } else { runs.collect() },
        }
    }

    fn content(&self, depth: usize) -> Result<Content> {
        ensure!(depth < 2, "a norm of a norm");
        let mut sources = Vec::new();
        for source in &self.sources {
            sources.push(match source.clone() {
                WrittenSource::Init { init, shape, stream } => Source::Init { init, shape, stream },
                WrittenSource::Copy { name, shape } => Source::Copy { name, shape },
                WrittenSource::Formula { text, variables, shape, stream } => {
                    Source::Formula { text, variables, shape, stream }
                }
                WrittenSource::Norm { name, shape, dtype, of, axis } => {
                    let content = of.content(depth + 1)?;
                    Source::Norm { of: Box::new(Tensor { name, shape, dtype, content }), axis }
                }
            });
        }
        if self.runs.is_empty() {
            let [source] = &sources[..] else { bail!("there are {} sources and no runs", sources.len()) };
            return Content::whole(source.clone());
        }
        let run = |&(source, first, stride, len): &(usize, u64, u64, u64)| Run { source, first, stride, len };
        Ok(Content { sources, outer: self.outer, runs: self.runs.iter().map(run).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        let mut variables: Vec<(String, f64)> = Vec::new();
        let mut bits = 1_u64;
        while variables.len() < 10_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(bits);
            if value.is_finite() {
                variables.push((format!("x{}", variables.len()), value));
                // Numbers of the size of rules.
                variables.push((format!("y{}", variables.len()), (bits >> 11) as f64 / (1_u64 << 53) as f64));
            }
        }
        let source = Source::Formula { text: "i".into(), variables, shape: vec![2], stream: "w".into() };
        let content = Content::whole(source).unwrap();
        let tensor = Tensor { name: "w".into(), shape: vec![2], dtype: Dtype::F32, content };
        let record = Record::read(&Record::new(1, [&tensor]).metadata()).unwrap().unwrap();
        let parameter = Parameter { name: "w".into(), shape: vec![2], dtype: Dtype::F32 };
        assert!(record.tensor(&parameter).unwrap().unwrap() == tensor);
    }
}
