//! Presets against facts: what PyTorch, torchvision, transformers and Keras themselves initialise, measured by
//! `scripts/preset_facts/preset_facts.py`. Each file of `tests/facts` is a trial, which compares every parameter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use seedbed::{Init, ScaledDistribution};
use seedbed_model::{
    Config, Dtype, Entry, Maker, Model, Outcome, Parameter, Plan, Rules, Segment, Source, Tensor,
};
use serde::Deserialize;

/// Standard errors that a measured moment may be away from the preset's. One of some 3,000 comparisons of a right preset is
/// farther away with a probability of 0.2 %.
const ERRORS: f64 = 5.0;

/// Parameters whose law does not follow from names and shapes, with the reason.
const KNOWN_GAPS: &[(&str, &str, &str)] = &[
    ("keras", "einsum_dense_1/kernel", "EinsumDense takes its fans from an equation, which no file holds"),
    ("pytorch", "embedding_padded.weight", "padding_idx is no parameter; docs/MODELS.md shows `rows` for it"),
];

#[derive(Deserialize)]
struct Facts {
    preset: String,
    config: Option<serde_json::Value>,
    /// In the order of the framework, which JSON objects of serde_json do not keep.
    parameters: BTreeMap<String, Fact>,
}

#[derive(Deserialize)]
struct Fact {
    shape: Vec<u64>,
    dtype: Dtype,
    law: Law,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Law {
    Constant { constant: f64 },
    Values { values: Vec<f64> },
    Tied { tied: String },
    Rows { rows: BTreeMap<String, Law>, others: Box<Law> },
    Distribution(Distribution),
}

#[derive(Deserialize)]
struct Distribution {
    distribution: String,
    mean: f64,
    std: f64,
    min: f64,
    max: f64,
    samples: u64,
    gain: Option<f64>,
    #[serde(default)]
    quantiles: BTreeMap<String, f64>,
}

fn main() {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 40, "{} files of facts in {}", paths.len(), folder.display());
    let trial = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        Trial::test(name, move || check(&path))
    };
    let trials: Vec<Trial> = paths.into_iter().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn check(path: &Path) -> Result<(), Failed> {
    let facts: Facts = serde_json::from_slice(&std::fs::read(path)?)?;
    let parameters = facts.parameters.iter().map(|(name, fact)| Parameter {
        name: name.clone(),
        shape: fact.shape.clone(),
        dtype: fact.dtype,
    });
    let mut model = Model::of_parameters(parameters.collect())?;
    if let Some(config) = &facts.config {
        let config = Config::parse(config.to_string().as_bytes())?;
        let model_type = config.model_type().ok_or("a config.json without model_type")?;
        let chosen = seedbed_model::Preset::of_model_type(model_type).map(|preset| preset.name);
        assert_eq!(chosen, Some(&*facts.preset), "the preset of {model_type}");
        model.config = Some(config);
    }
    let plan = Plan::new(&model, None, &Rules::preset(&facts.preset)?, None)?;
    let mut mistakes = Vec::new();
    for entry in &plan.entries {
        let name = &entry.parameter.name;
        let result = compare(entry, &facts.parameters[name].law);
        let gap = KNOWN_GAPS.iter().find(|(preset, gap, _)| *preset == facts.preset && gap == name);
        match (result, gap) {
            (Ok(()), None) | (Err(_), Some(_)) => {}
            (Ok(()), Some(_)) => mistakes.push(format!("{name}: is right, and listed as a gap")),
            (Err(mistake), None) => mistakes.push(format!("{name}: {}: {mistake}", entry.description())),
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes.join("\n").into()) }
}

fn compare(entry: &Entry, law: &Law) -> Result<(), String> {
    match (&entry.outcome, law) {
        (Outcome::Tie { to, .. }, Law::Tied { tied }) => same("tied to", to, tied),
        (Outcome::Make(tensor), law) => compare_tensor(tensor, law),
        (outcome, _) => Err(format!("{outcome:?}")),
    }
}

fn compare_tensor(tensor: &Tensor, law: &Law) -> Result<(), String> {
    match law {
        Law::Tied { tied } => Err(format!("is not tied to {tied}")),
        Law::Constant { constant } => {
            let values = vec![*constant; tensor.elements().unwrap() as usize];
            values_are(tensor, &values)
        }
        Law::Values { values } => values_are(tensor, values),
        Law::Rows { rows, others } => {
            let row_len = tensor.shape[1..].iter().product::<u64>() as usize;
            let made = floats(tensor, 1);
            for (row, law) in rows {
                let Law::Constant { constant } = law else { return Err("a row of another law".into()) };
                let row: usize = row.parse().map_err(|_| "a row")?;
                let row = &made[row * row_len..][..row_len];
                if row.iter().any(|value| value != constant) {
                    return Err(format!("the row is not {constant}"));
                }
            }
            let special = |index: usize| rows.contains_key(&(index / row_len).to_string());
            let zeros = made.iter().enumerate().filter(|(index, value)| **value == 0.0 && !special(*index));
            same("zeros in other rows", &zeros.count(), &0)?;
            // The first source is that of the other rows.
            compare_source(&tensor.content.sources[0], others)
        }
        Law::Distribution(law) if law.distribution == "other" => quantiles_are(tensor, law),
        law => tensor.content.sources.iter().try_for_each(|source| compare_source(source, law)),
    }
}

