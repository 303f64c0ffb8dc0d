//! The parts of the tensors of a checkpoint that is cut: the metadata of torch.distributed.checkpoint's Hugging Face files,
//! which say which part of a tensor a file has.
//!
//! In PyTorch, `torch/distributed/checkpoint/filesystem.py` writes these metadata. `hf_storage.py` reads the metadata of
//! every `.safetensors` file of a folder, and needs no index.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::error::{At, Error, Result, ensure};
use crate::input::{Model, json_error};
use crate::tensor::Tensor;

/// The entry of `__metadata__` with the offsets of each tensor of the file.
const SHARDING: &str = "DCP_SHARDING_INFO";
const VERSION: (&str, &str) = ("DCP_VERSION", "1.0");
/// The entry with the whole shapes of the tensors of which the file has some rows.
const SHAPES: &str = "seedbed.shapes";

#[derive(Deserialize, Serialize)]
struct Saved {
    saved_offsets: Vec<u64>,
}

/// A part of a tensor, in a file. PyTorch calls it a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The first index of each dimension.
    pub offsets: Vec<u64>,
    /// The number of indices of each dimension.
    pub shape: Vec<u64>,
}

/// The tensors of a checkpoint that is cut.
#[derive(Debug, Default)]
pub struct Parts {
    /// The parts of each file's tensors, in the order of the file.
    pub files: Vec<Vec<Chunk>>,
    /// The shape of each tensor.
    pub shapes: HashMap<String, Vec<u64>>,
    all: BTreeMap<String, Vec<Chunk>>,
}

impl Parts {
    /// Whether an entry of `__metadata__` says which parts of tensors a file has.
    pub fn is_own(key: &str) -> bool {
        key == SHARDING || key == VERSION.0
    }

    /// Whether a model's file says which parts of tensors it has. The parts may be whole tensors.
    pub fn is_part(model: &Model) -> bool {
        model.metadata.iter().any(|(key, _)| key == SHARDING)
    }

    /// The entries of `__metadata__` for a file with these tensors. A tensor of which the file has some rows comes with the
    /// first row and the number of all rows. The file has the whole shapes of such tensors, so a reader needs no other file.
    pub fn metadata<'a>(
        tensors: impl IntoIterator<Item = (&'a Tensor, Option<(u64, u64)>)>,
    ) -> Vec<(String, String)> {
        let (mut offsets, mut shapes) = (BTreeMap::new(), BTreeMap::new());
        for (tensor, rows) in tensors {
            let mut saved_offsets = vec![0; tensor.shape.len()];
            if let (Some((start, all)), Some(first)) = (rows, saved_offsets.first_mut()) {
                *first = start;
                shapes.insert(&tensor.name, [&[all], &tensor.shape[1..]].concat());
            }
            offsets.insert(&tensor.name, Saved { saved_offsets });
        }
        // Texts, numbers and lists: no value of these can fail.
        let mut entries = vec![
            (SHARDING.to_owned(), serde_json::to_string(&offsets).unwrap_or_default()),
            (VERSION.0.to_owned(), VERSION.1.to_owned()),
        ];
        if !shapes.is_empty() {
            entries.push((SHAPES.to_owned(), serde_json::to_string(&shapes).unwrap_or_default()));
        }
        entries
    }

    /// The parts that the files have, as their metadata say. `None`: they have whole tensors.
    ///
    /// # Errors
    /// Metadata that can't be read, or that do not fit the tensors of their file.
    pub fn read(models: &[Model]) -> Result<Option<Self>> {
        if !models.iter().any(Self::is_part) {
            return Ok(None);
        }
        let mut parts = Self::default();
        for model in models {
            let added = parts.add(model);
            match &model.path {
                Some(path) => added.at(|| path.display())?,
                None => added?,
            }
        }
        Ok(Some(parts))
    }

