//! Headers of files: the bytes before the data.

use anyhow::{Context, Result, bail, ensure};
use npyz::WriterBuilder;
use seedbed_model::{Dtype, LENGTH_BYTES, MAX_HEADER, METADATA, Tensor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// The header of a safetensors file whose data are the tensors, in their order.
///
/// The crate's `serialize` does not fit: `serialize` needs all the data at once, and writes the metadata in
/// the order of a hash map, which changes from run to run.
pub fn safetensors(tensors: &[Tensor], metadata: &[(String, String)]) -> Result<Vec<u8>> {
    ensure!(
        tensors.iter().all(|tensor| tensor.name != METADATA),
        "{METADATA:?} can't be the name of a parameter in safetensors"
    );
    let mut header = serde_json::to_vec(&Header { metadata, tensors: infos(tensors)? })?;
    header.resize(header.len().next_multiple_of(LENGTH_BYTES as usize), b' ');
    let len = header.len() as u64;
    ensure!(
        len <= MAX_HEADER,
        "the header of the output would have {len} bytes; the format allows {MAX_HEADER}, which a folder with several \
         files keeps: -o DIR/"
    );
    Ok([&len.to_le_bytes()[..], &header].concat())
}

/// The header of a .npy file with this tensor.
pub fn npy(tensor: &Tensor) -> Result<Vec<u8>> {
    let name = match tensor.dtype {
        Dtype::F32 => "<f4",
        Dtype::F16 => "<f2",
        other => bail!(
            ".npy has no type for {}; write a .safetensors file, or --dtype f32 or f16",
            other.to_string().to_lowercase()
        ),
    };
    let dtype = npyz::DType::Plain(name.parse().context("npy type")?);
    let mut header = Vec::new();
    npyz::WriteOptions::new_header_only()
        .dtype(dtype)
        .shape(&tensor.shape)
        .writer(&mut header)
        .write_header_only()?;
    Ok(header)
}

/// A tensor's entry.
#[derive(serde::Serialize)]
struct Info<'a> {
    dtype: Dtype,
    shape: &'a [u64],
    data_offsets: (u64, u64),
}

fn infos(tensors: &[Tensor]) -> Result<Vec<(&str, Info<'_>)>> {
    let mut start = 0_u64;
    let mut infos = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        // A file has fewer than 2^63 bytes.
        let end = start.checked_add(tensor.bytes()?).filter(|&end| i64::try_from(end).is_ok());
        let end = end.with_context(|| {
            format!("parameter {:?}: with it, the output would have more than 2^63 bytes", tensor.name)
        })?;
        let info = Info { dtype: tensor.dtype, shape: &tensor.shape, data_offsets: (start, end) };
        infos.push((tensor.name.as_str(), info));
        start = end;
    }
    Ok(infos)
}

struct Header<'a> {
    metadata: &'a [(String, String)],
    tensors: Vec<(&'a str, Info<'a>)>,
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Metadata<'a>(&'a [(String, String)]);

        impl Serialize for Metadata<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
            }
        }

        let mut map = serializer.serialize_map(Some(self.tensors.len() + 1))?;
        map.serialize_entry(METADATA, &Metadata(self.metadata))?;
        for (name, info) in &self.tensors {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;
    use seedbed::Init;
    use seedbed_model::{Content, Source};

    use super::*;

    fn tensor(name: &str, shape: &[u64]) -> Tensor {
        let source = Source::Init { init: Init::Ones, shape: shape.into(), stream: name.into() };
        let content = Content::whole(source).unwrap();
        Tensor { name: name.into(), shape: shape.into(), dtype: Dtype::F32, content }
    }

    #[test]
    fn the_crate_reads_the_header() {
        let tensors = [tensor("b", &[2, 3]), tensor("a \"quoted\"\n", &[]), tensor("empty", &[0, 7])];
        let entries = [("format", "pt"), ("z", "1"), ("a", "2")];
        let entries = entries.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut file = safetensors(&tensors, &entries).unwrap();
        assert_eq!(file.len() % 8, 0);
        file.extend([0; 28]);
        let (_, metadata) = SafeTensors::read_metadata(&file).unwrap();
        assert_eq!(metadata.info("b").unwrap().data_offsets, (0, 24));
        assert_eq!(metadata.info("a \"quoted\"\n").unwrap().data_offsets, (24, 28));
        assert_eq!(metadata.info("empty").unwrap().shape, [0, 7]);
        assert_eq!(metadata.metadata().as_ref().unwrap()["a"], "2");
    }

    #[test]
    fn what_a_file_cannot_hold_is_an_error() {
        let half = tensor("half", &[1 << 59]);
        let error = safetensors(&vec![half; 5], &[]).unwrap_err().to_string();
        assert!(error.contains("\"half\": with it, the output would have more than 2^63 bytes"), "{error}");
        let error = safetensors(&[tensor(METADATA, &[1])], &[]).unwrap_err().to_string();
        assert!(error.contains("can't be the name"), "{error}");
    }

    #[test]
    fn npy_headers_end_on_a_boundary() {
        for shape in [&[][..], &[3], &[128, 256], &[0, 4]] {
            let header = npy(&tensor("w", shape)).unwrap();
            assert!(header.starts_with(b"\x93NUMPY") && header.len().is_multiple_of(16), "{shape:?}");
            assert_eq!(npyz::NpyHeader::from_reader(&header[..]).unwrap().shape(), shape);
        }
    }
}