fn compare_source(source: &Source, law: &Law) -> Result<(), String> {
    let Law::Distribution(law) = law else { return Err("a law of parts".into()) };
    let Source::Init { init, .. } = source else { return Err("is no fill".into()) };
    let (mean, std) = source.moments().ok_or("no moments")?;
    if law.distribution == "orthogonal" {
        let Init::Orthogonal { gain } = init else { return Err("is not orthogonal".into()) };
        return same("gain", &(gain - law.gain.unwrap_or(1.0)).abs().lt(&1e-5), &true);
    }
    let n = law.samples as f64;
    let near = |what, measured: f64, right: f64, error: f64| {
        if (measured - right).abs() <= ERRORS * error {
            return Ok(());
        }
        Err(format!("the {what} is {right}, measured {measured} with a standard error of {error:e}"))
    };
    near("mean", law.mean, mean, std / n.sqrt())?;
    match (law.distribution.as_str(), family(init)) {
        ("normal", "normal") => near("std", law.std, std, std / (2.0 * n).sqrt()),
        ("uniform", "uniform") => {
            // Kurtosis 9/5.
            near("std", law.std, std, std * (0.2 / n).sqrt())?;
            let (low, high) = (mean - 3_f64.sqrt() * std, mean + 3_f64.sqrt() * std);
            let slack = 1e-6 * (high - low);
            same("within the bounds", &(law.min >= low - slack && law.max <= high + slack), &true)
        }
        (measured, family) => Err(format!("is {family}, measured {measured}")),
    }
}

/// The family of distributions that an initialiser belongs to.
fn family(init: &Init) -> &'static str {
    match init {
        Init::Normal { .. } | Init::XavierNormal { .. } | Init::KaimingNormal(_) => "normal",
        Init::TruncNormal { mean, std, a, b } if mean - a > 6.0 * std && b - mean > 6.0 * std => "normal",
        Init::TruncNormal { .. } => "truncated_normal",
        Init::Uniform { .. } | Init::XavierUniform { .. } | Init::KaimingUniform(_) => "uniform",
        Init::VarianceScaling(scaling) => match scaling.distribution {
            ScaledDistribution::Normal => "normal",
            ScaledDistribution::Uniform => "uniform",
            _ => "truncated_normal",
        },
        _ => "another distribution",
    }
}

fn values_are(tensor: &Tensor, values: &[f64]) -> Result<(), String> {
    // Two seeds: the values must not depend on it.
    for seed in [1, 2] {
        let made = floats(tensor, seed);
        same("elements", &made.len(), &values.len())?;
        let wrong =
            made.iter().zip(values).position(|(made, value)| (made - value).abs() > 2e-7 * value.abs());
        if let Some(wrong) = wrong {
            return Err(format!("element {wrong} is {}, not {}", made[wrong], values[wrong]));
        }
    }
    Ok(())
}

/// Compares as many elements as were measured.
fn quantiles_are(tensor: &Tensor, law: &Distribution) -> Result<(), String> {
    let mut all = Vec::new();
    let mut seed = 0;
    while (all.len() as u64) < law.samples {
        all.extend(floats(tensor, seed));
        seed += 1;
    }
    all.sort_by(f64::total_cmp);
    let n = all.len() as f64;
    same("quantiles", &law.quantiles.is_empty(), &false)?;
    for (p, measured) in &law.quantiles {
        let p: f64 = p.parse().map_err(|_| "a quantile")?;
        // Both samples vary: the rank of the measured value among ours has this standard error.
        let error = (2.0 * p * (1.0 - p) / n).sqrt();
        // A value that many elements have is the quantile of a range.
        let slack = 1e-6 * measured.abs();
        let rank = |limit: f64| all.partition_point(|value| *value < limit) as f64 / n;
        let (from, to) = (rank(measured - slack), rank(measured + slack));
        if p < from - ERRORS * error || p > to + ERRORS * error {
            return Err(format!("{measured} is the quantile of {from} to {to}, measured {p}"));
        }
    }
    Ok(())
}

fn floats(tensor: &Tensor, seed: u64) -> Vec<f64> {
    let mut maker = Maker::new(seed, None);
    let mut values = Vec::new();
    for Segment { source, elements } in tensor.content.segments() {
        let mut bytes = vec![0; tensor.dtype.bitsize() / 8 * (elements.end - elements.start) as usize];
        maker.make(tensor, source, elements, &mut bytes).unwrap();
        match tensor.dtype {
            Dtype::F32 => {
                values.extend(bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))));
            }
            Dtype::I64 => values.extend(bytes.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b) as f64)),
            Dtype::U8 | Dtype::BOOL => values.extend(bytes.iter().map(|&b| f64::from(b))),
            other => panic!("{other}"),
        }
    }
    values
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, a: &T, b: &T) -> Result<(), String> {
    if a == b { Ok(()) } else { Err(format!("{what}: {a:?}, not {b:?}")) }
}
