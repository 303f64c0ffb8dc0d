//! The format of the files in this folder, which README.md describes. The generator in this folder writes the
//! files; the conformance tests read them.

use std::path::PathBuf;

use seedbed::program::{Placement, Program};
use seedbed::{DType, Init, Key, Region};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A golden program.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenProgram {
    pub name: String,
    pub what: String,
    pub seed: Decimal,
    pub fills: Vec<Fill>,
    pub program: Program,
    pub destinations: Vec<Buffer>,
}

/// The file `fills.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenLists {
    pub contract: u32,
    /// The seed of each list that gives no seed of its own.
    pub seed: Decimal,
    pub lists: Vec<GoldenList>,
}

/// A golden list of fills.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenList {
    pub name: String,
    pub what: String,
    pub seed: Decimal,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub large: bool,
    pub buffers: Vec<Buffer>,
    pub fills: Vec<Fill>,
}

/// A buffer, and what it must hold after the fills.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buffer {
    pub bytes: u64,
    pub prefill: u8,
    pub sha256: String,
}

/// A fill of a region of a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fill {
    pub buffer: u32,
    pub offset: u64,
    pub shape: Vec<u64>,
    pub dtype: DType,
    /// `None` stands for raw words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    /// The name that gives the key. A fill without a name has a key of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_pitch: Option<u64>,
}

/// A key, both halves in decimal strings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyText {
    pub seed: Decimal,
    pub offset: Decimal,
}

/// A part of a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Part {
    Shard { start: Vec<u64>, shape: Vec<u64> },
    Elements { elements: [Index; 2] },
}

/// A number of 64 bits as a decimal string: JavaScript's numbers hold 53 bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(pub u64);

impl TryFrom<String> for Decimal {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Decimal> for String {
    fn from(Decimal(number): Decimal) -> Self {
        number.to_string()
    }
}

/// An index of an element: a number below 2^53, and a decimal string from there on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Index {
    Number(u64),
    Text(Decimal),
}

impl Index {
    fn value(&self) -> u64 {
        match self {
            Self::Number(index) | Self::Text(Decimal(index)) => *index,
        }
    }
}

impl Fill {
    /// The placement of the fill in its buffer.
    pub fn placement(&self) -> Placement<'static> {
        let whole = Region::from(&self.shape).into_owned();
        let region = match &self.region {
            None => whole,
            Some(Part::Shard { start, shape }) => whole.shard(start, shape),
            Some(Part::Elements { elements: [start, end] }) => whole.elements(start.value()..end.value()),
        };
        Placement { offset: self.offset, row_pitch: self.row_pitch, region, dtype: self.dtype }
    }

    /// The key of the fill in a model of this seed.
    pub fn key(&self, seed: &Decimal) -> Key {
        match (&self.key, &self.name) {
            (Some(key), _) => Key { seed: key.seed.0, offset: key.offset.0 },
            (None, Some(name)) => Key::new(seed.0).named(name),
            (None, None) => panic!("a fill has neither a name nor a key"),
        }
    }
}

/// The folder of the files.
pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs"))
}

/// The path of the golden lists.
pub fn lists_path() -> PathBuf {
    folder().join("fills.json")
}

/// The paths of all golden programs, in the order of their names.
pub fn program_paths() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the folder");
    let paths = entries.map(|entry| entry.expect("a file").path());
    let is_program = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "json") && *path != lists_path()
    };
    let mut paths: Vec<_> = paths.filter(is_program).collect();
    paths.sort();
    paths
}

/// The SHA-256 of these bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
