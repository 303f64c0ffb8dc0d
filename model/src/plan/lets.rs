//! The values of `[let]`.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{At, Result, bail, ensure};
use crate::input::Model;
use crate::rules::{Let, Rules};

/// The values of all names.
pub(super) fn values(rules: &Rules, model: &Model) -> Result<BTreeMap<String, f64>> {
    let counts = counts(rules, model).at(|| rules)?;
    let mut values = BTreeMap::new();
    for name in rules.lets.keys() {
        evaluate(name, rules, model, &counts, &mut values, &mut Vec::new()).at(|| "[let]").at(|| rules)?;
    }
    Ok(values)
}

fn evaluate(
    name: &str,
    rules: &Rules,
    model: &Model,
    counts: &BTreeMap<String, f64>,
    values: &mut BTreeMap<String, f64>,
    waiting: &mut Vec<String>,
) -> Result<f64> {
    if let Some(&value) = values.get(name) {
        return Ok(value);
    }
    let Some(entry) = rules.lets.get(name) else {
        let all: Vec<_> = rules.lets.keys().map(String::as_str).collect();
        bail!("the variable {name:?} is unknown; [let] has {}", all.join(", "))
    };
    if waiting.iter().any(|other| other == name) {
        bail!(
            "{} depends on itself: {}",
            name,
            [waiting.as_slice(), &[name.to_owned()]].concat().join(" -> ")
        );
    }
    ensure!(waiting.len() < 64, "{name}: more than 64 names lead from one to the next");
    waiting.push(name.to_owned());
    let mut entry = entry;
    let value = loop {
        break match entry {
            Let::Count(capture) => counts.get(capture).copied().unwrap_or(0.0),
            Let::Config { key, default } => match model.config.as_ref().and_then(|c| c.number(key)) {
                Some(value) => value,
                None => match default {
                    Some(default) => {
                        entry = default;
                        continue;
                    }
                    None => bail!("{name}: config.json has no number {key:?}, and there is no default"),
                },
            },
            Let::Expression(expression) => {
                let mut known = BTreeMap::new();
                for variable in expression.variables() {
                    let value = evaluate(variable, rules, model, counts, values, waiting).at(|| name)?;
                    known.insert(variable.to_owned(), value);
                }
                expression.value(&|variable| known.get(variable).copied()).at(|| name)?
            }
        };
    };
    waiting.pop();
    values.insert(name.to_owned(), value);
    Ok(value)
}

/// How many values each capture that is counted takes in the model.
fn counts(rules: &Rules, model: &Model) -> Result<BTreeMap<String, f64>> {
    let mut seen: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    let patterns = rules.rules.iter().flat_map(|rule| &rule.patterns);
    let captured: BTreeSet<&String> = patterns.flat_map(|pattern| pattern.captures()).collect();
    for (name, entry) in &rules.lets {
        let mut entry = entry;
        while let Let::Config { default: Some(default), .. } = entry {
            entry = default;
        }
        if let Let::Count(capture) = entry {
            ensure!(captured.contains(capture), "[let] {name}: no rule captures <{capture}>");
            seen.insert(capture, BTreeSet::new());
        }
    }
    if !seen.is_empty() {
        for parameter in &model.parameters {
            for (rule, pattern) in rules.matching_indices(&parameter.name) {
                for (capture, number) in rules.rules[rule].patterns[pattern].capture(&parameter.name) {
                    if let Some(numbers) = seen.get_mut(capture) {
                        numbers.insert(number);
                    }
                }
            }
        }
    }
    Ok(seen.into_iter().map(|(capture, numbers)| (capture.to_owned(), numbers.len() as f64)).collect())
}
