//! Models: names, shapes and types of their parameters, and where their data lie.
//!
//! A model comes from a JSON manifest, from the header of a safetensors file, from the headers of the files that an
//! index names, or from a folder with one of these. The data of the files, which may be many gigabytes, are read only
//! where a parameter is copied.

mod config;
mod json;
mod safetensors;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

pub use self::config::Config;
use self::json::Manifest;
pub(crate) use self::json::json_error;
use self::safetensors::Header;
use crate::error::{At, Result, bail, ensure};
use crate::parameter::{Parameter, check_rank};

/// The largest header of the safetensors format, in bytes. A manifest needs far less.
pub const MAX_HEADER: u64 = 100_000_000;
/// The bytes of the header's length, which begins the file.
pub const LENGTH_BYTES: u64 = 8;
/// The name of the only entry of a safetensors header that is not a tensor.
pub const METADATA: &str = "__metadata__";

/// A model: its parameters in the order of the file, and what is known about them.
#[derive(Debug, Default)]
pub struct Model {
    /// The file or the folder that the model was read from.
    pub path: Option<PathBuf>,
    /// The parameters, in the order of the file.
    pub parameters: Vec<Parameter>,
    /// The entries of `__metadata__` of the files, in the order of the first file's text; a later file adds entries.
    pub metadata: Vec<(String, String)>,
    /// Hugging Face's config.json beside the file, if there is one.
    pub config: Option<Config>,
    /// What is odd about the files, although their headers can be used.
    pub warnings: Vec<String>,
    files: Vec<DataFile>,
    /// The file and the first byte of each parameter's data; empty for a manifest.
    places: Vec<(usize, u64)>,
    /// Made when a parameter is first asked for by its name.
    by_name: OnceLock<HashMap<String, usize>>,
}

#[derive(Debug)]
struct DataFile {
    path: PathBuf,
    metadata: Vec<(String, String)>,
    /// Why the data can't be trusted, if they can't.
    fault: Option<String>,
}

impl Model {
    /// Reads a model: a file, whose extension decides the format, or a folder.
    ///
    /// # Errors
    /// What is no model, with the file, the line, and what was expected.
    pub fn read(path: &Path) -> Result<Self> {
        ensure!(path.exists(), "{}: no such file or folder", path.display());
        let file = match path.is_dir() {
            true => in_folder(path).at(|| path.display())?,
            false => path.to_owned(),
        };
        let mut model = match extension(&file).as_deref() {
            Some("json") => Self::read_json(&file),
            Some("safetensors") => Self::of_files(&[(file.clone(), file.display().to_string())], None),
            _ => bail!(
                "{}: the extension does not say what this is; a model is a .json manifest or index, a .safetensors \
                 file, or a folder with one",
                path.display()
            ),
        }
        .at(|| file.display())?;
        model.path = Some(path.to_owned());
        match Config::beside(file.parent().unwrap_or(Path::new(""))) {
            Ok(config) => model.config = config,
            // A file of another program may have that name.
            Err(error) => model.warnings.push(format!("{error}; it is not used")),
        }
        Ok(model)
    }

    /// A model without data.
    ///
    /// # Errors
    /// Two parameters of the same name, a shape of too many dimensions.
    pub fn of_parameters(parameters: Vec<Parameter>) -> Result<Self> {
        let mut names = HashSet::new();
        for parameter in &parameters {
            ensure!(names.insert(&*parameter.name), "the name {:?} comes twice", parameter.name);
            check_rank(&parameter.shape).at(|| format!("{:?}", parameter.name))?;
        }
        Ok(Self { parameters, ..Self::default() })
    }

    /// The model of a manifest in memory, without data.
    ///
    /// # Errors
    /// A text that is no manifest, with line and column; an index, whose parameters are in files.
    pub fn of_manifest(text: &[u8]) -> Result<Self> {
        match Manifest::parse(text)? {
            Manifest::Parameters(parameters) => Ok(Self { parameters, ..Self::default() }),
            Manifest::Index(_) => bail!("this is an index, whose parameters are in files beside it"),
        }
    }

    /// The model of a safetensors header in memory, without data. `header` is the text after the header's length, and
    /// `data` is the number of bytes that follow the header in the file.
    ///
    /// # Errors
    /// A text that is no header of a file with that many bytes.
    pub fn of_header(header: &[u8], data: u64) -> Result<Self> {
        let Header { parameters, metadata, fault } = Header::parse(header, data)?;
        let parameters = parameters.into_iter().map(|(parameter, _)| parameter).collect();
        Ok(Self { parameters, metadata, warnings: fault.into_iter().collect(), ..Self::default() })
    }

