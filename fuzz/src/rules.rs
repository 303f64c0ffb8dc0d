//! Rules, as TOML.

use std::path::Path;
use std::sync::OnceLock;

use seedbed::DType;
use seedbed_model::{Config, Dtype, Model, Parameter, Rules};

use super::{accepted, choose, models, sections};

/// The most parameters that are planned.
const MAX_PARAMETERS: usize = 6;

/// Reads rules and plans a model by them. The sections are the rules, a config.json, and a manifest whose parameters take the
/// place of the usual ones. Rules are compiled the same way each time, and what a plan makes is what the plan's record says.
pub fn run(input: &[u8]) {
    let mut sections = sections(input);
    let Ok(text) = str::from_utf8(sections.next().unwrap_or_default()) else { return };
    let Some(rules) = accepted(Rules::parse(text, "own.toml")) else { return };
    // Compiling takes the most time, so one input in eight is compiled again.
    if choose(text.as_bytes(), &[true, false, false, false, false, false, false, false]) {
        assert_eq!(Rules::parse(text, "own.toml").expect("the same rules").digest(), rules.digest());
    }
    let config = sections.next().and_then(|text| Config::parse(text).ok());
    let own = sections.next().and_then(|text| Model::of_manifest(text).ok());
    let own = own.filter(|model| model.parameters.len() <= MAX_PARAMETERS).map(|model| model.parameters);
    let mut model = Model::of_parameters(own.unwrap_or_else(usual)).expect("names that differ");
    model.config = config;
    let source = text.contains("copy").then(source);
    let dtype = choose(text.as_bytes(), &[None, Some(DType::F32), Some(DType::F16), Some(DType::BF16)]);
    models::plan(&model, source, &rules, dtype);
}

/// Parameters with which rules can go wrong in their own ways.
fn usual() -> Vec<Parameter> {
    let parameter =
        |name: &str, shape: &[u64], dtype| Parameter { name: name.into(), shape: shape.into(), dtype };
    vec![
        parameter("h.0.weight_v", &[4, 6], Dtype::F32),
        parameter("h.1.weight_g", &[4, 1], Dtype::BF16),
        parameter("m.conv", &[3, 3, 2, 4], Dtype::F32),
        parameter("m.index", &[2, 3], Dtype::I64),
        parameter("odd", &[0, 1 << 40], Dtype::F16),
    ]
}

/// A file with data, from which parameters are copied.
fn source() -> &'static Model {
    static SOURCE: OnceLock<Model> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/source.safetensors");
        Model::read(Path::new(path)).expect("the file of this folder")
    })
}
