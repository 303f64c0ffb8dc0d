//! The header of a safetensors file.
//!
//! The crate `safetensors` refuses a file whose data have gaps or go on after the last tensor. Such a header still says
//! what the model is, so it is read here, and the fault is kept for those who need the data.

use std::io::Read;
use std::path::Path;

use safetensors::tensor::Dtype;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{UniqueMap, json_error};
use super::{LENGTH_BYTES, MAX_HEADER, METADATA, open};
use crate::error::{At, Error, Result, ensure};
use crate::parameter::{Parameter, bytes};

/// What a header says.
pub(super) struct Header {
    /// The parameters in the order of their data, each with the first byte of its data in the file.
    pub(super) parameters: Vec<(Parameter, u64)>,
    /// The entries of `__metadata__`, in the order of the text.
    pub(super) metadata: Vec<(String, String)>,
    /// How the file is not what the format prescribes, although the header can be used.
    pub(super) fault: Option<String>,
}

#[derive(Deserialize)]
struct Info {
    dtype: Dtype,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Header {
    pub(super) fn read(path: &Path) -> Result<Self> {
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
        let mut text = vec![0; header_len as usize];
        file.read_exact(&mut text)?;
        Self::parse(&text, len - LENGTH_BYTES - header_len).at(|| "header")
    }

    /// The header of a file with `data` bytes of data.
    pub(super) fn parse(text: &[u8], data: u64) -> Result<Self> {
        let entries: UniqueMap<&RawValue> = serde_json::from_slice(text).map_err(json_error)?;
        let (mut tensors, mut metadata) = (Vec::with_capacity(entries.0.len()), Vec::new());
        for (name, value) in entries.0 {
            if name == METADATA {
                let entries: UniqueMap<String> =
                    serde_json::from_str(value.get()).map_err(json_error).at(|| METADATA)?;
                metadata = entries.0;
                continue;
            }
            let read = || -> Result<(u64, u64, Parameter)> {
                let Info { dtype, shape, data_offsets: (start, end) } = serde_json::from_str(value.get())
                    .map_err(|error| {
                        // Line and column would be those of the entry alone.
                        Error::new(
                            json_error(error)
                                .message()
                                .split_once(": ")
                                .map_or_else(String::new, |(_, what)| what.to_owned()),
                        )
                    })?;
                let needed = bytes(dtype, &shape)?;
                ensure!(
                    start.checked_add(needed) == Some(end),
                    "the shape {shape:?} of {dtype} needs {needed} bytes, but the data are said to be the bytes \
                     {start} to {end}"
                );
                Ok((start, end, Parameter { name: name.clone(), shape, dtype }))
            };
            tensors.push(read().at(|| format!("{name:?}"))?);
        }
        // The order of the data, and that of the text for tensors without elements.
        tensors.sort_by_key(|(start, end, _)| (*start, *end));
        let described = tensors.iter().map(|(_, end, _)| *end).max().unwrap_or(0);
        ensure!(
            described <= data,
            "the header describes {described} bytes of data, but {data} follow it; the file is truncated or damaged",
        );
        let mut fault = None;
        let mut at = 0;
        for (start, end, parameter) in &tensors {
            ensure!(
                *start >= at || start == end,
                "the data of {:?} begin at byte {start}, within those of another tensor",
                parameter.name
            );
            if *start > at {
                fault.get_or_insert(format!("bytes {at} to {start} of the data belong to no tensor"));
            }
            at = at.max(*end);
        }
        if described < data {
            let what = format!("{} bytes follow the data that the header describes", data - described);
            fault.get_or_insert(what);
        }
        let data_start = LENGTH_BYTES + text.len() as u64;
        let parameters =
            tensors.into_iter().map(|(start, _, parameter)| (parameter, data_start.saturating_add(start)));
        Ok(Self { parameters: parameters.collect(), metadata, fault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, data: u64) -> Result<Header> {
        Header::parse(text.as_bytes(), data)
    }

    #[test]
    fn parameters_come_in_the_order_of_their_data() {
        let text = r#"{"__metadata__":{"format":"pt","b":"1"},
            "b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},
            "a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#;
        let header = parse(text, 12).unwrap();
        let names: Vec<_> = header.parameters.iter().map(|(p, start)| (p.name.as_str(), *start)).collect();
        let data = 8 + text.len() as u64;
        assert_eq!(names, [("a", data), ("b", data + 4)]);
        assert_eq!(header.metadata[0], ("format".into(), "pt".into()));
        assert_eq!(header.fault, None);
    }

    #[test]
    fn gaps_and_trailing_bytes_are_faults_and_not_errors() {
        let text = r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#;
        assert_eq!(parse(text, 6).unwrap().fault.unwrap(), "bytes 0 to 2 of the data belong to no tensor");
        let text = r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#;
        let fault = parse(text, 7).unwrap().fault.unwrap();
        assert_eq!(fault, "3 bytes follow the data that the header describes");
    }

    #[test]
    fn what_contradicts_itself_is_an_error() {
        for (text, data, message) in [
            (r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,5]}}"#, 5, "needs 4 bytes"),
            (r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[5,1]}}"#, 5, "needs 4 bytes"),
            (r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, 3, "truncated or damaged"),
            (
                r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#,
                6,
                "within those of another",
            ),
            (r#"{"a":{"dtype":"U9","shape":[4],"data_offsets":[0,4]}}"#, 4, "\"a\": unknown variant `U9`"),
            (r#"{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#, 4, "\"a\": "),
            (r#"{"a":1,"a":2}"#, 0, "the name \"a\" comes twice"),
            (r#"{"__metadata__":{"a":1}}"#, 0, "__metadata__: line 1"),
        ] {
            let error = parse(text, data).err().unwrap().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
