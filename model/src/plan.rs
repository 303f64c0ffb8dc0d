//! Plans: model + rules -> what each parameter holds. Every mistake is found here, before anything is made.

mod check;
mod content;
mod lets;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use safetensors::tensor::Dtype;
use seedbed::{DType, Fans};

use crate::error::{Error, Result};
use crate::input::Model;
use crate::names;
use crate::parameter::{Parameter, is_floating};
use crate::rules::{Action, Is, Rule, Rules, When};
use crate::tensor::{Source, Tensor};

/// The most ties or norms from one parameter to the next.
const MAX_CHAIN: usize = 32;
/// The most errors that name a similar parameter. Each search reads all names of the model.
const MAX_SEARCHES: usize = 100;
/// The memory of a plan's parts, in bytes. A manifest of a megabyte could ask for far more than a machine has.
const MAX_PARTS_BYTES: usize = 256 << 20;

/// What each parameter of a model would hold.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The parameters, in the order of the model.
    pub entries: Vec<Entry>,
    /// What is allowed and most likely a mistake, a line each.
    pub warnings: Vec<String>,
    /// The preset that all rules come from, so that a remedy begins with `--rules`.
    only_preset: Option<String>,
}

/// A parameter's part of a plan.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The parameter, with the element type that it has in the model.
    pub parameter: Parameter,
    /// The rule that the parameter takes. `None`: no rule matches.
    pub rule: Option<RuleRef>,
    /// The fans that the rule's expressions and initialisers see, where there are any.
    pub fans: Option<Fans>,
    /// The name that the parameter's stream comes from, where it is not the parameter's.
    stream: Option<String>,
    /// What the parameter holds, or why it holds nothing.
    pub outcome: Outcome,
}

/// A rule that a parameter takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRef {
    /// The path of the rules' file, or the preset's name.
    pub origin: Arc<str>,
    /// Whether the origin is a preset of this crate.
    pub is_preset: bool,
    /// The number of the rule in its origin, counted from 1.
    pub number: usize,
    /// The line where the rule begins.
    pub line: usize,
    /// The glob that matches the parameter.
    pub glob: Arc<str>,
    /// The index among all rules.
    index: usize,
}

/// What a parameter holds.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Elements that are made.
    Make(Tensor),
    /// Elements of the source model, perhaps with some that are made.
    Copy(Tensor),
    /// The elements of another parameter of the model.
    Tie {
        /// The name of the other parameter.
        to: String,
        /// The tensor.
        tensor: Tensor,
    },
    /// Nothing: the output is without the parameter.
    Skip,
    /// Nothing: the parameter is a mistake.
    Error(Problem),
}

/// Why a parameter can't be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// A rule says that no initialiser is right, and why.
    Refused(String),
    /// No rule matches.
    NoRule,
    /// The rule can't be followed for this parameter.
    Mistake {
        /// The file and the number of the rule.
        rule: String,
        /// What can't be followed.
        error: Error,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => f.write_str(reason),
            Self::NoRule => f.write_str("no rule matches"),
            Self::Mistake { error, .. } => error.fmt(f),
        }
    }
}

impl Outcome {
    /// The tensor, unless there is none.
    pub fn tensor(&self) -> Option<&Tensor> {
        match self {
            Self::Make(tensor) | Self::Copy(tensor) | Self::Tie { tensor, .. } => Some(tensor),
            Self::Skip | Self::Error(_) => None,
        }
    }
}

