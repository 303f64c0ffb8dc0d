//! Models: names, shapes and types of their parameters, in the order of the file.
//!
//! A model comes from a JSON manifest or from the header of a safetensors file. The data of that file, which
//! may be many gigabytes, are never read.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::marker::PhantomData;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use safetensors::tensor::{Dtype, Metadata};
use seedbed::DType;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// The largest header of the safetensors format, in bytes. A manifest needs far less.
pub const MAX_HEADER: u64 = 100_000_000;
/// The bytes of the header's length, which begins the file.
pub const LENGTH_BYTES: u64 = 8;

/// A parameter of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub shape: Vec<u64>,
    pub dtype: Dtype,
}

impl Parameter {
    /// The element type to make, or `None` if the parameter can't be made.
    pub fn element_type(&self, chosen: Option<DType>) -> Option<DType> {
        match (chosen, self.dtype) {
            (None, Dtype::F32) => Some(DType::F32),
            (None, Dtype::F16) => Some(DType::F16),
            (None, Dtype::BF16) => Some(DType::BF16),
            (None, _) => None,
            (Some(dtype), _) => is_floating(self.dtype).then_some(dtype),
        }
    }
}

fn is_floating(dtype: Dtype) -> bool {
    let text = dtype.to_string();
    text.starts_with('F') || text.starts_with("BF")
}

/// Reads a model; the extension decides the format. Errors name the file and the line. A parameter that can't
/// be made with the `chosen` element type, or with its own, is an error too.
pub fn read(path: &Path, chosen: Option<DType>) -> Result<Vec<Parameter>> {
    let parameters = match extension(path).as_deref() {
        Some("json") => read_manifest(path),
        Some("safetensors") => read_safetensors(path),
        _ => bail!(
            "{}: the extension does not say what this is; a model is a .json manifest or a .safetensors file",
            path.display()
        ),
    };
    let parameters = parameters.with_context(|| path.display().to_string())?;
    supported(&parameters, chosen).with_context(|| path.display().to_string())?;
    Ok(parameters)
}

/// The extension of a path, in lower case.
pub fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

fn supported(parameters: &[Parameter], chosen: Option<DType>) -> Result<()> {
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
        "it is no type of weights: leave the parameter out of the model"
    };
    bail!("parameter {:?}: the type {} is not supported{more}; {remedy}", first.name, first.dtype);
}

#[derive(Deserialize)]
struct Manifest {
    parameters: UniqueMap<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    shape: Vec<u64>,
    dtype: Dtype,
}

fn read_manifest(path: &Path) -> Result<Vec<Parameter>> {
    let (mut file, len) = open(path)?;
    ensure!(len <= MAX_HEADER, "{len} bytes are too many for a manifest; the limit is {MAX_HEADER}");
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    parse_manifest(&text)
}

fn parse_manifest(text: &[u8]) -> Result<Vec<Parameter>> {
    let manifest: Manifest = serde_json::from_slice(text).map_err(json_error)?;
    let parameter = |(name, Entry { shape, dtype })| Parameter { name, shape, dtype };
    Ok(manifest.parameters.0.into_iter().map(parameter).collect())
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

/// The error with line and column first; serde_json puts them last.
fn json_error(error: serde_json::Error) -> anyhow::Error {
    let (line, column, text) = (error.line(), error.column(), error.to_string());
    match text.strip_suffix(&format!(" at line {line} column {column}")) {
        Some(what) => anyhow::anyhow!("line {line} column {column}: {what}"),
        None => anyhow::anyhow!(text),
    }
}

/// A JSON object in the order of its text, without duplicate names.
struct UniqueMap<V>(Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = UniqueMap<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one entry per parameter")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut entries, mut seen) = (Vec::new(), HashSet::new());
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(serde::de::Error::custom(format_args!("the name {name:?} comes twice")));
                    }
                    entries.push((name, map.next_value()?));
                }
                Ok(UniqueMap(entries))
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn mistakes_in_a_manifest_have_a_place() {
        for (text, message) in [
            ("", "line 1 column 0: EOF while parsing a value"),
            ("{\"parameters\":\n {\"a\": 1}}", "line 2 column 8: invalid type: integer `1`"),
            ("{\"name\": \"x\"}", "missing field `parameters`"),
            ("{\"parameters\":{\"a\":{\"shape\":[-1],\"dtype\":\"F32\"}}}", "invalid value: integer `-1`"),
            ("{\"parameters\":{\"a\":{\"shape\":[1],\"dtype\":\"F33\"}}}", "unknown variant `F33`"),
            ("{\"parameters\":{\"a\":{\"shape\":[1],\"dtyp\":\"F32\"}}}", "unknown field `dtyp`"),
            (
                "{\"parameters\":{\"a\":{\"shape\":[1],\"dtype\":\"F32\"},\n\"a\":{\"shape\":[1],\"dtype\":\"F32\"}}}",
                "line 2 column 3: the name \"a\" comes twice",
            ),
        ] {
            let error = format!("{:#}", parse_manifest(text.as_bytes()).unwrap_err());
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
