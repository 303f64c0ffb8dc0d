//! The golden lists and the golden programs of `tests/programs`, planned for any device.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use seedbed::CONTRACT_VERSION;
use seedbed::program::{Content, Destination, Device, FillSpec, Placement, Planner, Program};
use seedbed::{Key, Math};
use serde::de::DeserializeOwned;

// The tests use what this crate does not.
#[allow(dead_code)]
#[path = "../../tests/programs/format.rs"]
mod format;

pub use format::{Buffer, sha256};

/// Where the golden files are.
#[derive(clap::Args)]
pub struct Folder {
    /// The folder of the golden files
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/programs"))]
    golden: PathBuf,
}

/// A list of fills, and what the buffers hold after them.
pub struct List {
    pub name: String,
    /// Whether a buffer is larger than WebGPU's default limit.
    pub large: bool,
    pub buffers: Vec<Buffer>,
    fills: Vec<Fill>,
}

struct Fill {
    buffer: u32,
    placement: Placement<'static>,
    /// `None` stands for raw words.
    init: Option<seedbed::Init>,
    key: Key,
}

impl Folder {
    /// All lists: those of `fills.json`, and the fills of each golden program.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn lists(&self) -> Result<Vec<List>> {
        let format::GoldenLists { contract, lists, .. } = read(&self.golden.join("fills.json"))?;
        ensure!(contract == CONTRACT_VERSION, "fills.json is of contract {contract}");
        let mut all: Vec<_> = lists
            .into_iter()
            .map(|list| List::new(list.name, list.large, list.buffers, &list.fills, &list.seed))
            .collect();
        let mut files: Vec<_> = std::fs::read_dir(&self.golden)
            .with_context(|| self.golden.display().to_string())?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
        files.retain(|file| !file.ends_with("fills.json"));
        files.sort();
        for file in files {
            let program: format::GoldenProgram = read(&file)?;
            let name = format!("program {}", program.name);
            all.push(List::new(name, false, program.destinations, &program.fills, &program.seed));
        }
        Ok(all)
    }
}

impl List {
    fn new(
        name: String,
        large: bool,
        buffers: Vec<Buffer>,
        fills: &[format::Fill],
        seed: &format::Decimal,
    ) -> Self {
        let fill = |fill: &format::Fill| Fill {
            buffer: fill.buffer,
            placement: fill.placement(),
            init: fill.init,
            key: fill.key(seed),
        };
        Self { name, large, buffers, fills: fills.iter().map(fill).collect() }
    }

    /// The number of elements that the fills write.
    pub fn elements(&self) -> u64 {
        self.fills.iter().map(|fill| fill.placement.region.local_shape().iter().product::<u64>()).sum()
    }

    /// The program of the list, for this device.
    ///
    /// # Errors
    /// Those of [`Planner::plan`], with the name of the list.
    pub fn plan<'list>(&'list self, device: Device) -> Result<Program> {
        let spec = |fill: &'list Fill| FillSpec {
            name: None,
            destination: Destination {
                buffer: fill.buffer,
                size: self.buffers[fill.buffer as usize].bytes,
                can_clear: true,
            },
            placement: &fill.placement,
            content: fill.init.as_ref().map_or(Content::Words, Content::Init),
            key: fill.key,
        };
        let specs: Vec<_> = self.fills.iter().map(spec).collect();
        Planner::new(device, Math::Portable).plan(&specs).with_context(|| self.name.clone())
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}
