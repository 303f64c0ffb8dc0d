//! What is changed: texts that the crate reads without an error, or nearly so.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use seedbed_model::{PRESETS, Parameter};
use serde_json::Value;

const GUIDE: &str = include_str!("../../../docs/MODELS.md");
const CASES: &str = include_str!("../../../cli/tests/cases.rs");

/// Rules for what no preset has, of the parameters of [`special`].
const SPECIAL: &str = r#"
[let]
layers = "count(layer)"
std = { config = "initializer_range", default = 0.014142135623730951 }
third = "1/3"

[[rule]]
match = "h.<layer>.split"
split = { axis = -1, sizes = ["d1/2", "d1/4", "d1/4"] }
names = [".q", ".k", ".v"]
init = "normal(std=std/sqrt(2*layers))"

[[rule]]
match = "*.stack"
unstack = 0
names = ".<i>.w"
init = "xavier_normal"

[[rule]]
match = "*.rows"
init = "normal(std=0.1)"
rows = { 0 = "zeros", -1 = "ones" }

[[rule]]
match = "*.index"
init = "formula('10*i0 + i1')"

[[rule]]
match = "*.noise"
init = "formula('third*n + d0/7 + layers')"
rank = 9

[[rule]]
match = "*.noise"
init = "formula('third*n + d0/7 + layers')"

[[rule]]
match = "*.weight_g"
init = "norm(of='.weight_v', axis=0)"

[[rule]]
match = "*.conv"
init = "jax::delta_orthogonal(scale=2)"

[[rule]]
match = "*.middle"
init = "jax::orthogonal(column_axis=1)"

[[rule]]
match = "*.tied"
tie = ".weight_v"

[[rule]]
match = "*.bias"
init = "uniform(-1/sqrt(fan_in), 1/sqrt(fan_in))"
of = ".weight_v"

[[rule]]
match = "*.grouped"
groups = 2
layout = "in_out"
fans = { in = "d0", out = 10 }
init = "kaiming_uniform(a=sqrt(5))"

[[rule]]
match = ["*.copied", "*.grown"]
copy = "h.0.weight_v"
grow = "normal(std=0.02)"
rows = { 1 = "zeros" }

[[rule]]
match = "*"
init = "xavier_normal"
"#;

pub struct Corpus {
    /// Parts of rules: one `[[rule]]`, one `[let]`, one `[names]`.
    pub blocks: Vec<String>,
    /// All texts in quotes of the rules, and their keys.
    pub words: Vec<String>,
    /// Names of parameters.
    pub names: Vec<String>,
    /// Parameters for rules of this program's own.
    pub special: Vec<Parameter>,
    /// Models in JSON, indexes, configurations.
    pub json: Vec<String>,
    pub configs: Vec<String>,
}

impl Corpus {
    pub fn new() -> Self {
        let mut rules: Vec<String> = PRESETS.iter().map(|preset| preset.text.to_owned()).collect();
        rules.push(SPECIAL.to_owned());
        rules.extend(
            between(GUIDE, "```toml", "\n```")
                .map(|text| text.split_once('\n').map_or("", |(_, text)| text).to_owned()),
        );
        rules.extend(between(CASES, "r#\"", "\"#").filter(|text| text.contains("match")).map(str::to_owned));
        let blocks: Vec<String> = rules.iter().flat_map(|text| blocks(text)).collect();
        let quoted = |text: &str| between(text, "\"", "\"").map(str::to_owned).collect::<Vec<_>>();
        let words: BTreeSet<String> =
            rules.iter().flat_map(|text| quoted(text)).filter(|word| word.len() < 100).collect();
        let keys = [
            "match",
            "init",
            "copy",
            "tie",
            "refuse",
            "skip",
            "grow",
            "rows",
            "of",
            "layout",
            "groups",
            "fans",
            "split",
            "unstack",
            "names",
            "rank",
            "min_rank",
            "when",
            "axis",
            "into",
            "sizes",
            "strip",
            "preset",
            "config",
            "default",
            "sources",
            "runs",
            "outer",
            "shape",
            "dtype",
            "data_offsets",
            "parameters",
            "weight_map",
            "orthogonal",
            "norm",
            "formula",
            "sparse(0.5)",
            "eye",
            "dirac(groups=2)",
            "keras::orthogonal",
            "jax::orthogonal(column_axis=0)",
            "jax::delta_orthogonal",
            "log_normal",
            "F32",
            "F16",
            "BF16",
            "F64",
            "I64",
            "U8",
            "BOOL",
            "F4",
            "F6_E2M3",
            "C64",
        ];
        let mut words: Vec<String> = words.into_iter().collect();
        words.extend(keys.map(str::to_owned));

        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |folder: &str| {
            let mut paths: Vec<_> =
                fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            paths.into_iter().map(|path| fs::read_to_string(path).unwrap()).collect::<Vec<_>>()
        };
        let facts = read("tests/facts");
        let special = special();
        let (mut json, mut configs) = (Vec::new(), Vec::new());
        let mut names: BTreeSet<String> = special.iter().map(|parameter| parameter.name.clone()).collect();
        for fact in &facts {
            let value: Value = serde_json::from_str(fact).unwrap();
            configs.extend(value.get("config").map(Value::to_string));
            let mut all = Vec::new();
            collect_names(&value, &mut all);
            names.extend(all);
        }
        json.push(manifest(&special));
        json.push(format!(
            "{{\"name\": \"x\", \"source\": [1, {{}}], \"parameters\": {}}}",
            manifest(&special)
        ));
        json.push(
            r#"{"metadata": {"total_size": 8}, "weight_map": {"b": "2.safetensors", "a": "1.safetensors"}}"#
                .into(),
        );
        json.push("{\"parameters\": {\n \"a.weight\": {\"shape\": [2, 3], \"dtype\": \"torch.bfloat16\"},\n \"a.bias\": {\"shape\": [2], \"dtype\": \"int64\"}\n}}".into());
        configs.push(r#"{"model_type": "gpt2", "initializer_range": 0.02, "tie": true, "text_config": {"n": 3, "x": null}}"#.into());

        Self { blocks, words, names: names.into_iter().collect(), json, configs, special }
    }
}

/// The texts between two marks.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split_once(close).map(|(inside, _)| inside))
}