    /// The model of an index in memory, without data. `file` gives the header of each file that the index names, and the
    /// number of bytes that follow the header in the file, as for [`of_header`](Self::of_header).
    ///
    /// # Errors
    /// A text that is no index, with line and column; headers that contradict the index; the errors of `file`.
    pub fn of_index(index: &[u8], mut file: impl FnMut(&str) -> Result<(Vec<u8>, u64)>) -> Result<Self> {
        let Manifest::Index(index) = Manifest::parse(index)? else {
            bail!("this is a manifest, which names no files");
        };
        let files = files_of(&index)?.into_iter().map(|file| (PathBuf::from(file), file.to_owned()));
        let read = &mut |_: &Path, name: &str| {
            let (header, data) = file(name)?;
            Header::parse(&header, data).at(|| "header")
        };
        let model = Self::of_headers(&files.collect::<Vec<_>>(), Some(&index), read)?;
        Ok(Self { files: Vec::new(), places: Vec::new(), ..model })
    }

    /// The parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.position(name).map(|index| &self.parameters[index])
    }

    /// The index of the parameter of this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        let by_name = self.by_name.get_or_init(|| {
            let names = self.parameters.iter().enumerate();
            names.map(|(index, parameter)| (parameter.name.clone(), index)).collect()
        });
        by_name.get(name).copied()
    }

    /// Whether the model has data to copy, which a manifest has not.
    pub fn has_data(&self) -> bool {
        !self.files.is_empty()
    }

    /// The files with data.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| &*file.path)
    }

    /// The index of the file that holds each parameter's data; empty for a manifest.
    pub fn files(&self) -> impl Iterator<Item = usize> {
        self.places.iter().map(|(file, _)| *file)
    }

    /// The entries of `__metadata__` of each file.
    pub fn file_metadata(&self) -> impl Iterator<Item = &[(String, String)]> {
        self.files.iter().map(|file| &*file.metadata)
    }

    /// The model as an error names it.
    pub(crate) fn place(&self) -> String {
        self.path.as_ref().map_or_else(|| "the source".to_owned(), |path| path.display().to_string())
    }

    /// Checks that the data of a parameter can be copied.
    ///
    /// # Errors
    /// A model without data, a name that it does not have, a file whose header does not describe all of its bytes.
    pub fn check_data(&self, name: &str) -> Result<()> {
        let Some(index) = self.position(name) else { bail!("the source has no parameter {name:?}") };
        let Some((file, _)) = self.places.get(index) else { bail!("a manifest has no data to copy") };
        let DataFile { path, fault, .. } = &self.files[*file];
        match fault {
            Some(fault) => {
                bail!("{}: {fault}, so its data can't be copied; save the file anew", path.display())
            }
            None => Ok(()),
        }
    }

    /// A reader of the parameters' data.
    pub fn data(&self) -> Data<'_> {
        Data { model: self, open: None }
    }

    fn read_json(path: &Path) -> Result<Self> {
        let (mut file, len) = open(path)?;
        ensure!(len <= MAX_HEADER, "{len} bytes are too many for a manifest; the limit is {MAX_HEADER}");
        let mut text = Vec::with_capacity(len as usize);
        file.read_to_end(&mut text)?;
        match Manifest::parse(&text)? {
            Manifest::Parameters(parameters) => Ok(Self { parameters, ..Self::default() }),
            Manifest::Index(index) => {
                let folder = path.parent().unwrap_or(Path::new(""));
                let files = files_of(&index)?;
                let files: Vec<_> =
                    files.into_iter().map(|file| (folder.join(file), file.to_owned())).collect();
                Self::of_files(&files, Some(&index))
            }
        }
    }

    /// The model of safetensors files, each with its name for errors. `index` says which file holds each parameter.
    fn of_files(files: &[(PathBuf, String)], index: Option<&[(String, String)]>) -> Result<Self> {
        Self::of_headers(files, index, &mut |path, _| Header::read(path))
    }

    /// The same model, whose headers `read` gives.
    fn of_headers(
        files: &[(PathBuf, String)],
        index: Option<&[(String, String)]>,
        read: &mut dyn FnMut(&Path, &str) -> Result<Header>,
    ) -> Result<Self> {
        let mut model = Self::default();
        let mut keys = HashSet::new();
        let mut file_of: HashMap<&str, &str> =
            index.unwrap_or_default().iter().map(|(name, file)| (name.as_str(), file.as_str())).collect();
        for (path, file) in files {
            let header = read(path, file);
            // The name of an only file stands before the error already.
            let header = if index.is_some() { header.at(|| file)? } else { header? };
            for (parameter, start) in header.parameters {
                if index.is_some() {
                    let name = &parameter.name;
                    match file_of.remove(name.as_str()) {
                        Some(named) if named == file => {}
                        Some(other) => bail!("{file}: holds {name:?}, which the index says is in {other}"),
                        None => bail!("{file}: holds {name:?}, which the index does not name, or twice"),
                    }
                }
                model.parameters.push(parameter);
                model.places.push((model.files.len(), start));
            }
            for (key, value) in &header.metadata {
                if keys.insert(key.clone()) {
                    model.metadata.push((key.clone(), value.clone()));
                }
            }
            if let Some(fault) = &header.fault {
                model.warnings.push(format!("{}: {fault}; only its header is used", path.display()));
            }
            model.files.push(DataFile { path: path.clone(), metadata: header.metadata, fault: header.fault });
        }
        // In the order of the index, so that the error does not depend on a hash.
        for (name, file) in index.unwrap_or_default() {
            ensure!(
                !file_of.contains_key(name.as_str()),
                "the index says that {name:?} is in {file}, which does not hold it"
            );
        }
        Ok(model)
    }
}

