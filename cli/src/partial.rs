//! `seedbed.partial.json`: the file list of a folder, while several ranks write the folder.
//!
//! Each rank puts the same list there before it makes a file, so that ranks with another model or seed are refused.
//! `seedbed index` compares the folder with the list, writes the index and removes the list.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use seedbed_model::Tensor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::layout::{self, Layout};
use crate::output::Output;
use crate::ranks::Part;
use crate::temporary::Temporary;

/// The name of the file list. Loaders look for no such name.
pub const PARTIAL: &str = "seedbed.partial.json";
/// The name of Hugging Face's index.
pub const INDEX: &str = "model.safetensors.index.json";

/// The file list: what a folder will hold.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Partial {
    /// The layout.
    pub layout: Layout,
    /// The number of ranks of the run that wrote the list.
    pub ranks: u64,
    /// The seed.
    pub seed: u64,
    /// The command line of the run that wrote the list, without `--part`.
    pub command: Vec<String>,
    /// The files, in their order.
    pub files: Vec<Promised>,
    /// The index of several files in Hugging Face's layout.
    pub index: Option<Index>,
}

/// A file that a rank will make.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Promised {
    /// The name in the folder.
    pub name: String,
    /// The rank that makes the file.
    pub rank: u64,
    /// The length, in bytes.
    pub bytes: u64,
    /// The digest of the header, which says what the data are.
    pub header_sha256: String,
}

/// Hugging Face's index.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Index {
    metadata: BTreeMap<String, u64>,
    weight_map: BTreeMap<String, String>,
}

impl Index {
    /// The index of the files, if they need one.
    pub fn new(layout: Layout, files: &[layout::File], tensors: &[Tensor]) -> Result<Option<Self>> {
        if layout == Layout::Dcp || files.len() < 2 {
            return Ok(None);
        }
        let (mut total, mut weight_map) = (0_u64, BTreeMap::new());
        for file in files {
            for piece in &file.pieces {
                let tensor = &tensors[piece.tensor];
                total = total.saturating_add(tensor.bytes()?);
                weight_map.insert(tensor.name.clone(), file.name.clone());
            }
        }
        Ok(Some(Self { metadata: BTreeMap::from([("total_size".into(), total)]), weight_map }))
    }

    /// The text of the file.
    fn text(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Writes the index into the folder. The file appears with all its contents.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let mut output = Output::create(&folder.join(INDEX))?;
        output.write(&self.text()?)?;
        output.finish()
    }
}

/// Removes an old index before files change, so that a run that is cut off leaves no index of mixed files.
pub fn remove_index(folder: &Path) -> Result<()> {
    remove(&folder.join(INDEX), "the old index")
}

fn remove(path: &Path, what: &str) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{}: can't remove {what}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The contents of a regular file. A pipe would wait for a writer, and a device may have no end.
fn text_of(path: &Path) -> std::io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("this is no regular file; remove it"));
    }
    fs::read(path)
}

/// The digest of a header.
pub fn digest(header: &[u8]) -> String {
    Sha256::digest(header).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The command line of this process, without `--part`.
pub fn command() -> Vec<String> {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let mut command = Vec::new();
    while let Some(word) = words.next() {
        if word == "--part" {
            words.next();
        } else if !word.starts_with("--part=") {
            command.push(word);
        }
    }
    command
}

impl Partial {
    /// Reads the file list of a folder. `None`: the folder has none.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(PARTIAL);
        let text = match text_of(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| path.display().to_string())?,
        };
        let partial: Self = serde_json::from_slice(&text).with_context(|| {
            format!("{}: this is no file of `seedbed init --part`, or of another version", path.display())
        })?;
        let mut names = HashSet::new();
        for Promised { name, .. } in &partial.files {
            let is_beside = matches!(
                Path::new(name).components().collect::<Vec<_>>()[..],
                [Component::Normal(part)] if part == &**name
            );
            ensure!(is_beside, "{}: {name:?} is no name of a file beside it", path.display());
            ensure!(names.insert(&**name), "{}: {name:?} is there twice", path.display());
        }
        // A loader follows the index.
        for name in partial.index.iter().flat_map(|index| index.weight_map.values()) {
            ensure!(names.contains(&**name), "{}: the index has another file, {name:?}", path.display());
        }
        Ok(Some(partial))
    }

    /// Checks that nobody writes something else into the folder.
    pub fn check(&self, folder: &Path) -> Result<()> {
        match Self::read(folder)? {
            Some(there) => self.check_against(&there, folder),
            None => Ok(()),
        }
    }

    /// Puts the file list into the folder, unless it is there. The file appears with all its contents.
    pub fn put(&self, folder: &Path) -> Result<()> {
        if let Some(there) = Self::read(folder)? {
            return self.check_against(&there, folder);
        }
        let path = folder.join(PARTIAL);
        let write = || -> std::io::Result<bool> {
            let mut file = Temporary::create(folder)?;
            file.write_all(&serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?)?;
            file.file().sync_all()?;
            // Another rank may have been first, and may be of another model. Where a file system can't refuse to replace
            // a file, two runs at the same moment could both go on, and `seedbed index` finds the mixture.
            file.persist_new(&path)
        };
        write().with_context(|| format!("{}: can't write", path.display()))?;
        match Self::read(folder)? {
            Some(there) => self.check_against(&there, folder),
            None => bail!(
                "{}: another process removed it; run `seedbed index` when all ranks are done",
                path.display()
            ),
        }
    }

    /// Removes the file list.
    pub fn remove(folder: &Path) -> Result<()> {
        remove(&folder.join(PARTIAL), "the list of the ranks' files")
    }

    fn check_against(&self, there: &Self, folder: &Path) -> Result<()> {
        let ranks = |partial: &Self| (partial.layout == Layout::Dcp).then_some(partial.ranks);
        let what = if there.seed != self.seed {
            format!("a run with the seed {} writes here, and this run has the seed {}", there.seed, self.seed)
        } else if there.layout != self.layout {
            "a run with the other layout writes here".to_owned()
        } else if ranks(there) != ranks(self) {
            format!(
                "a run of {} ranks cuts this checkpoint, and this run has {}; --layout dcp needs the same number again",
                there.ranks, self.ranks
            )
        } else if there.index != self.index
            || !there.files.iter().map(Promised::key).eq(self.files.iter().map(Promised::key))
        {
            "a run with another model writes here, or with other rules, options or another version".to_owned()
        } else {
            return Ok(());
        };
        bail!(
            "{}: {what}; finish that run, remove the file to give it up, or write to another folder. That run is: {}",
            folder.join(PARTIAL).display(),
            there.rerun(None)
        )
    }

    /// The command that makes the files of a rank, for a shell.
    pub fn rerun(&self, rank: Option<u64>) -> String {
        let mut words: Vec<_> = self.command.iter().map(|word| quoted(word)).collect();
        if let Some(rank) = rank {
            words.push(format!("--part {rank}/{}", self.ranks));
        }
        words.join(" ")
    }
}

