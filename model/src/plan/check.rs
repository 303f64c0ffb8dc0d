//! What is wrong with a plan as a whole, and what is odd.

use std::collections::{BTreeMap, HashMap};

use seedbed::Init;

use super::{Entry, Outcome, Problem};
use crate::error::{Error, Result, bail};
use crate::input::Model;
use crate::parameter::Parameter;
use crate::remedy;
use crate::rules::{Action, Rule, Rules};
use crate::tensor::Source;

/// The largest number of parameters that an error names.
const NAMED_IN_ERRORS: usize = 10;
/// A truncated normal whose bounds are farther away than this many standard deviations is a normal: no element of the
/// stream, which resolves 2^-33 of a tail, comes as far.
const NEVER_CUT: f64 = 6.5;

/// Checks that no two parameters, and no two parts, have the same stream by mistake: their values would be equal.
pub(super) fn streams(entries: &[Entry], strips: bool) -> Result<()> {
    let mut whole: HashMap<&str, &str> = HashMap::new();
    let mut parts: HashMap<&str, &str> = HashMap::new();
    for entry in entries {
        let (Outcome::Make(tensor) | Outcome::Copy(tensor)) = &entry.outcome else { continue };
        let name = tensor.name.as_str();
        let is_whole = tensor.content.single().is_some();
        // Names without prefixes to strip differ already.
        if let Some(other) = strips.then(|| whole.insert(entry.stream(), name)).flatten() {
            bail!(
                "{other:?} and {name:?} are both {:?} without the prefixes, and would get the same values",
                entry.stream()
            );
        }
        if is_whole {
            continue;
        }
        let mut own: Vec<&str> = Vec::new();
        for source in &tensor.content.sources {
            let (Source::Init { stream, .. } | Source::Formula { stream, .. }) = source else { continue };
            let is_random = source.moments().is_none_or(|(_, std)| std != 0.0);
            if stream == entry.stream() || !is_random {
                continue;
            }
            // A source may be there twice; the names of two sources may not.
            own.push(stream);
        }
        own.sort_unstable();
        if let Some(twice) = own.windows(2).find(|pair| pair[0] == pair[1]) {
            bail!("{name:?}: two of its parts are named {:?}, and would get the same values", twice[0]);
        }
        for stream in own {
            if let Some(other) = parts.insert(stream, name) {
                bail!(
                    "{other:?} and {name:?} both have a part named {stream:?}, and would get the same values"
                );
            }
        }
    }
    Ok(())
}

/// One error for all parameters that can't be made.
pub(super) fn problems(entries: &[Entry], preset: Option<&str>) -> Result<()> {
    let mut refused: Vec<(&str, Vec<&Parameter>)> = Vec::new();
    let mut lacking = Vec::new();
    let mut mistakes: Vec<(&Parameter, &str, &Error)> = Vec::new();
    for Entry { parameter, outcome, .. } in entries {
        match outcome {
            Outcome::Error(Problem::Refused(reason)) => {
                match refused.iter_mut().find(|(other, _)| other == reason) {
                    Some((_, parameters)) => parameters.push(parameter),
                    None => refused.push((reason, vec![parameter])),
                }
            }
            Outcome::Error(Problem::NoRule) => lacking.push(parameter),
            Outcome::Error(Problem::Mistake { rule, error }) => mistakes.push((parameter, rule, error)),
            _ => {}
        }
    }
    let add = match preset {
        Some("default") => format!("{} before the built-in ones", remedy::OWN_RULES),
        Some(preset) => format!("{} before those of the preset {preset}", remedy::OWN_RULES),
        None => "add one".to_owned(),
    };
    if !refused.is_empty() {
        let reasons = refused.iter().map(|(reason, parameters)| format!("{}: {reason}", list(parameters)));
        let name = &refused[0].1[0].name;
        return Err(Error::new(format_args!(
            "no initialiser is right for {}; a rule of yours decides ({add})",
            reasons.collect::<Vec<_>>().join("; ")
        ))
        .with_hint(example(name, preset, remedy::OUTCOME)));
    }
    if !lacking.is_empty() {
        let these = if lacking.len() == 1 { "this parameter" } else { "these parameters" };
        return Err(Error::new(format_args!("no rule matches {these}: {}; {add}", list(&lacking)))
            .with_hint(example(
                &lacking[0].name,
                preset,
                &format!(
                    "init = {}   # as its layer begins{}",
                    if lacking[0].shape.len() < 2 { "\"constant(1)\"" } else { "\"normal(std=0.02)\"" },
                    remedy::OTHER_OUTCOMES
                ),
            )));
    }
    if let Some((first, rule, error)) = mistakes.first() {
        let more = match mistakes.len() - 1 {
            0 => String::new(),
            1 => format!(" (1 other parameter has a mistake too: {} lists both)", remedy::PLAN),
            more => format!(" ({more} other parameters have mistakes too: {} lists them)", remedy::PLAN),
        };
        bail!("parameter {:?} {:?}: {rule}: {error}{more}", first.name, first.shape);
    }
    Ok(())
}

/// A rule to paste.
fn example(name: &str, preset: Option<&str>, outcome: &str) -> String {
    let base = match preset {
        Some("default") => "preset = \"default\"   # the built-in rules come after these\n\n".to_owned(),
        Some(preset) => format!("preset = {preset:?}   # its rules come after these\n\n"),
        None => String::new(),
    };
    // A ? stands for what would mean something in a glob or in TOML, a * for characters of several bytes.
    let mut glob = String::new();
    for c in name.chars() {
        if "*?[]{}<>\\\"".contains(c) {
            glob.push('?');
        } else if c.is_control() || !c.is_ascii() && c.escape_debug().len() > 1 {
            // TOML has other escapes than Rust.
            glob.push('*');
        } else {
            glob.push(c);
        }
    }
    format!("{base}[[rule]]\nmatch = {:?}\n{outcome}", glob)
}