/// The files that an index names, each once.
fn files_of(index: &[(String, String)]) -> Result<Vec<&str>> {
    let mut seen = HashSet::new();
    let mut files = Vec::new();
    for (_, file) in index {
        if !seen.insert(file) {
            continue;
        }
        // A file elsewhere would be read by a stranger's wish.
        let is_beside =
            matches!(Path::new(file).components().collect::<Vec<_>>()[..], [Component::Normal(_)]);
        ensure!(is_beside, "the index names the file {file:?}, which is no name of a file beside it");
        files.push(&**file);
    }
    Ok(files)
}

/// Reads data of a model's parameters. One file is open at a time.
#[derive(Debug)]
pub struct Data<'a> {
    model: &'a Model,
    open: Option<(usize, File)>,
}

impl Data<'_> {
    /// Reads bytes of the parameter `index` of the model, from the byte `start` of its data on.
    ///
    /// # Errors
    /// A file that can't be read or is shorter than its header says.
    pub fn read(&mut self, index: usize, start: u64, destination: &mut [u8]) -> Result<()> {
        let Some(&(file, first)) = self.model.places.get(index) else {
            bail!("a manifest has no data to copy")
        };
        let path = &self.model.files[file].path;
        let mut read = || -> std::io::Result<()> {
            if self.open.as_ref().is_none_or(|(open, _)| *open != file) {
                self.open = Some((file, File::open(path)?));
            }
            if let Some((_, open)) = &mut self.open {
                open.seek(SeekFrom::Start(first + start))?;
                open.read_exact(destination)?;
            }
            Ok(())
        };
        read().at(|| path.display())
    }
}

/// The file of a model in a folder: the index or the file that Hugging Face's libraries write, or the only
/// .safetensors file.
fn in_folder(folder: &Path) -> Result<PathBuf> {
    let usual = ["model.safetensors.index.json", "model.safetensors"].map(|name| folder.join(name));
    match usual.each_ref().map(|path| path.is_file()) {
        [true, true] => bail!(
            "model.safetensors.index.json and model.safetensors are both in this folder; name one of them"
        ),
        [true, false] => return Ok(usual[0].clone()),
        [false, true] => return Ok(usual[1].clone()),
        [false, false] => {}
    }
    let mut others = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if extension(&path).as_deref() == Some("safetensors") && path.is_file() {
            others.push(path);
        }
    }
    match (others.pop(), others.len()) {
        (Some(path), 0) => Ok(path),
        (None, _) if folder.join("config.json").is_file() => bail!(
            "this folder has a config.json, which has no shapes, and no .safetensors file; a manifest is named by its own path"
        ),
        (None, _) => bail!("no .safetensors file is in this folder; a manifest is named by its own path"),
        (Some(_), more) => bail!(
            "{} .safetensors files are in this folder, and neither model.safetensors nor \
             model.safetensors.index.json; name one of them",
            more + 1
        ),
    }
}

/// The extension of a path, in lower case.
pub fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

fn open(path: &Path) -> Result<(File, u64)> {
    // Opening a pipe would wait for its writer.
    ensure!(std::fs::metadata(path)?.is_file(), "not a regular file");
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    Ok((file, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_many_entries_are_read_in_linear_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let entries: Vec<_> = (0..200_000).map(|i| format!("\"{i}\":\"\"")).collect();
        let header = format!("{{\"__metadata__\":{{{}}}}}", entries.join(","));
        std::fs::write(&path, [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()).unwrap();
        assert_eq!(Model::read(&path).unwrap().metadata.len(), entries.len());
    }

    #[test]
    fn what_is_in_memory_is_a_model_too() {
        let text = br#"{"a": {"shape": [2], "dtype": "F32"}}"#;
        assert_eq!(Model::of_manifest(text).unwrap().parameters[0].shape, [2]);
        assert!(Model::of_manifest(br#"{"weight_map": {"a": "b.safetensors"}}"#).is_err());
        let text =
            br#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[18446744073709551615,18446744073709551615]}}"#;
        assert_eq!(Model::of_header(text, u64::MAX).unwrap().parameters[0].shape, [0]);
    }

    #[test]
    fn gpt2_has_148_parameters_and_124_million_elements() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/gpt2.json");
        let Model { parameters, .. } = Model::read(&path).unwrap();
        assert_eq!(parameters.len(), 148);
        let elements: u64 = parameters.iter().map(|p| p.elements().unwrap()).sum();
        assert_eq!(elements, 124_439_808);
        // The file's order, not the alphabet's.
        assert_eq!(parameters[0].name, "transformer.wte.weight");
        assert_eq!(parameters[0].shape, [50257, 768]);
    }
}
