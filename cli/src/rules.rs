//! Rules, which give each parameter its initialiser. The top of `default_rules.toml` describes the syntax,
//! where users see it.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use globset::{GlobBuilder, GlobMatcher};
use seedbed::Init;
use serde::Deserialize;
use toml::Spanned;

use crate::parameter::Parameter;

/// The built-in rules, as `seedbed rules` prints them.
pub const DEFAULT: &str = include_str!("default_rules.toml");

/// The largest number of parameters without a rule that an error names.
const NAMED_IN_ERRORS: usize = 10;

/// Rules in order: the first that matches wins.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    /// Whether the rules are the user's own.
    custom: bool,
    /// Prefixes of names that the streams do not depend on.
    strip: Vec<String>,
}

#[derive(Debug)]
struct Rule {
    name: GlobMatcher,
    rank: Option<u64>,
    min_rank: Option<u64>,
    outcome: Outcome,
}

/// What a rule gives a parameter.
#[derive(Debug)]
pub enum Outcome {
    /// The initialiser.
    Init(Init),
    /// The reason why no initialiser is right.
    Refuse(String),
    /// The output is without the parameter.
    Skip,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    #[serde(default)]
    rule: Vec<RuleText>,
    #[serde(default)]
    names: NamesText,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamesText {
    #[serde(default)]
    strip: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    r#match: Spanned<String>,
    rank: Option<u64>,
    min_rank: Option<Spanned<u64>>,
    init: Option<Spanned<String>>,
    refuse: Option<Spanned<String>>,
    skip: Option<Spanned<bool>>,
}

impl Rules {
    /// The rules of a file, or the built-in rules.
    pub fn load(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Self::parse(DEFAULT, false) };
        let text = std::fs::read(path)
            .map_err(anyhow::Error::from)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| anyhow!("not UTF-8 text, as TOML is")))
            .and_then(|text| Self::parse(&text, true));
        text.with_context(|| path.display().to_string())
    }

    fn parse(text: &str, custom: bool) -> Result<Self> {
        let (rules, strip) = parse(text)?;
        Ok(Self { rules, custom, strip })
    }

    /// The same rules with more prefixes of names that the streams do not depend on.
    pub fn stripping(mut self, prefixes: &[String]) -> Self {
        self.strip.extend_from_slice(prefixes);
        self
    }

    /// The prefixes to strip that stand in no name at all, most likely by a typing mistake.
    pub fn unused_prefixes(&self, parameters: &[Parameter]) -> Vec<&str> {
        let used = |prefix: &&str| parameters.iter().any(|parameter| parameter.name.contains(prefix));
        self.strip.iter().map(String::as_str).filter(|prefix| !used(prefix)).collect()
    }

    /// The name that a parameter's stream is derived from: the name without the prefixes to strip, in any order
    /// and number. A name that would be empty stays.
    pub fn stream_name<'a>(&self, mut name: &'a str) -> &'a str {
        let prefixes = || self.strip.iter().filter(|prefix| !prefix.is_empty());
        while let Some(rest) = prefixes().find_map(|prefix| name.strip_prefix(prefix.as_str())) {
            if rest.is_empty() {
                break;
            }
            name = rest;
        }
        name
    }

    /// Whether the output is without this parameter.
    pub fn skips(&self, parameter: &Parameter) -> bool {
        matches!(self.decide(parameter), Some((.., Outcome::Skip)))
    }

    /// The rule that a parameter takes: its number, counted from 1, its glob, and what it gives.
    pub fn decide(&self, parameter: &Parameter) -> Option<(usize, &str, &Outcome)> {
        let rule = (1..).zip(&self.rules).find(|(_, rule)| rule.matches(parameter));
        rule.map(|(number, rule)| (number, rule.name.glob().glob(), &rule.outcome))
    }

    /// The initialiser of each parameter that is not skipped, in order. An error lists the parameters that a rule refuses, or
    /// those that no rule matches.
    pub fn assign(&self, parameters: &[Parameter]) -> Result<Vec<Init>> {
        let (mut inits, mut lacking) = (Vec::new(), Vec::new());
        let mut refused: Vec<(&str, Vec<&Parameter>)> = Vec::new();
        for parameter in parameters {
            match self.decide(parameter).map(|(.., outcome)| outcome) {
                Some(Outcome::Init(init)) => inits.push(*init),
                Some(Outcome::Skip) => {}
                Some(Outcome::Refuse(reason)) => {
                    match refused.iter_mut().find(|(other, _)| other == reason) {
                        Some((_, parameters)) => parameters.push(parameter),
                        None => refused.push((reason, vec![parameter])),
                    }
                }
                None => lacking.push(parameter),
            }
        }
        let remedy = if self.custom {
            "add a rule before it"
        } else {
            "give --rules a file with a rule for it (`seedbed rules` prints the built-in ones)"
        };
        if !refused.is_empty() {
            let reasons =
                refused.iter().map(|(reason, parameters)| format!("{}: {reason}", list(parameters)));
            bail!("no initialiser is right for {}; {remedy}", reasons.collect::<Vec<_>>().join("; "));
        }
        if !lacking.is_empty() {
            let (these, remedy) = (
                if lacking.len() == 1 { "this parameter" } else { "these parameters" },
                if self.custom {
                    "add one"
                } else {
                    "give --rules a file with one (`seedbed rules` prints the built-in ones)"
                },
            );
            bail!("no rule matches {these}: {}; {remedy}", list(&lacking));
        }
        Ok(inits)
    }

    /// Checks that no two parameters have the same name once prefixes are stripped: their values would be equal.
    pub fn check_streams(&self, parameters: &[Parameter]) -> Result<()> {
        let mut by_stream = HashMap::new();
        for Parameter { name, .. } in parameters {
            if let Some(other) = by_stream.insert(self.stream_name(name), name) {
                let stream = self.stream_name(name);
                bail!(
                    "{other:?} and {name:?} are both {stream:?} without the prefixes, and would get the same values"
                );
            }
        }
        Ok(())
    }

    /// The user's rules that match no parameter at all, most likely by a typing mistake: number and glob of
    /// each. Rules that were copied from the built-in ones, and rules that refuse, need not match anything.
    pub fn without_effect(&self, parameters: &[Parameter]) -> Vec<(usize, &str)> {
        if !self.custom {
            return Vec::new();
        }
        let (built_in, _) = parse(DEFAULT).unwrap_or_default();
        let is_own = |rule: &Rule| {
            let glob = rule.name.glob();
            let copied = built_in.iter().any(|other| other.name.glob() == glob);
            !copied && !matches!(rule.outcome, Outcome::Refuse(_))
        };
        let own = self.rules.iter().enumerate().filter(|(_, rule)| is_own(rule));
        own.filter(|(_, rule)| !parameters.iter().any(|p| rule.matches(p)))
            .map(|(i, rule)| (i + 1, rule.name.glob().glob()))
            .collect()
    }
}