/// The first parameters of a list with their shapes, and the number of the others.
fn list(parameters: &[&Parameter]) -> String {
    let named = parameters.iter().take(NAMED_IN_ERRORS);
    let mut names: Vec<_> = named.map(|p| format!("{:?} {:?}", p.name, p.shape)).collect();
    if parameters.len() > names.len() {
        names.push(format!("and {} more", parameters.len() - names.len()));
    }
    names.join(", ")
}

/// What is allowed and most likely a mistake, one line for each rule and kind.
pub(super) fn warnings(entries: &[Entry], model: &Model, rules: &Rules) -> Vec<String> {
    let mut warnings = Vec::new();
    for prefix in &rules.strip {
        if !entries.iter().any(|entry| entry.parameter.name.contains(prefix.as_str())) {
            warnings.push(format!("no parameter's name has the prefix {prefix:?}"));
        }
    }
    without_effect(entries, rules, &mut warnings);
    let mut odd: BTreeMap<(usize, &str), Vec<&str>> = BTreeMap::new();
    for entry in entries {
        let (Some(rule), Some(tensor)) = (&entry.rule, entry.outcome.tensor()) else { continue };
        if matches!(entry.outcome, Outcome::Tie { .. }) {
            continue;
        }
        let name = entry.parameter.name.as_str();
        let mut add = |what| odd.entry((rule.index, what)).or_default().push(name);
        for source in &tensor.content.sources {
            let Source::Init { init, shape, .. } = source else { continue };
            if let Some(warning) = init.warning(shape) {
                add(warning);
            }
            if shape.contains(&0) {
                continue;
            }
            let is_constant = matches!(init, Init::Constant { .. } | Init::Zeros | Init::Ones);
            // A preset follows its framework, odd or not.
            if !rule.is_preset || rules.origins[rules.rules[rule.index].origin].name == "default" {
                if !is_constant && source.moments().is_some_and(|(_, std)| std == 0.0) {
                    add("has a standard deviation of 0");
                }
                if let Init::TruncNormal { mean, std, a, b } = *init
                    && std > 0.0
                    && (mean - a) / std > NEVER_CUT
                    && (b - mean) / std > NEVER_CUT
                {
                    add(
                        "is a normal distribution: a and b, which are values and no standard deviations, are too far away \
                         to cut anything",
                    );
                }
            }
            let by_matrix_fans = matches!(
                init,
                Init::XavierNormal { .. }
                    | Init::XavierUniform { .. }
                    | Init::KaimingNormal(_)
                    | Init::KaimingUniform(_)
            );
            if shape.len() == 3 && name.contains("expert") && by_matrix_fans {
                add(
                    "counts the stack of experts as one convolution, so its weights come out too small; `unstack = 0` \
                     gives each expert its own fans",
                );
            }
            if !is_constant && is_quantisation(name) {
                add(remedy::QUANTISED);
            }
        }
    }
    for ((rule, what), names) in odd {
        let place = rules.rules[rule].place(&rules.origins);
        let which = match names.len() {
            1 => format!("parameter {:?}", names[0]),
            more => format!("each of {more} parameters such as {:?}", names[0]),
        };
        let colon = if what.starts_with(char::is_uppercase) { ":" } else { "" };
        warnings.push(format!("{place}: {which}{colon} {what}"));
    }
    warnings.extend(model.warnings.iter().cloned());
    warnings
}

fn is_quantisation(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    matches!(
        last,
        "weight_scale" | "weight_scale_inv" | "input_scale" | "output_scale" | "scales" | "qzeros" | "absmax"
    )
}

/// The user's rules that match no parameter at all, most likely by a typing mistake. Rules of presets, copies of them, and
/// rules that refuse need not match anything.
fn without_effect(entries: &[Entry], rules: &Rules, warnings: &mut Vec<String>) {
    let is_own =
        |rule: &Rule| !rules.origins[rule.origin].is_preset && !matches!(rule.action, Action::Refuse(_));
    let mut matched = vec![false; rules.rules.len()];
    for rule in entries.iter().filter_map(|entry| entry.rule.as_ref()) {
        matched[rule.index] = true;
    }
    let is_odd = |(index, rule): (usize, &Rule)| is_own(rule) && !matched[index];
    if !rules.rules.iter().enumerate().any(is_odd) {
        return;
    }
    // A rule that matches only what earlier rules take is no typing mistake.
    for entry in entries {
        for (index, _) in rules.matching_indices(&entry.parameter.name) {
            let rank = entry.parameter.shape.len() as u64;
            let rule = &rules.rules[index];
            matched[index] |= (rule.rank[0]..=rule.rank[1]).contains(&rank);
        }
    }
    let known = |glob: &str| {
        let written = ["match = \"", "[\"", ", \"", "    \""].map(|before| format!("{before}{glob}\""));
        let is_in = |text: &str| written.iter().any(|written| text.contains(written));
        crate::rules::PRESETS.iter().any(|preset| is_in(preset.text))
    };
    for (rule, matched) in rules.rules.iter().zip(matched) {
        if is_own(rule) && !matched && !rule.patterns.iter().all(|pattern| known(pattern.text())) {
            let globs: Vec<_> = rule.patterns.iter().map(|pattern| format!("{:?}", pattern.text())).collect();
            warnings.push(format!(
                "{} (match = {}) matches no parameter",
                rule.place(&rules.origins),
                globs.join(", ")
            ));
        }
    }
}