/// The tables of a file of rules.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if line.trim_start().starts_with('[') && line.trim_end().ends_with(']') && !line.contains('"') {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut() {
            *block += line.trim_start();
            block.push('\n');
        }
    }
    blocks.retain(|block| block.trim().len() > 10);
    blocks
}

/// The names of parameters in a file of facts: texts with a dot.
fn collect_names(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                if key.contains('.') && key.len() < 80 {
                    names.push(key.clone());
                }
                collect_names(value, names);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_names(value, names)),
        _ => {}
    }
}

/// Parameters for the special rules.
fn special() -> Vec<Parameter> {
    let parameter = |(name, shape, dtype): (&str, &[u64], &str)| Parameter {
        name: name.into(),
        shape: shape.into(),
        dtype: serde_json::from_str(&format!("{dtype:?}")).unwrap(),
    };
    let all: [(&str, &[u64], &str); 17] = [
        ("h.0.weight_v", &[4, 6], "F32"),
        ("h.0.split", &[4, 8], "BF16"),
        ("h.1.split", &[2, 4], "F16"),
        ("m.stack", &[3, 4, 2], "F32"),
        ("m.rows", &[5, 3], "F32"),
        ("m.index", &[2, 3], "I64"),
        ("h.0.noise", &[7], "F32"),
        ("h.0.weight_g", &[4, 1], "F32"),
        ("m.conv", &[3, 3, 2, 4], "F32"),
        ("m.middle", &[2, 3, 4], "F32"),
        ("h.0.tied", &[4, 6], "F32"),
        ("h.0.bias", &[4], "F32"),
        ("m.grouped", &[4, 6], "BF16"),
        ("h.0.copied", &[4, 6], "F32"),
        ("h.0.grown", &[6, 6], "F32"),
        ("m.other", &[8, 8], "F32"),
        ("m.last", &[2, 2], "F16"),
    ];
    all.map(parameter).into()
}

/// A manifest of parameters.
pub fn manifest(parameters: &[Parameter]) -> String {
    let entry =
        |p: &Parameter| format!("  {:?}: {{\"shape\": {:?}, \"dtype\": \"{}\"}}", p.name, p.shape, p.dtype);
    let entries: Vec<_> = parameters.iter().map(entry).collect();
    format!("{{\n{}\n}}", entries.join(",\n"))
}

/// The header of a file with these parameters.
pub fn header(parameters: &[Parameter], metadata: &[(String, String)]) -> String {
    let mut entries = serde_json::Map::new();
    let metadata: serde_json::Map<_, _> =
        metadata.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    if !metadata.is_empty() {
        entries.insert("__metadata__".into(), metadata.into());
    }
    let mut at = 0;
    for parameter in parameters {
        let Parameter { name, shape, dtype } = parameter;
        let end = at + parameter.bytes().unwrap();
        let info = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [at, end]});
        entries.insert(name.clone(), info);
        at = end;
    }
    Value::from(entries).to_string()
}

/// A file with these parameters, whose data are bytes that count.
pub fn file(parameters: &[Parameter], metadata: &[(String, String)]) -> Vec<u8> {
    let header = header(parameters, metadata);
    let data: u64 = parameters.iter().map(|parameter| parameter.bytes().unwrap()).sum();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend((0..data).map(|byte| byte as u8));
    file
}