impl Plan {
    /// Plans all parameters of a model.
    ///
    /// `source` has the parameters that rules copy; `dtype` is the element type of the floating-point parameters that are
    /// made, or `None` for that of each in the model.
    ///
    /// # Errors
    /// Mistakes that are no single parameter's: `[let]` entries, and streams that two parameters would share. A parameter's
    /// own mistakes are in its entry; [`check`](Self::check) returns them.
    pub fn new(model: &Model, source: Option<&Model>, rules: &Rules, dtype: Option<DType>) -> Result<Self> {
        let planner = Planner {
            model,
            source,
            rules,
            lets: lets::values(rules, model)?,
            dtype,
            origins: rules.origins.iter().map(|origin| Arc::from(&*origin.name)).collect(),
        };
        let mut state =
            State { entries: Vec::new(), chain: Vec::new(), searches: MAX_SEARCHES, room: MAX_PARTS_BYTES };
        state.entries.resize_with(model.parameters.len(), || None);
        for index in 0..model.parameters.len() {
            planner.entry(index, &mut state);
        }
        // In place: the entries of a large model are not moved.
        let entries: Vec<Entry> = state.entries.into_iter().map_while(|entry| entry).collect();
        check::streams(&entries, !rules.strip.is_empty())?;
        let warnings = check::warnings(&entries, model, rules);
        let all_presets = rules.origins.iter().all(|origin| origin.is_preset);
        let only_preset = rules.origins.first().filter(|_| all_presets).map(|origin| origin.name.clone());
        Ok(Self { entries, warnings, only_preset })
    }

    /// The tensors of the output, in the order of the model.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.entries.iter().filter_map(|entry| entry.outcome.tensor())
    }

    /// Checks that every parameter can be made.
    ///
    /// # Errors
    /// One error that lists the parameters that can't be made, by reason, with a remedy.
    pub fn check(&self) -> Result<()> {
        check::problems(&self.entries, self.only_preset.as_deref())
    }
}

/// What planning knows.
struct Planner<'a> {
    model: &'a Model,
    source: Option<&'a Model>,
    rules: &'a Rules,
    lets: BTreeMap<String, f64>,
    dtype: Option<DType>,
    origins: Vec<Arc<str>>,
}

/// The entries that are planned, and the parameters whose planning waits for others.
struct State {
    entries: Vec<Option<Entry>>,
    chain: Vec<usize>,
    /// The searches for similar names that are left.
    searches: usize,
    /// The memory for parts that is left, in bytes.
    room: usize,
}

impl Planner<'_> {
    /// Plans a parameter, unless it is planned.
    fn entry(&self, index: usize, state: &mut State) {
        if state.entries[index].is_some() {
            return;
        }
        let parameter = &self.model.parameters[index];
        state.chain.push(index);
        let chosen = self.choose(parameter);
        let (mut rule, mut fans) = (None, None);
        let outcome = match chosen {
            None => Outcome::Error(Problem::NoRule),
            Some(chosen) => {
                let made = content::outcome(self, parameter, &chosen, &mut fans, state);
                let outcome = made.unwrap_or_else(|error| {
                    let rule = chosen.rule.place(&self.rules.origins);
                    Outcome::Error(Problem::Mistake { rule, error })
                });
                rule = Some(chosen.reference);
                outcome
            }
        };
        state.chain.pop();
        let stream = self.rules.stream_name(&parameter.name);
        let stream = (stream != parameter.name).then(|| stream.to_owned());
        state.entries[index] = Some(Entry { parameter: parameter.clone(), rule, fans, stream, outcome });
    }

    /// The first rule that matches a parameter.
    fn choose(&self, parameter: &Parameter) -> Option<Chosen<'_>> {
        let rank = parameter.shape.len() as u64;
        let found = self.rules.matching_indices(&parameter.name).find_map(|(index, pattern)| {
            let rule = &self.rules.rules[index];
            let fits = (rule.rank[0]..=rule.rank[1]).contains(&rank)
                && rule.when.as_ref().is_none_or(|when| self.holds(when));
            if !fits {
                return None;
            }
            let pattern = &rule.patterns[pattern];
            let captures = if rule.uses_captures { pattern.capture(&parameter.name) } else { Vec::new() };
            if let (Some([min, max]), Some(of)) = (rule.of_rank, &rule.of) {
                let capture = |name: &str| captures.iter().find(|(other, _)| *other == name).map(|(_, n)| *n);
                let sibling = names::resolve(of, &parameter.name, &capture).ok()?;
                let rank = self.model.parameter(&sibling)?.shape.len() as u64;
                if !(min..=max).contains(&rank) {
                    return None;
                }
            }
            let captures = captures.into_iter().map(|(name, number)| (name.to_owned(), number)).collect();
            Some((index, rule, pattern, captures))
        });
        let (index, rule, pattern, captures) = found?;
        let reference = RuleRef {
            origin: self.origins[rule.origin].clone(),
            is_preset: self.rules.origins[rule.origin].is_preset,
            number: rule.number,
            line: rule.line,
            glob: pattern.shared_text(),
            index,
        };
        Some(Chosen { rule, captures, reference })
    }

    /// Whether config.json is as the condition says.
    fn holds(&self, when: &When) -> bool {
        let Some(value) = self.model.config.as_ref().and_then(|config| config.value(&when.config)) else {
            return false;
        };
        match &when.is {
            None => true,
            Some(Is::Truth(truth)) => value.as_bool() == Some(*truth),
            Some(Is::Number(number)) => value.as_f64() == Some(*number),
            Some(Is::Text(text)) => value.as_str() == Some(text),
        }
    }

    /// The element type that a parameter is made with.
    fn made_as(&self, parameter: &Parameter) -> Dtype {
        let chosen = self.dtype.filter(|_| is_floating(parameter.dtype)).and_then(crate::parameter::in_file);
        chosen.unwrap_or(parameter.dtype)
    }
}

