//! Indexes of checkpoints of several files, and the metadata that say which part of a tensor a file has.

use std::collections::HashMap;

use seedbed_model::{Chunk, Content, Error, Model, Parameter, Parts, Tensor};
use serde_json::Value;

use super::{accepted, models, one_line, sections};

/// The bytes of data of each file: more than a header of these tests describes.
const DATA: u64 = 1 << 40;
/// The most rows of a tensor whose parts are compared with a list of its rows.
const MAX_ROWS: u64 = 64;

/// Reads an index and the headers of its files. The sections are the index and the headers. The files have the names
/// `1.safetensors`, `2.safetensors` and so on, in the order of the headers.
pub fn run(input: &[u8]) {
    let mut sections = sections(input);
    let index = sections.next().unwrap_or_default();
    let headers: Vec<&[u8]> = sections.take(4).collect();
    let file = |name: &str| {
        let number = name.strip_suffix(".safetensors").and_then(|number| number.parse::<usize>().ok());
        let header = number.and_then(|number| headers.get(number.wrapping_sub(1)));
        header.map(|header| (header.to_vec(), DATA)).ok_or_else(|| Error::new("no such file"))
    };
    if let Some(model) = accepted(Model::of_index(index, file)) {
        models::check(&model);
        assert!(!model.has_data());
        let value: Value = match serde_json::from_slice(index) {
            Ok(value) => value,
            // A reader that ignores a number does not care how large the number is.
            Err(error) if error.to_string().starts_with("number out of range") => return,
            Err(error) => panic!("an index is JSON: {error}"),
        };
        let map = value["weight_map"].as_object().expect("an index has a map");
        assert_eq!(map.len(), model.parameters.len());
        for parameter in &model.parameters {
            let file = map[&parameter.name].as_str().expect("the name of a file");
            assert!(!file.contains(['/', '\0']) && file != "..", "{file:?}");
        }
        assert!(Model::of_manifest(index).is_err());
    }
    let models: Vec<Model> =
        headers.iter().filter_map(|header| accepted(Model::of_header(header, DATA))).collect();
    match accepted(Parts::read(&models)) {
        Some(Some(parts)) => check_parts(&models, parts),
        Some(None) => assert!(!models.iter().any(Parts::is_part)),
        None => {}
    }
}

/// Each part lies in its tensor. Rows are missing, or are in two files, exactly where the list of gaps says so.
fn check_parts(models: &[Model], mut parts: Parts) {
    assert_eq!(parts.files.len(), models.len());
    let mut chunks: HashMap<&str, Vec<Chunk>> = HashMap::new();
    for (model, file) in models.iter().zip(&parts.files) {
        assert_eq!(file.len(), model.parameters.len());
        for (parameter, part) in model.parameters.iter().zip(file) {
            let whole = &parts.shapes[&parameter.name];
            assert_eq!(part.shape, parameter.shape);
            assert_eq!(part.offsets.len(), whole.len());
            for ((start, size), whole) in part.offsets.iter().zip(&part.shape).zip(whole) {
                assert!(start.checked_add(*size).is_some_and(|end| end <= *whole));
            }
            chunks.entry(&parameter.name).or_default().push(part.clone());
        }
    }
    let gaps = parts.gaps();
    gaps.iter().for_each(|gap| one_line(gap.escape_debug()));
    for (name, chunks) in chunks {
        let whole = &parts.shapes[name];
        let _ = parts.shape_of_present(name);
        let is_cut_along_rows = |chunk: &Chunk| {
            chunk.shape.first().is_some_and(|&rows| rows > 0) && chunk.shape[1..] == whole[1..]
        };
        if whole.first().is_none_or(|&rows| rows > MAX_ROWS) || !chunks.iter().all(is_cut_along_rows) {
            continue;
        }
        let mut files = vec![0; whole[0] as usize];
        for chunk in &chunks {
            let start = chunk.offsets[0] as usize;
            files[start..start + chunk.shape[0] as usize].iter_mut().for_each(|count| *count += 1);
        }
        let has_gap =
            gaps.iter().any(|gap| gap.strip_prefix(name).is_some_and(|rest| rest.starts_with(": ")));
        // A name may begin with another name and a colon.
        let is_alone = parts.shapes.len() == 1;
        let is_whole = files.iter().all(|&count| count == 1);
        assert!(is_whole || has_gap, "{name:?}: {files:?}, but there is no gap");
        assert!(!is_whole || !has_gap || !is_alone, "{name:?}: {gaps:?}, but there is no gap");
    }
    for (model, file) in models.iter().zip(&parts.files) {
        write(model, file);
    }
}

/// Parts that are ranges of rows are read as they were written.
fn write(model: &Model, file: &[Chunk]) {
    let is_rows = |chunk: &Chunk| chunk.offsets.iter().skip(1).all(|&offset| offset == 0);
    if !file.iter().all(is_rows) {
        return;
    }
    let content = Content { sources: Vec::new(), outer: 1, runs: Vec::new() };
    let tensors: Vec<Tensor> = model
        .parameters
        .iter()
        .map(|Parameter { name, shape, dtype }| Tensor {
            name: name.clone(),
            shape: shape.clone(),
            dtype: *dtype,
            content: content.clone(),
        })
        .collect();
    let all = |chunk: &Chunk| Some((*chunk.offsets.first()?, chunk.offsets[0] + chunk.shape[0]));
    let metadata = Parts::metadata(tensors.iter().zip(file.iter().map(all)));
    let mut written = Model::of_parameters(model.parameters.clone()).expect("the names of a model");
    written.metadata = metadata;
    let read = Parts::read(&[written]).expect("written parts").expect("parts");
    assert_eq!(read.files, [file]);
}