impl Rule {
    fn matches(&self, parameter: &Parameter) -> bool {
        let rank = parameter.shape.len() as u64;
        self.rank.is_none_or(|r| rank == r)
            && self.min_rank.is_none_or(|r| rank >= r)
            && self.name.is_match(&parameter.name)
    }
}

/// Writes the rules in one line, for the metadata of the output file.
impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, rule) in self.rules.iter().enumerate() {
            write!(f, "{}{:?}", if i == 0 { "" } else { "; " }, rule.name.glob().glob())?;
            if let Some(rank) = rule.rank {
                write!(f, " rank={rank}")?;
            }
            if let Some(min_rank) = rule.min_rank {
                write!(f, " min_rank={min_rank}")?;
            }
            match &rule.outcome {
                Outcome::Init(init) => write!(f, " -> {init}")?,
                Outcome::Refuse(_) => write!(f, " -> refused")?,
                Outcome::Skip => write!(f, " -> skipped")?,
            }
        }
        if !self.strip.is_empty() {
            write!(f, "; strip {:?}", self.strip)?;
        }
        Ok(())
    }
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

/// The rules of a text, and the prefixes to strip from names.
fn parse(text: &str) -> Result<(Vec<Rule>, Vec<String>)> {
    let file: RulesFile = toml::from_str(text).map_err(|error| {
        let what = error.message().replace('\n', ", ");
        match error.span() {
            Some(span) => anyhow!("{}: {what}", place(text, span.start)),
            None => anyhow!("{what}"),
        }
    })?;
    ensure!(!file.rule.is_empty(), "there is no [[rule]] in it; `seedbed rules` prints an example");
    let numbered = file.rule.into_iter().zip(1..);
    let rules = numbered.map(|(rule, number)| compile(text, rule).with_context(|| format!("rule {number}")));
    Ok((rules.collect::<Result<_>>()?, file.names.strip))
}

