//! Headers of safetensors files.

use safetensors::SafeTensors;
use seedbed_model::{Model, Parameter, Record};

use super::{accepted, models, sections};

/// The largest number of bytes of data with which the crate `safetensors` reads the header too.
const MAX_DATA: u64 = 1 << 10;

/// Reads a header. The sections are the header, the number of bytes of data in decimal digits, and the text of a record. The
/// crate `safetensors` must give the same answer, except about a file that has bytes of no tensor.
pub fn run(input: &[u8]) {
    let mut sections = sections(input);
    let header = sections.next().unwrap_or_default();
    let data = sections.next().and_then(|text| str::from_utf8(text).ok()?.parse().ok()).unwrap_or(96);
    let model = Model::of_header(header, data);
    if data <= MAX_DATA {
        compare(header, data, &model);
    }
    let Some(model) = accepted(model) else { return };
    models::check(&model);
    models::read_record(&model.metadata, &model.parameters);
    if let Some(record) = sections.next() {
        let entries = [("contract", b"1".as_slice()), ("seed", b"7"), ("tensors", record)];
        let entries = entries
            .map(|(key, value)| (format!("seedbed.{key}"), String::from_utf8_lossy(value).into_owned()));
        models::read_record(&entries, &model.parameters);
    }
    assert!(accepted(Record::read(&[])).is_some_and(|record| record.is_none()));
}

/// Compares the model with what the crate `safetensors` reads.
fn compare(header: &[u8], data: u64, model: &seedbed_model::Result<Model>) {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.resize(file.len() + data as usize, 0);
    match (SafeTensors::deserialize(&file), model) {
        (Ok(tensors), Ok(model)) => {
            assert_eq!(model.warnings, [""; 0]);
            let read = model.parameters.iter().map(|parameter| {
                let view = tensors.tensor(&parameter.name).expect("a tensor of the model");
                let shape = view.shape().iter().map(|&size| size as u64).collect();
                Parameter { name: parameter.name.clone(), shape, dtype: view.dtype() }
            });
            assert_eq!(read.collect::<Vec<_>>(), model.parameters);
            assert_eq!(tensors.len(), model.parameters.len());
        }
        (Ok(_), Err(error)) => {
            // The crate takes the last entry of a name, any number of dimensions of any size, and null for no metadata.
            let text = error.to_string();
            let is_stricter = ["comes twice", "dimension", "null"].iter().any(|what| text.contains(what));
            assert!(is_stricter, "the crate reads what is refused here: {text}");
        }
        (Err(error), Ok(model)) => {
            // The crate wants offsets of empty tensors in order, whole bytes, and products that never overflow.
            let is_odd =
                |parameter: &Parameter| parameter.elements() == Ok(0) || parameter.dtype.bitsize() < 8;
            let is_laxer = !model.warnings.is_empty() || model.parameters.iter().any(is_odd);
            assert!(is_laxer, "the crate refuses what is read here: {error}");
        }
        (Err(_), Err(_)) => {}
    }
}
