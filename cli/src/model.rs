//! Models: names, shapes and types of their parameters, in the order of the file.
//!
//! A model comes from a JSON manifest, from the header of a safetensors file, from the headers of the files that an
//! index names, or from a folder with one of these. The data of the files, which may be many gigabytes, are never
//! read.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use safetensors::tensor::Metadata;
use seedbed::DType;
use serde::de::IgnoredAny;

use crate::manifest::{Manifest, UniqueMap, json_error};
use crate::parameter::{Parameter, is_floating};

/// The largest header of the safetensors format, in bytes. A manifest needs far less.
pub const MAX_HEADER: u64 = 100_000_000;
/// The bytes of the header's length, which begins the file.
pub const LENGTH_BYTES: u64 = 8;

/// Reads a model: a file, whose extension decides the format, or a folder. Errors name the file and the line.
pub fn read(path: &Path) -> Result<Vec<Parameter>> {
    let path = match path.is_dir() {
        true => in_folder(path).with_context(|| path.display().to_string())?,
        false => path.to_owned(),
    };
    let parameters = match extension(&path).as_deref() {
        Some("json") => read_json(&path),
        Some("safetensors") => read_safetensors(&path),
        _ => bail!(
            "{}: the extension does not say what this is; a model is a .json manifest or index, a .safetensors \
             file, or a folder with one",
            path.display()
        ),
    };
    parameters.with_context(|| path.display().to_string())
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

/// Checks that each parameter can be made with the `chosen` element type, or with its own.
pub fn supported(parameters: &[Parameter], chosen: Option<DType>) -> Result<()> {
    let mut others = parameters.iter().filter(|p| p.element_type(chosen).is_none());
    let Some(first) = others.next() else { return Ok(()) };
    let more = match others.count() {
        0 => String::new(),
        1 => " (nor is the type of 1 other parameter)".into(),
        n => format!(" (nor are the types of {n} other parameters)"),
    };
    let remedy = if is_floating(first.dtype) {
        "F32, F16 and BF16 are: --dtype f32, f16 or bf16 writes all parameters as one of them"
    } else {
        "it is no type of weights: a rule with `skip = true` leaves the parameter out (`seedbed rules`)"
    };
    bail!("parameter {:?}: the type {} is not supported{more}; {remedy}", first.name, first.dtype);
}

fn read_json(path: &Path) -> Result<Vec<Parameter>> {
    let (mut file, len) = open(path)?;
    ensure!(len <= MAX_HEADER, "{len} bytes are too many for a manifest; the limit is {MAX_HEADER}");
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    match Manifest::parse(&text)? {
        Manifest::Parameters(parameters) => Ok(parameters),
        Manifest::Index(files) => read_shards(path.parent().unwrap_or(Path::new("")), &files),
    }
}

/// The parameters of the files of an index, each file once, in the order of the index.
fn read_shards(folder: &Path, weight_map: &[(String, String)]) -> Result<Vec<Parameter>> {
    let mut file_of: HashMap<&str, &str> =
        weight_map.iter().map(|(name, file)| (name.as_str(), file.as_str())).collect();
    let mut seen = HashSet::new();
    let files = weight_map.iter().map(|(_, file)| file.as_str()).filter(|file| seen.insert(*file));
    let mut all = Vec::new();
    for file in files {
        // A file elsewhere would be read by a stranger's wish.
        let is_beside =
            matches!(Path::new(file).components().collect::<Vec<_>>()[..], [Component::Normal(_)]);
        ensure!(is_beside, "the index names the file {file:?}, which is no name of a file beside it");
        let parameters = read_safetensors(&folder.join(file)).with_context(|| file.to_owned())?;
        for parameter in &parameters {
            match file_of.remove(parameter.name.as_str()) {
                Some(named) if named == file => {}
                Some(other) => {
                    bail!("{file}: holds {:?}, which the index says is in {other}", parameter.name)
                }
                None => bail!("{file}: holds {:?}, which the index does not name, or twice", parameter.name),
            }
        }
        all.extend(parameters);
    }
    // In the order of the index, so that the error does not depend on a hash.
    if let Some((name, file)) = weight_map.iter().find(|(name, _)| file_of.contains_key(name.as_str())) {
        bail!("the index says that {name:?} is in {file}, which does not hold it");
    }
    Ok(all)
}

fn read_safetensors(path: &Path) -> Result<Vec<Parameter>> {
    let (mut file, len) = open(path)?;
    let not_safetensors = "it is truncated, or no safetensors file";
    ensure!(len >= LENGTH_BYTES, "byte 0: the file ends within the header's length; {not_safetensors}");
    let mut length = [0; LENGTH_BYTES as usize];
    file.read_exact(&mut length)?;
    let header_len = u64::from_le_bytes(length);
    ensure!(
        header_len <= len - LENGTH_BYTES,
        "byte 0: the header is said to have {header_len} bytes, but {} follow; {not_safetensors}",
        len - LENGTH_BYTES,
    );
    ensure!(
        header_len <= MAX_HEADER,
        "byte 0: the header is said to have {header_len} bytes, but the format allows {MAX_HEADER}",
    );
    let mut header = vec![0; header_len as usize];
    file.read_exact(&mut header)?;

    // The crate's own reader would keep the last of two parameters of the same name.
    let _: UniqueMap<IgnoredAny> = serde_json::from_slice(&header).map_err(json_error).context("header")?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(json_error).context("header")?;
    let (described, actual) = (metadata.data_len() as u64, len - LENGTH_BYTES - header_len);
    ensure!(
        described == actual,
        "the header describes {described} bytes of data, but {actual} follow it; the file is truncated or damaged",
    );
    let parameter = |name: String| {
        let info = metadata.info(&name).context("the header lost a parameter")?;
        let shape = info.shape.iter().map(|&d| d as u64).collect();
        Ok(Parameter { shape, dtype: info.dtype, name })
    };
    metadata.offset_keys().into_iter().map(parameter).collect()
}

fn open(path: &Path) -> Result<(File, u64)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    ensure!(metadata.is_file(), "not a regular file");
    Ok((file, metadata.len()))
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::Dtype;

    use super::*;

    fn parse_manifest(text: &[u8]) -> Result<Vec<Parameter>> {
        match Manifest::parse(text)? {
            Manifest::Parameters(parameters) => Ok(parameters),
            Manifest::Index(_) => bail!("an index"),
        }
    }

    #[test]
    fn gpt2_has_148_parameters_and_124_million_elements() {
        let parameters = parse_manifest(include_bytes!("../../models/gpt2.json")).unwrap();
        assert_eq!(parameters.len(), 148);
        let elements: u64 = parameters.iter().map(|p| p.shape.iter().product::<u64>()).sum();
        assert_eq!(elements, 124_439_808);
        // The file's order, not the alphabet's.
        assert_eq!(parameters[0].name, "transformer.wte.weight");
        assert_eq!(parameters[0].shape, [50257, 768]);
        supported(&parameters, None).unwrap();
    }

    #[test]
    fn element_types() {
        let parameters = parse_manifest(include_bytes!("../../models/llama-3-8b.json")).unwrap();
        supported(&parameters, None).unwrap();
        assert_eq!(parameters[0].element_type(None), Some(DType::BF16));
        assert_eq!(parameters[0].element_type(Some(DType::F16)), Some(DType::F16));

        let parameter = |name: &str, dtype| Parameter { name: name.into(), shape: vec![2], dtype };
        let parameters = [
            parameter("ok", Dtype::F16),
            parameter("wide", Dtype::F64),
            parameter("ids", Dtype::I64),
            parameter("mask", Dtype::BOOL),
        ];
        let error = |chosen| supported(&parameters, chosen).unwrap_err().to_string();
        assert!(
            error(None).starts_with(
                "parameter \"wide\": the type F64 is not supported (nor are the types of 2 other parameters); F32"
            ),
            "{}",
            error(None)
        );
        assert!(
            error(Some(DType::F32)).starts_with(
                "parameter \"ids\": the type I64 is not supported (nor is the type of 1 other parameter); it is no"
            ),
            "{}",
            error(Some(DType::F32))
        );
    }
}