fn compile(text: &str, rule: RuleText) -> Result<Rule> {
    let at = |offset| place(text, offset);
    let name = GlobBuilder::new(rule.r#match.get_ref())
        // A backslash escapes on every system.
        .backslash_escape(true)
        .build()
        .with_context(|| at(rule.r#match.span().start))?
        .compile_matcher();
    let outcome = match (rule.init, rule.refuse, rule.skip) {
        (Some(init), None, None) => {
            Outcome::Init(init.get_ref().parse().with_context(|| at(init.span().start))?)
        }
        (None, Some(reason), None) => Outcome::Refuse(reason.into_inner()),
        (None, None, Some(skip)) if *skip.get_ref() => Outcome::Skip,
        (None, None, Some(skip)) => bail!("{}: skip is true or absent", at(skip.span().start)),
        (None, None, None) => {
            bail!("{}: missing field `init` (or `refuse`, or `skip`)", at(rule.r#match.span().start))
        }
        _ => bail!("{}: init, refuse and skip exclude each other; give one", at(rule.r#match.span().start)),
    };
    if let (Some(_), Some(min_rank)) = (rule.rank, &rule.min_rank) {
        bail!("{}: rank and min_rank exclude each other; give one", at(min_rank.span().start));
    }
    Ok(Rule { name, rank: rule.rank, min_rank: rule.min_rank.map(Spanned::into_inner), outcome })
}

/// Line and column of a byte offset, counted from 1: "line 3 column 9".
fn place(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
    format!("line {line} column {column}")
}

#[cfg(test)]
mod tests {
    use safetensors::Dtype;

    use super::*;

    fn parameter(name: &str, shape: &[u64]) -> Parameter {
        Parameter { name: name.into(), shape: shape.into(), dtype: Dtype::F32 }
    }

    fn custom(text: &str) -> Rules {
        Rules::parse(text, true).unwrap()
    }

    #[test]
    fn built_in_rules() {
        let rules = Rules::load(None).unwrap();
        let parameters = [
            parameter("h.0.ln_1.weight", &[768]),
            parameter("h.0.ln_1.bias", &[768]),
            parameter("attn.in_proj_bias", &[2304]),
            parameter("odd.bias", &[2, 2]),
            parameter("conv.weight", &[64, 3, 7, 7]),
        ];
        let (zero, one) = (Init::constant(0.0), Init::constant(1.0));
        assert_eq!(rules.assign(&parameters).unwrap(), [one, zero, zero, zero, Init::xavier_normal()]);
        let text = rules.to_string();
        let end =
            "\"*{weight,gamma,scale}\" rank=1 -> constant(1); \"*\" min_rank=2 -> xavier_normal(gain=1)";
        assert!(text.contains("\"*bias\" min_rank=3 -> refused; ") && text.ends_with(end), "{text}");
    }

    /// Names of checkpoints that people have reported as initialised wrongly, with the values of their frameworks.
    #[test]
    fn built_in_rules_know_the_names_of_frameworks() {
        let rules = Rules::load(None).unwrap();
        let (zero, one) = (Init::constant(0.0), Init::constant(1.0));
        for (name, shape, init) in [
            // torch.nn.LSTM, GRU and RNN
            ("rnn.weight_ih_l0", &[32, 8][..], Init::xavier_normal()),
            ("rnn.bias_ih_l0", &[32], zero),
            ("rnn.bias_hh_l12", &[32], zero),
            ("rnn.bias_ih_l0_reverse", &[32], zero),
            ("cell.bias_ih", &[32], zero),
            // BERT as TensorFlow saved it, Keras, Flax
            ("bert.embeddings.LayerNorm.gamma", &[8], one),
            ("bert.embeddings.LayerNorm.beta", &[8], zero),
            ("encoder/layer_norm/scale", &[8], one),
            ("batch_normalization/moving_mean", &[8], zero),
            ("batch_normalization/moving_variance", &[8], one),
            // torch.nn.BatchNorm2d
            ("bn1.weight", &[8], one),
            ("bn1.bias", &[8], zero),
            ("bn1.running_mean", &[8], zero),
            ("bn1.running_var", &[8], one),
            ("attn.in_proj_bias", &[2304], zero),
            ("h.0.attn.c_attn.bias", &[24], zero),
            ("relative_attention_bias.weight", &[32, 8], Init::xavier_normal()),
            ("layers.0.mlp.experts.3.w1.weight", &[64, 256], Init::xavier_normal()),
        ] {
            assert_eq!(rules.assign(&[parameter(name, shape)]).unwrap(), [init], "{name}");
        }
        for (name, shape, reason) in [
            ("h.0.attn.bias", &[1, 1, 64, 64][..], "attention masks"),
            ("h.0.attn.masked_bias", &[], "a mask"),
            ("embeddings.position_ids", &[1, 16], "computes this buffer"),
            ("rotary_emb.inv_freq", &[32], "computes this buffer"),
            ("down_proj.weight_scale_inv", &[1, 1], "a quantised weight"),
            ("conv.weight_g", &[8, 1, 1], "weight_norm"),
            ("blocks.0.ls1.gamma", &[8], "LayerScale"),
            ("stages.0.blocks.12.gamma", &[8], "LayerScale"),
            ("features.1.0.layer_scale", &[8, 1, 1], "LayerScale"),
            ("convnext.encoder.stages.0.layers.0.layer_scale_parameter", &[8], "LayerScale"),
            ("q_proj.scales", &[4, 8], "a quantised weight"),
            ("layers.0.mlp.experts.gate_up_proj", &[8, 64, 256], "jax::glorot_normal(batch_axis=0)"),
            ("blocks.0.ls1.gamma_1", &[8], "LayerScale"),
            ("mixer.A_log", &[16, 8], "Mamba"),
            ("mixer.dt_proj.bias", &[16], "Mamba"),
            ("logit_scale", &[], "CLIP"),
            ("vision_model.embeddings.class_embedding", &[8], "CLIP"),
            ("features.prelu1.weight", &[1], "PReLU"),
        ] {
            let ok = parameter("fc.weight", &[4, 4]);
            let error = rules.assign(&[ok, parameter(name, shape)]).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("no initialiser is right for {name:?} {shape:?}: ")),
                "{error}"
            );
            assert!(error.contains(reason) && error.contains("--rules") && !error.contains('\n'), "{error}");
        }
        // A vector that no framework names so is not guessed.
        let error = rules.assign(&[parameter("mixer.D", &[16])]).unwrap_err().to_string();
        assert!(
            error.starts_with("no rule matches this parameter: \"mixer.D\" [16]; give --rules"),
            "{error}"
        );
    }

    #[test]
    fn prefixes_are_stripped_from_the_names_of_streams() {
        let rules = custom(
            "[names]\nstrip = ['module.', '_orig_mod.']\n[[rule]]\nmatch = '_orig_mod.*'\ninit = 'ones'",
        );
        for (name, stream) in [
            ("_orig_mod.fc.weight", "fc.weight"),
            ("module._orig_mod.module.fc.weight", "fc.weight"),
            ("fc.module.weight", "fc.module.weight"),
            ("module.", "module."),
        ] {
            assert_eq!(rules.stream_name(name), stream);
        }
        let twins = [parameter("fc.weight", &[2]), parameter("module.fc.weight", &[2])];
        assert_eq!(
            rules.check_streams(&twins).unwrap_err().to_string(),
            "\"fc.weight\" and \"module.fc.weight\" are both \"fc.weight\" without the prefixes, and would get the same \
             values"
        );
        rules.check_streams(&twins[1..]).unwrap();
        // A glob sees the whole name.
        assert_eq!(rules.assign(&[parameter("_orig_mod.fc.weight", &[2])]).unwrap(), [Init::Ones]);
        let more = rules.stripping(&["fc.".into(), String::new()]);
        assert_eq!(more.stream_name("module.fc.weight"), "weight");
        assert!(more.to_string().ends_with("; strip [\"module.\", \"_orig_mod.\", \"fc.\", \"\"]"), "{more}");
    }

    #[test]
    fn skipped_parameters_have_no_initialiser() {
        let rules = custom("[[rule]]\nmatch = '*.a'\nskip = true\n[[rule]]\nmatch = '*'\ninit = 'ones'");
        let parameters = ["0.a", "b", "1.a"].map(|name| parameter(name, &[1]));
        assert_eq!(parameters.each_ref().map(|p| rules.skips(p)), [true, false, true]);
        assert_eq!(rules.assign(&parameters).unwrap(), [Init::Ones]);
        assert_eq!(rules.to_string(), "\"*.a\" -> skipped; \"*\" -> ones()");
    }

    #[test]
    fn refused_parameters_are_listed_by_their_reasons() {
        let rules = custom(
            "[[rule]]\nmatch = '*.a'\nrefuse = 'because'\n[[rule]]\nmatch = '*.b'\nrefuse = 'since'\n[[rule]]\nmatch = '*'\ninit = 'ones'",
        );
        let parameters: Vec<_> =
            ["0.a", "0.b", "1.a", "c"].into_iter().map(|name| parameter(name, &[1])).collect();
        assert_eq!(
            rules.assign(&parameters).unwrap_err().to_string(),
            "no initialiser is right for \"0.a\" [1], \"1.a\" [1]: because; \"0.b\" [1]: since; add a rule before it"
        );
        assert_eq!(rules.to_string(), "\"*.a\" -> refused; \"*.b\" -> refused; \"*\" -> ones()");
    }

    #[test]
    fn the_first_match_wins_and_stars_cross_dots_and_slashes() {
        let rules = custom(
            "[[rule]]\nmatch = 'a.*.w'\ninit = 'ones'\n[[rule]]\nmatch = 'a.{b,c}*'\ninit = 'zeros'\n[[rule]]\nmatch = 'x'\ninit = 'ones'",
        );
        let parameters = [parameter("a.b.c/d.w", &[1]), parameter("a.b", &[]), parameter("a.c.W", &[3, 3])];
        assert_eq!(rules.assign(&parameters).unwrap(), [Init::Ones, Init::Zeros, Init::Zeros]);
        assert_eq!(rules.without_effect(&parameters), [(3, "x")]);
    }

    #[test]
    fn all_parameters_without_a_rule_are_listed() {
        let parameters: Vec<_> = (0..12).map(|i| parameter(&format!("scalar{i}"), &[])).collect();
        let error = Rules::load(None).unwrap().assign(&parameters).unwrap_err().to_string();
        assert!(
            error.contains("\"scalar0\" [], \"scalar1\" []") && error.contains("and 2 more; give --rules"),
            "{error}"
        );
    }

    #[test]
    fn mistakes_have_a_place() {
        for (text, message) in [
            ("", "there is no [[rule]]"),
            ("[[rule]\n", "line 1 column 8"),
            (
                "[[rule]]\nmatch = '*'\n",
                "rule 1: line 2 column 9: missing field `init` (or `refuse`, or `skip`)",
            ),
            (
                "[[rule]]\nmatch = '*'\ninit = 'ones'\nrefuse = 'no'",
                "rule 1: line 2 column 9: init, refuse and skip exclude each other",
            ),
            ("[[rule]]\nmatch = '*'\nskip = false", "rule 1: line 3 column 8: skip is true or absent"),
            ("[[rule]]\nmatch = '*'\ninit = 'zeros'\nranks = 1", "line 4 column 1: unknown field `ranks`"),
            ("[[rules]]\n", "line 1 column 3: unknown field `rules`"),
            ("[[rule]]\nmatch = '*'\ninit = 'zeros'\nrank = -1", "line 4 column 8"),
            (
                "[[rule]]\nmatch = '*'\ninit = 'ones'\n[[rule]]\nmatch = '[a'\ninit = 'zeros'",
                "rule 2: line 5 column 9: error parsing glob '[a'",
            ),
            (
                "[[rule]]\nmatch = '*'\ninit = 'orthogonl'",
                "rule 1: line 3 column 8: \"orthogonl\" is not an initialiser",
            ),
            (
                "[[rule]]\nmatch = '*'\nrank = 1\nmin_rank = 1\ninit = 'zeros'",
                "rule 1: line 4 column 12: rank and min_rank",
            ),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(message) && !error.contains('\n'), "{text}: {error}");
        }
    }
}