    fn add(&mut self, model: &Model) -> Result<()> {
        let entry = |key: &str| model.metadata.iter().find(|(other, _)| other == key).map(|(_, value)| value);
        let offsets: HashMap<String, Saved> = match entry(SHARDING) {
            Some(text) => serde_json::from_str(text).map_err(json_error).at(|| SHARDING)?,
            None => HashMap::new(),
        };
        let shapes: HashMap<String, Vec<u64>> = match entry(SHAPES) {
            Some(text) => serde_json::from_str(text).map_err(json_error).at(|| SHAPES)?,
            None => HashMap::new(),
        };
        let mut file = Vec::new();
        for parameter in &model.parameters {
            let name = &parameter.name;
            let shape = parameter.shape.clone();
            let saved =
                offsets.get(name).map_or_else(|| vec![0; shape.len()], |saved| saved.saved_offsets.clone());
            ensure!(saved.len() == shape.len(), "{SHARDING}: {name:?} has {} dimensions", shape.len());
            let ends = saved.iter().zip(&shape).map(|(start, size)| start.checked_add(*size));
            let ends = ends.collect::<Option<Vec<u64>>>();
            let ends = ends.ok_or_else(|| {
                Error::new(format_args!("{SHARDING}: the offsets of {name:?} are no offsets"))
            })?;
            let whole = self.shapes.entry(name.clone()).or_insert_with(|| ends.clone());
            ensure!(whole.len() == ends.len(), "{name:?} has other dimensions in another file");
            let said = shapes.get(name).filter(|said| said.len() == ends.len()).unwrap_or(&ends);
            for ((whole, end), said) in whole.iter_mut().zip(&ends).zip(said) {
                *whole = (*whole).max(*end).max(*said);
            }
            let part = Chunk { offsets: saved, shape };
            self.all.entry(name.clone()).or_default().push(part.clone());
            file.push(part);
        }
        self.files.push(file);
        Ok(())
    }

    /// The shape of a tensor, if the files have all of its elements.
    pub fn shape_of_present(&self, name: &str) -> Option<&Vec<u64>> {
        let whole = self.shapes.get(name)?;
        let product = |shape: &[u64]| shape.iter().fold(1_u64, |product, &size| product.saturating_mul(size));
        let present = self.all.get(name)?.iter().map(|part| product(&part.shape));
        (present.fold(0, u64::saturating_add) >= product(whole)).then_some(whole)
    }

    /// A line for each range of rows that no file has, or that two files have.
    pub fn gaps(&mut self) -> Vec<String> {
        let mut gaps = Vec::new();
        for (name, parts) in &mut self.all {
            let whole = &self.shapes[name];
            // A tensor that another program has cut along other dimensions is compared part by part.
            if parts.iter().any(|part| part.shape.iter().skip(1).ne(whole.iter().skip(1))) {
                continue;
            }
            parts.sort_by_key(|part| part.offsets.first().copied());
            let mut next = 0;
            // A part without rows is no part of a row.
            let rows = parts.iter().filter_map(|part| part.offsets.first().zip(part.shape.first()));
            for (&start, &rows) in rows.filter(|(_, rows)| **rows > 0) {
                if start > next {
                    gaps.push(format!("{name}: no file has the rows {next}..{start}"));
                } else if start < next {
                    gaps.push(format!("{name}: two files have the row {start}"));
                }
                next = next.max(start.saturating_add(rows));
            }
            if let Some(&all) = whole.first().filter(|all| **all > next) {
                gaps.push(format!("{name}: no file has the rows {next}..{all}"));
            }
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gaps of a tensor of 6 rows, of which each part has `rows` from `start` on.
    fn gaps(parts: &[(u64, u64)]) -> Vec<String> {
        let chunks =
            parts.iter().map(|&(start, rows)| Chunk { offsets: vec![start, 0], shape: vec![rows, 3] });
        let mut parts = Parts::default();
        parts.shapes.insert("w".into(), vec![6, 3]);
        parts.all.insert("w".into(), chunks.collect());
        parts.gaps()
    }

    #[test]
    fn every_row_is_in_one_file() {
        for whole in
            [&[(0, 6)][..], &[(4, 2), (0, 4)], &[(0, 0), (0, 6)], &[(0, 6), (3, 0)], &[(6, 0), (0, 6)]]
        {
            assert_eq!(gaps(whole), [""; 0], "{whole:?}");
        }
        assert_eq!(gaps(&[(0, 2), (4, 2)]), ["w: no file has the rows 2..4"]);
        assert_eq!(gaps(&[(0, 4)]), ["w: no file has the rows 4..6"]);
        assert_eq!(gaps(&[(0, 0)]), ["w: no file has the rows 0..6"]);
        assert_eq!(gaps(&[(0, 6), (0, 6)]), ["w: two files have the row 0"]);
        assert_eq!(gaps(&[(0, 4), (3, 3)]), ["w: two files have the row 3"]);
    }
}
