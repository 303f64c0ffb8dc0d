//! What comes before the data in a file.

use anyhow::{Context, Result, bail, ensure};
use npyz::WriterBuilder;
use safetensors::tensor::{Dtype, TensorInfo};
use seedbed::DType;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::fill::Fill;
use crate::model::{LENGTH_BYTES, MAX_HEADER};

/// The name of the one entry of a safetensors header that is no tensor.
const METADATA: &str = "__metadata__";

/// The header of a safetensors file, in whose data the fills follow each other in their order.
///
/// Written here rather than with the crate's `serialize`, which needs all the data at once and puts
/// the metadata into a hash map's order: another one at every run.
pub fn safetensors(fills: &[Fill], metadata: &[(&str, String)]) -> Result<Vec<u8>> {
    ensure!(
        fills.iter().all(|fill| fill.name != METADATA),
        "{METADATA:?} can't be the name of a parameter in safetensors"
    );
    let mut header = serde_json::to_vec(&Header { metadata, tensors: infos(fills)? })?;
    header.resize(header.len().next_multiple_of(LENGTH_BYTES as usize), b' ');
    let len = header.len() as u64;
    ensure!(
        len <= MAX_HEADER,
        "the header of the output would have {len} bytes; the format allows {MAX_HEADER}"
    );
    Ok([&len.to_le_bytes()[..], &header].concat())
}

/// The header of a .npy file of this one tensor.
pub fn npy(fill: &Fill) -> Result<Vec<u8>> {
    let name = match fill.dtype {
        DType::F32 => "<f4",
        DType::F16 => "<f2",
        other => bail!(".npy has no type for {other}; write a .safetensors file, or --dtype f32 or f16"),
    };
    let dtype = npyz::DType::Plain(name.parse().context("npy type")?);
    let mut header = Vec::new();
    npyz::WriteOptions::new_header_only()
        .dtype(dtype)
        .shape(&fill.shape)
        .writer(&mut header)
        .write_header_only()?;
    Ok(header)
}

fn infos(fills: &[Fill]) -> Result<Vec<(&str, TensorInfo)>> {
    let mut start = 0_usize;
    let info = |fill: &'_ Fill| {
        let end = usize::try_from(fill.bytes()).ok().and_then(|bytes| start.checked_add(bytes));
        // Files are at most this long.
        let end = end.filter(|&end| i64::try_from(end).is_ok());
        let end = end.with_context(|| {
            format!("parameter {:?}: with it, the output would have more than 2^63 bytes", fill.name)
        })?;
        let shape = fill.shape.iter().map(|&d| usize::try_from(d)).collect::<Result<_, _>>()?;
        let dtype = match fill.dtype {
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            other => bail!("parameter {:?}: {other} is no type of a model's parameter", fill.name),
        };
        let info = TensorInfo { dtype, shape, data_offsets: (start, end) };
        start = end;
        Ok(info)
    };
    let infos = fills.iter().map(info).collect::<Result<Vec<_>>>()?;
    Ok(fills.iter().map(|fill| fill.name.as_str()).zip(infos).collect())
}

struct Header<'a> {
    metadata: &'a [(&'a str, String)],
    tensors: Vec<(&'a str, TensorInfo)>,
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Metadata<'a>(&'a [(&'a str, String)]);

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
    use seedbed::{Init, Key};

    use super::*;

    fn fill(name: &str, shape: &[u64]) -> Fill {
        Fill::new(name.into(), shape.into(), DType::F32, Init::Ones, Key::new(0)).unwrap()
    }

    #[test]
    fn the_crate_reads_the_header() {
        let fills = [fill("b", &[2, 3]), fill("a \"quoted\"\n", &[]), fill("empty", &[0, 7])];
        let mut file =
            safetensors(&fills, &[("format", "pt".into()), ("z", "1".into()), ("a", "2".into())]).unwrap();
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
        let half = fill("half", &[1 << 60]);
        let error = safetensors(&[half.clone(), half], &[]).unwrap_err().to_string();
        assert!(error.contains("\"half\": with it, the output would have more than 2^63 bytes"), "{error}");
        let words = Fill { dtype: DType::U32, ..fill("words", &[1]) };
        let error = safetensors(&[words], &[]).unwrap_err().to_string();
        assert_eq!(error, "parameter \"words\": u32 is no type of a model's parameter");
        let error = safetensors(&[fill(METADATA, &[1])], &[]).unwrap_err().to_string();
        assert!(error.contains("can't be the name"), "{error}");
    }

    #[test]
    fn npy_headers_end_on_a_boundary() {
        for shape in [&[][..], &[3], &[128, 256], &[0, 4]] {
            let header = npy(&fill("w", shape)).unwrap();
            assert!(header.starts_with(b"\x93NUMPY") && header.len().is_multiple_of(16), "{shape:?}");
            assert_eq!(npyz::NpyHeader::from_reader(&header[..]).unwrap().shape(), shape);
        }
    }
}
