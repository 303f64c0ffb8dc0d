//! The files of an output: one file, or a folder in Hugging Face's layout.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use seedbed_model::{Model, Record, Source, Tensor};

use crate::output::{Format, Output};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Where a model goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One file.
    File(PathBuf),
    /// A folder of files with at most this number of bytes of data each.
    Folder(PathBuf, u64),
}

impl Target {
    /// The target that a path means: a folder if it ends with a slash or is one.
    pub fn of(path: &Path, max_shard_size: u64) -> Result<Self> {
        let text = path.as_os_str().to_string_lossy();
        let has_slash = text.ends_with(['/', std::path::MAIN_SEPARATOR]);
        if has_slash || path.is_dir() && path.extension().is_none() {
            return Ok(Self::Folder(path.to_owned(), max_shard_size));
        }
        ensure!(
            !path.is_dir(),
            "{}: exists and is not a regular file; a slash at its end writes into the folder",
            path.display()
        );
        ensure!(
            Format::of(path).is_ok_and(|format| format == Format::Safetensors),
            "{}: a model goes into a .safetensors file, or into a folder, whose name ends with a slash",
            path.display()
        );
        Ok(Self::File(path.to_owned()))
    }

    /// Checks that no input would be overwritten.
    pub fn check(&self, inputs: &mut dyn Iterator<Item = &Path>, in_place: bool) -> Result<()> {
        let target = match self {
            Self::File(path) | Self::Folder(path, _) => path,
        };
        // A target that does not exist is no input.
        let Ok(target) = fs::canonicalize(target) else { return Ok(()) };
        for input in inputs {
            let Ok(found) = fs::canonicalize(input) else { continue };
            match self {
                Self::File(_) if found == target => {
                    let input = input.display();
                    ensure!(
                        in_place,
                        "{input} is read and would be replaced; give another output, or --in-place"
                    );
                }
                Self::Folder(..) if found.parent() == Some(&target) => {
                    bail!(
                        "{} is read and lies in the output's folder; give another folder{}",
                        input.display(),
                        if in_place { "; --in-place replaces single files" } else { "" }
                    );
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The files, each with its tensors in their order.
    pub fn shards(&self, tensors: Vec<Tensor>) -> Result<Vec<Shard>> {
        let (folder, max) = match self {
            Self::File(path) => return Ok(vec![Shard { path: path.clone(), tensors }]),
            Self::Folder(folder, max) => (folder, *max),
        };
        let mut groups: Vec<Vec<Tensor>> = vec![Vec::new()];
        let mut size = 0_u64;
        for tensor in tensors {
            let bytes = tensor.bytes()?;
            if size.saturating_add(bytes) > max && groups.last().is_some_and(|group| !group.is_empty()) {
                groups.push(Vec::new());
                size = 0;
            }
            size = size.saturating_add(bytes);
            if let Some(group) = groups.last_mut() {
                group.push(tensor);
            }
        }
        let count = groups.len();
        let (other, reason) = if count == 1 { (INDEX, "the new file") } else { (SINGLE, "the new index") };
        let other = folder.join(other);
        ensure!(
            !other.exists(),
            "{}: the folder holds a model already, and loaders would find both that and {reason}; remove it, or give another \
             folder",
            other.display()
        );
        let name = |number: usize| match count {
            1 => SINGLE.to_owned(),
            _ => format!("model-{number:05}-of-{count:05}.safetensors"),
        };
        let shards =
            (1..).zip(groups).map(|(number, tensors)| Shard { path: folder.join(name(number)), tensors });
        let shards: Vec<Shard> = shards.collect();
        for Shard { path, .. } in &shards {
            // The names follow from the folder, so nobody has asked for this file to be replaced.
            let record = || Model::read(path).and_then(|model| Record::read(&model.metadata));
            ensure!(
                !path.exists() || record().is_ok_and(|record| record.is_some()),
                "{}: exists, and `seedbed init` did not make it; remove it, or give another folder",
                path.display()
            );
        }
        Ok(shards)
    }

    /// The files of the folder that look like parts of a model and are none of these.
    pub fn strangers(&self, shards: &[Shard]) -> Vec<String> {
        let Self::Folder(folder, _) = self else { return Vec::new() };
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let is_own =
            |name: &str| shards.iter().any(|shard| shard.path.file_name().is_some_and(|own| own == name));
        let is_part = |name: &str| {
            name.starts_with("model-")
                && name.contains("-of-")
                && name.ends_with(".safetensors")
                && !is_own(name)
        };
        let mut strangers: Vec<_> = names.filter(|name| is_part(name)).collect();
        strangers.sort();
        strangers
    }

    /// Creates the folder, if the target is one.
    pub fn create(&self) -> Result<()> {
        if let Self::Folder(folder, _) = self {
            fs::create_dir_all(folder)
                .with_context(|| format!("{}: can't create the folder", folder.display()))?;
        }
        Ok(())
    }

    /// Removes an old index before its files change, so that a run that is cut off leaves no index of mixed files.
    pub fn remove_index(&self) -> Result<()> {
        let Self::Folder(folder, _) = self else { return Ok(()) };
        let path = folder.join(INDEX);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{}: can't remove the old index", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Writes the index of several files.
    pub fn write_index(&self, shards: &[Shard]) -> Result<()> {
        let Self::Folder(folder, _) = self else { return Ok(()) };
        if shards.len() < 2 {
            return Ok(());
        }
        #[derive(serde::Serialize)]
        struct Index<'a> {
            metadata: BTreeMap<&'a str, u64>,
            weight_map: BTreeMap<&'a str, String>,
        }
        let (mut total, mut weight_map) = (0_u64, BTreeMap::new());
        for shard in shards {
            let file = shard.path.file_name().unwrap_or_default().to_string_lossy();
            for tensor in &shard.tensors {
                total = total.saturating_add(tensor.bytes()?);
                weight_map.insert(tensor.name.as_str(), file.clone().into_owned());
            }
        }
        let index = Index { metadata: BTreeMap::from([("total_size", total)]), weight_map };
        let mut output = Output::create(&folder.join(INDEX))?;
        output.write(&serde_json::to_vec_pretty(&index)?)?;
        output.write(b"\n")?;
        output.finish()
    }
}

/// A file of an output.
#[derive(Clone, Debug)]
pub struct Shard {
    pub path: PathBuf,
    pub tensors: Vec<Tensor>,
}

impl Shard {
    /// The number of bytes of data.
    pub fn bytes(&self) -> Result<u64> {
        let mut sum = 0_u64;
        for tensor in &self.tensors {
            sum = sum.saturating_add(tensor.bytes()?);
        }
        Ok(sum)
    }

    /// Whether the file is there already: with this header, all of its data, and newer than what is copied into it. A file
    /// appears only when it is complete, so its header says what its data are.
    pub fn is_finished(&self, header: &[u8], source: Option<&Model>) -> Result<bool> {
        let Ok(metadata) = fs::metadata(&self.path) else { return Ok(false) };
        if metadata.len() != header.len() as u64 + self.bytes()? {
            return Ok(false);
        }
        let mut start = vec![0; header.len()];
        let read =
            fs::File::open(&self.path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start));
        if read.is_err() || start != header {
            return Ok(false);
        }
        let copies = self.tensors.iter().any(|tensor| tensor.content.sources.iter().any(Source::is_copied));
        let Ok(written) = metadata.modified() else { return Ok(false) };
        let is_newer = |path: &Path| {
            fs::metadata(path).and_then(|metadata| metadata.modified()).is_ok_and(|read| read < written)
        };
        Ok(!copies || source.is_some_and(|source| source.paths().all(is_newer)))
    }
}
