//! Checkpoints of torch.distributed.checkpoint's layout: a folder whose files have parts of tensors, without an index.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use seedbed_model::{Model, Parts};

use crate::layout::SINGLE;
use crate::partial::INDEX;

/// Reads a model: one `Model`, or one for each file of a checkpoint that is cut.
pub fn read(path: &Path) -> Result<Vec<Model>> {
    match in_folder(path)? {
        Some(models) => Ok(models),
        None => Ok(vec![Model::read(path)?]),
    }
}

/// The files of a folder that have parts of tensors. `None`: the folder is of another layout.
pub fn in_folder(folder: &Path) -> Result<Option<Vec<Model>>> {
    if !folder.is_dir() || [SINGLE, INDEX].iter().any(|name| folder.join(name).exists()) {
        return Ok(None);
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        if seedbed_model::extension(&path).as_deref() == Some("safetensors") && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let mut models = Vec::new();
    for path in &paths {
        let model = Model::read(path)?;
        if !Parts::is_part(&model) {
            return Ok(None);
        }
        models.push(model);
    }
    Ok(Some(models).filter(|models| !models.is_empty()))
}