impl Promised {
    /// What does not depend on the number of ranks.
    fn key(&self) -> (&str, u64, &str) {
        (&self.name, self.bytes, &self.header_sha256)
    }
}

/// A word as a shell reads it. A file of the folder must not send control characters to the terminal.
fn quoted(word: &str) -> String {
    let word = word.replace(char::is_control, "?");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+:,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word;
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The names of what is in a folder; none if the folder can't be read.
pub fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// The folder of a run, with the files that all ranks make.
#[derive(Debug)]
pub struct Folder {
    /// The path.
    pub path: PathBuf,
    /// The file list.
    pub partial: Partial,
    /// The part of this process, where the user asked for one.
    pub part: Option<Part>,
}

impl Folder {
    /// The names of files that look like files of a model and are not in the file list.
    pub fn strangers(&self) -> Vec<String> {
        let own: HashSet<_> = self.partial.files.iter().map(|file| &*file.name).collect();
        let is_part = |name: &str| match self.partial.layout {
            Layout::Hf => (name.starts_with("model-") || name.starts_with("shard-")) && name.contains("-of-"),
            // PyTorch's reader reads every .safetensors file of a folder.
            Layout::Dcp => true,
        };
        let mut strangers: Vec<_> = names(&self.path)
            .filter(|name| name.ends_with(".safetensors") && is_part(name) && !own.contains(&**name))
            .collect();
        strangers.sort();
        strangers
    }

    /// Checks, before anything is made, that loaders would find nothing beside the new files.
    pub fn check(&self) -> Result<()> {
        self.partial.check(&self.path)?;
        let refuse = |name: &str, why: &str| {
            let path = self.path.join(name);
            bail!(
                "{}: the folder holds a model already, and {why}; remove it, or give another folder",
                path.display()
            )
        };
        if self.partial.layout == Layout::Dcp {
            if let Some(first) = self.strangers().first() {
                return refuse(
                    first,
                    "torch.distributed.checkpoint reads every .safetensors file of a folder",
                );
            }
            // Loaders of Hugging Face's layout follow an index.
            return match self.path.join(INDEX).exists() {
                true => refuse(INDEX, "loaders would find both that and the new files"),
                false => Ok(()),
            };
        }
        let (other, reason) = match self.partial.index {
            None => (INDEX, "loaders would find both that and the new file"),
            Some(_) => (layout::SINGLE, "loaders would find both that and the new index"),
        };
        if self.path.join(other).exists() { refuse(other, reason) } else { Ok(()) }
    }

    /// Puts the file list into the folder before this rank writes. `has_work`: whether this rank has a file to make.
    pub fn begin(&self, has_work: bool) -> Result<()> {
        if self.part.is_none() || (!has_work && self.is_complete()) {
            return Ok(());
        }
        self.partial.put(&self.path)
    }

    /// Whether `seedbed index` has completed the folder, as far as names and lengths say.
    fn is_complete(&self) -> bool {
        let length = |name: &str| fs::metadata(self.path.join(name)).map(|metadata| metadata.len()).ok();
        let is_there = |file: &Promised| length(&file.name) == Some(file.bytes);
        let is_indexed = self.partial.index.as_ref().is_none_or(|index| {
            fs::read(self.path.join(INDEX)).is_ok_and(|text| index.text().is_ok_and(|own| own == text))
        });
        is_indexed && self.partial.files.iter().all(is_there)
    }

    /// Writes the index and removes the file list, unless this process is one of several ranks.
    pub fn finish(&self) -> Result<()> {
        if self.part.is_some() {
            return Ok(());
        }
        if let Some(index) = &self.partial.index {
            index.write(&self.path)?;
        }
        // Every file is complete, so nobody needs a file list that ranks have left.
        Partial::remove(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, right) in [
            ("--seed=0x2a", "--seed=0x2a"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
            ("a\x1b[2J", "'a?[2J'"),
        ] {
            assert_eq!(quoted(word), right);
        }
    }
}
