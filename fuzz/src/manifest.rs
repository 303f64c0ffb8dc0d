//! Manifests and configurations in JSON.

use std::sync::OnceLock;

use seedbed_model::{Config, Model, Parameter, Rules};
use serde_json::{Map, Value, json};

use super::{accepted, models};

/// The most parameters of a model that is planned.
const MAX_PLANNED: usize = 2;

/// Reads a manifest, and a configuration. An accepted manifest has the entries that serde_json finds, reads the same when it
/// is written anew, and can be planned.
pub fn run(input: &[u8]) {
    if let Some(config) = accepted(Config::parse(input)) {
        let value: Map<String, Value> = serde_json::from_slice(input).expect("a configuration is an object");
        assert_eq!(config.model_type(), value.get("model_type").and_then(Value::as_str));
        for (key, value) in value.iter().filter(|(key, _)| !key.contains('.')) {
            assert_eq!(config.value(key), Some(value).filter(|value| !value.is_null()));
        }
        let _ = (config.number("text_config.n"), config.value("a.b.c"), config.value("."));
    }
    let Some(model) = accepted(Model::of_manifest(input)) else { return };
    let value: Value = match serde_json::from_slice(input) {
        Ok(value) => value,
        // A reader that ignores a number does not care how large the number is.
        Err(error) if error.to_string().starts_with("number out of range") => return,
        Err(error) => panic!("a manifest is JSON: {error}"),
    };
    let entries = value.get("parameters").unwrap_or(&value).as_object().expect("a manifest is an object");
    assert_eq!(entries.len(), model.parameters.len());
    for Parameter { name, shape, .. } in &model.parameters {
        assert_eq!(entries[name]["shape"], json!(shape), "{name:?}");
    }
    models::check(&model);
    let again = Model::of_manifest(manifest(&model.parameters).as_bytes());
    assert_eq!(again.expect("a written manifest").parameters, model.parameters);
    if model.parameters.len() <= MAX_PLANNED {
        static RULES: OnceLock<Rules> = OnceLock::new();
        let rules = RULES.get_or_init(|| Rules::built_in().expect("the built-in rules"));
        models::plan(&model, None, rules, None);
    }
}

/// A manifest in the order of the parameters.
fn manifest(parameters: &[Parameter]) -> String {
    let entry = |parameter: &Parameter| {
        let Parameter { name, shape, dtype } = parameter;
        format!("{}:{}", json!(name), json!({"shape": shape, "dtype": dtype}))
    };
    let entries: Vec<_> = parameters.iter().map(entry).collect();
    format!("{{\"parameters\":{{{}}}}}", entries.join(","))
}