/// The rule that a parameter takes, with the numbers of its captures.
struct Chosen<'a> {
    rule: &'a Rule,
    captures: Vec<(String, u64)>,
    reference: RuleRef,
}

impl Chosen<'_> {
    fn capture(&self, name: &str) -> Option<u64> {
        self.captures.iter().find(|(other, _)| other == name).map(|(_, number)| *number)
    }
}

impl Entry {
    /// The name that the parameter's stream comes from: the parameter's own, without the prefixes of the rules.
    pub fn stream(&self) -> &str {
        self.stream.as_deref().unwrap_or(&self.parameter.name)
    }

    /// What the parameter gets, for a person: the initialiser with its numbers, `copied`, `skipped`, …
    pub fn description(&self) -> String {
        match &self.outcome {
            Outcome::Make(tensor) | Outcome::Copy(tensor) => describe(tensor),
            Outcome::Tie { to, .. } => format!("tied to {to}"),
            Outcome::Skip => "skipped".into(),
            Outcome::Error(problem) => problem.to_string(),
        }
    }
}

/// What a tensor holds, for a person: the initialiser with its numbers, `copied`, …
pub fn describe(tensor: &Tensor) -> String {
    let text = |source: &Source| match source {
        Source::Init { init, .. } => init.to_string(),
        Source::Copy { name, .. } if *name == tensor.name => "copied".into(),
        Source::Copy { name, .. } => format!("copied from {name}"),
        Source::Formula { text, .. } => match text.parse::<f64>() {
            Ok(value) => format!("constant({value})"),
            Err(_) => format!("formula({text:?})"),
        },
        Source::Norm { of, axis } => format!("norm(of={},axis={axis})", of.name),
    };
    if let [only] = &tensor.content.sources[..] {
        return text(only);
    }
    // Repeated texts are counted, in the order of their first parts.
    let counts = tensor.content.counts();
    let mut parts: Vec<(String, usize)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (source, count) in tensor.content.sources.iter().zip(counts) {
        if count == 0 && tensor.content.sources.len() > 1 {
            continue;
        }
        let text = text(source);
        match places.get(&text) {
            Some(&place) => parts[place].1 += 1,
            None => {
                places.insert(text.clone(), parts.len());
                parts.push((text, 1));
            }
        }
    }
    let parts: Vec<_> = parts
        .into_iter()
        .map(|(text, number)| if number == 1 { text } else { format!("{number} x {text}") })
        .collect();
    parts.join(" + ")
}

impl Rules {
    /// Whether any rule has this action, so that a source is needed.
    pub fn copies(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.action, Action::Copy { .. }))
    }
}

#[cfg(test)]
mod tests;
