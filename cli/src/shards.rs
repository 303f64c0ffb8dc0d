//! The files of an output: one file, or a folder in one of the layouts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use seedbed_model::{Model, Record, Source, Tensor};

use crate::layout;
use crate::output::{Format, with_remedy};

/// Where a model goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One file.
    File(PathBuf),
    /// A folder of files.
    Folder(PathBuf),
}

impl Target {
    /// The target that a path means: a folder if it ends with a slash or is one.
    pub fn of(path: &Path) -> Result<Self> {
        let text = path.as_os_str().to_string_lossy();
        let has_slash = text.ends_with(['/', std::path::MAIN_SEPARATOR]);
        if has_slash || path.is_dir() && path.extension().is_none() {
            return Ok(Self::Folder(path.to_owned()));
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
            Self::File(path) | Self::Folder(path) => path,
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
                Self::Folder(_) if found.parent() == Some(&target) => {
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
}

/// A file of an output.
#[derive(Clone, Debug)]
pub struct Shard {
    pub path: PathBuf,
    pub tensors: Vec<Tensor>,
    /// The rows of each tensor that the file has, and the number of all rows; `None` for a whole tensor.
    pub rows: Vec<Option<(std::ops::Range<u64>, u64)>>,
}

impl Shard {
    /// A file of whole tensors.
    pub fn whole(path: PathBuf, tensors: Vec<Tensor>) -> Self {
        Self { path, rows: vec![None; tensors.len()], tensors }
    }

    /// The tensors. A tensor of which the file has some rows comes with the first row and the number of all rows.
    pub fn parts(&self) -> impl Iterator<Item = (&Tensor, Option<(u64, u64)>)> {
        let rows = self.rows.iter().map(|rows| rows.as_ref().map(|(rows, all)| (rows.start, *all)));
        self.tensors.iter().zip(rows)
    }

    /// A file of a folder.
    pub fn of(folder: &Path, file: &layout::File, tensors: &[Tensor]) -> Self {
        let rows = |piece: &layout::Piece| {
            let all = tensors[piece.tensor].shape.first().copied().unwrap_or(0);
            piece.rows.clone().map(|rows| (rows, all))
        };
        Self {
            path: folder.join(&file.name),
            tensors: file.pieces.iter().map(|piece| piece.of(tensors)).collect(),
            rows: file.pieces.iter().map(rows).collect(),
        }
    }

    /// Checks that this file replaces none but one of `seedbed init`. Its name follows from the folder, so nobody has asked
    /// for another file to be replaced.
    pub fn check(&self) -> Result<()> {
        let record = || Model::read(&self.path).and_then(|model| Record::read(&model.metadata));
        ensure!(
            !self.path.exists() || record().is_ok_and(|record| record.is_some()),
            "{}: exists, and `seedbed init` did not make it; remove it, or give another folder",
            self.path.display()
        );
        Ok(())
    }

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

/// Creates a folder and those above it. Several processes may do so at the same time.
pub fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .map_err(with_remedy)
        .with_context(|| format!("{}: can't create the folder", folder.display()))
}
