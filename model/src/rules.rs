//! Rules, which give each parameter its initialiser: text -> compiled rules. The guide docs/MODELS.md describes every key.

mod pattern;
mod presets;
mod text;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;

use regex::bytes::RegexSet;
use sha2::{Digest, Sha256};
use toml::Spanned;

use self::pattern::Pattern;
pub use self::presets::{PRESETS, Preset};
pub(crate) use self::text::{Is, Layout, When};
use crate::error::{At, Error, Result, bail, ensure, one_line};
use crate::expression::{Expression, is_reserved};
use crate::initialiser::Initialiser;
use crate::names;
use crate::remedy;

/// The largest file of rules, in bytes.
const MAX_TEXT: u64 = 4 << 20;
/// The most parts of a split, slices of an unstack, or rows.
pub(crate) const MAX_PARTS: u64 = 1 << 16;

/// Rules in order: the first that matches a parameter wins.
#[derive(Debug)]
pub struct Rules {
    pub(crate) rules: Vec<Rule>,
    /// The files and presets that the rules come from.
    pub(crate) origins: Vec<Origin>,
    /// Prefixes of names that the streams do not depend on.
    pub(crate) strip: Vec<String>,
    pub(crate) lets: BTreeMap<String, Let>,
    set: RegexSet,
    /// The rule and the pattern of each member of the set.
    members: Vec<(usize, usize)>,
}

/// Where rules come from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The path of the file, or the preset's name.
    pub name: String,
    /// Whether this is a preset of this crate, or the built-in rules.
    pub is_preset: bool,
    digest: [u8; 32],
}

/// A rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The index of its origin.
    pub(crate) origin: usize,
    /// Its number there, counted from 1.
    pub(crate) number: usize,
    /// The line where it begins.
    pub(crate) line: usize,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) rank: [u64; 2],
    pub(crate) when: Option<When>,
    /// The ranks of `of` with which the rule matches.
    pub(crate) of_rank: Option<[u64; 2]>,
    pub(crate) of: Option<String>,
    pub(crate) layout: Layout,
    /// Whether the layout was given, so that initialisers take its fans.
    pub(crate) has_layout: bool,
    pub(crate) groups: Option<Expression>,
    pub(crate) fan_in: Option<Expression>,
    pub(crate) fan_out: Option<Expression>,
    pub(crate) action: Action,
    /// Whether anything uses the captures' numbers.
    pub(crate) uses_captures: bool,
}

/// What a rule does.
#[derive(Debug)]
pub(crate) enum Action {
    Init { inits: Vec<Initialiser>, parts: Parts, names: Vec<String>, rows: Vec<(Row, Initialiser)> },
    Copy { name: Option<String>, grow: Option<Initialiser>, rows: Vec<(Row, Initialiser)> },
    Tie(String),
    Refuse(String),
    Skip,
}

/// How a tensor is cut.
#[derive(Debug)]
pub(crate) enum Parts {
    Whole,
    Into { axis: i64, parts: u64 },
    Sizes { axis: i64, sizes: Vec<Expression> },
    Unstack { axis: i64 },
}

/// The number of a row: itself, or the name of a number.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Number(i64),
    Name(String),
}

/// A name of expressions.
#[derive(Clone, Debug)]
pub(crate) enum Let {
    Expression(Expression),
    /// How many values a capture takes.
    Count(String),
    Config {
        key: String,
        default: Option<Box<Let>>,
    },
}

impl Rules {
    /// The rules of a text. `name` is the file's, for errors.
    ///
    /// # Errors
    /// Mistakes of the text and rules that contradict themselves, with line and column.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        Self::compile(text, name, false, 0).at(|| name)
    }

    /// The rules of a file.
    ///
    /// # Errors
    /// The errors of [`parse`](Self::parse), and of reading.
    pub fn load(path: &Path) -> Result<Self> {
        let read = || -> Result<String> {
            let metadata = std::fs::metadata(path)?;
            ensure!(metadata.is_file(), "not a regular file");
            ensure!(
                metadata.len() <= MAX_TEXT,
                "{} bytes are too many for rules; the limit is {MAX_TEXT}",
                metadata.len()
            );
            String::from_utf8(std::fs::read(path)?).map_err(|_| Error::new("not UTF-8 text, as TOML is"))
        };
        let text = read().at(|| path.display())?;
        Self::parse(&text, &path.display().to_string())
    }

    /// The rules of a preset, or the built-in rules, whose name is `default`.
    ///
    /// # Errors
    /// A name that is no preset's, with those that are.
    pub fn preset(name: &str) -> Result<Self> {
        let preset = Preset::find(name)?;
        Self::compile(preset.text, preset.name, true, 0).at(|| format!("preset {name}"))
    }

    /// The built-in rules.
    ///
    /// # Errors
    /// None: the built-in rules are valid.
    pub fn built_in() -> Result<Self> {
        Self::preset("default")
    }

    /// These rules, and then those of `others` for parameters that none of these matches. Names of `[let]` that both have
    /// are these rules'.
    #[must_use]
    pub fn then(mut self, others: Self) -> Self {
        let offset = self.origins.len();
        self.origins.extend(others.origins);
        self.rules.extend(others.rules.into_iter().map(|rule| Rule { origin: rule.origin + offset, ..rule }));
        for (name, value) in others.lets {
            self.lets.entry(name).or_insert(value);
        }
        self.strip.extend(others.strip);
        self.indexed()
    }

    /// The same rules with more prefixes of names that the streams do not depend on.
    #[must_use]
    pub fn stripping(mut self, prefixes: &[String]) -> Self {
        self.strip.extend_from_slice(prefixes);
        self
    }

    /// The files and presets that the rules come from, in order.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// The name that a parameter's stream is derived from: the name without the prefixes to strip, in any order
    /// and number. A name that would be empty stays.
    pub fn stream_name<'a>(&self, name: &'a str) -> &'a str {
        names::strip(name, &self.strip)
    }

    /// SHA-256 of the texts of the rules and the prefixes, in hexadecimal.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for origin in &self.origins {
            hash.update(origin.digest);
        }
        for prefix in &self.strip {
            hash.update((prefix.len() as u64).to_le_bytes());
            hash.update(prefix);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The rules that match a name, in order: the index of each, and that of its first pattern that matches.
    pub(crate) fn matching_indices(&self, name: &str) -> impl Iterator<Item = (usize, usize)> {
        let mut last = None;
        let members: Vec<_> = self.set.matches(name.as_bytes()).into_iter().collect();
        members.into_iter().filter_map(move |member| {
            let (rule, pattern) = self.members[member];
            (last.replace(rule) != Some(rule)).then_some((rule, pattern))
        })
    }

    fn compile(text: &str, name: &str, is_preset: bool, depth: usize) -> Result<Self> {
        let file: text::RulesFile = toml::from_str(text).map_err(|error| {
            let what = error.message().replace('\n', ", ");
            match error.span() {
                Some(span) => Error::new(what).at(place(text, span.start)),
                None => Error::new(what),
            }
        })?;
        ensure!(
            !file.rule.is_empty() || file.preset.is_some(),
            "there is no [[rule]] in it; {}",
            remedy::EXAMPLE
        );
        let mut lets = BTreeMap::new();
        for (name, value) in &file.r#let {
            let at = || place(text, value.span().start);
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !is_name || is_reserved(name) {
                let what = format_args!(
                    "[let] {name}: give another name, of letters, digits and _, without a meaning in expressions"
                );
                return Err(Error::new(what).at(at()));
            }
            lets.insert(name.clone(), of_let(value.get_ref()).at(|| format!("[let] {name}")).at(at)?);
        }
        let mut rules = Vec::new();
        // The lines are counted once, from rule to rule.
        let (mut line, mut counted) = (1, 0);
        for (rule, number) in file.rule.into_iter().zip(1..) {
            let start = rule.span().start;
            line += text.get(counted..start).map_or(0, |between| between.matches('\n').count());
            counted = counted.max(start);
            let rule = rule.into_inner();
            rules.push(compile_rule(text, rule, number, line, &lets).at(|| format!("rule {number}"))?);
        }
        let digest = Sha256::digest(text).into();
        let own = Self {
            rules,
            origins: vec![Origin { name: name.to_owned(), is_preset, digest }],
            strip: file.names.strip,
            lets,
            set: RegexSet::empty(),
            members: Vec::new(),
        };
        let Some(base) = file.preset else { return Ok(own.indexed()) };
        let at = || place(text, base.span().start);
        ensure!(depth < 4, "{}: presets follow presets without an end", at());
        let preset = Preset::find(base.get_ref()).at(at)?;
        let base = Self::compile(preset.text, preset.name, true, depth + 1)
            .at(|| format!("preset {}", preset.name))?;
        Ok(own.then(base))
    }

    /// The rules with the set of all patterns, which finds the rules of a name in one pass over its bytes.
    fn indexed(mut self) -> Self {
        let all = self.rules.iter().enumerate();
        self.members =
            all.flat_map(|(rule, r)| (0..r.patterns.len()).map(move |pattern| (rule, pattern))).collect();
        let regexes = self.rules.iter().flat_map(|rule| rule.patterns.iter().map(Pattern::regex));
        // Each regex compiled alone, and the limit of the set's size is out of reach of texts of MAX_TEXT bytes.
        self.set = regex::bytes::RegexSetBuilder::new(regexes)
            .size_limit(1 << 30)
            .dfa_size_limit(32 << 20)
            .build()
            .unwrap_or_else(|_| RegexSet::empty());
        self
    }
}

/// The names of the rules in one line, for the metadata of the output file: `my_rules.toml, gpt2`.
impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, origin) in self.origins.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, origin.name)?;
        }
        Ok(())
    }
}

fn of_let(value: &text::Let) -> Result<Let> {
    Ok(match value {
        text::Let::Number(value) => Let::Expression(Expression::parse(&value.to_string())?),
        text::Let::Expression(text) => match count(text)? {
            Some(capture) => Let::Count(capture),
            None => Let::Expression(Expression::parse(text)?),
        },
        text::Let::Config(from) => {
            let default = match &from.default {
                Some(text::Number::Number(value)) => Some(text::Let::Number(*value)),
                Some(text::Number::Expression(text)) => Some(text::Let::Expression(text.clone())),
                None => None,
            };
            let default = default.map(|value| of_let(&value)).transpose()?.map(Box::new);
            Let::Config { key: from.config.clone(), default }
        }
    })
}

/// The capture of `count(capture)`.
fn count(text: &str) -> Result<Option<String>> {
    let Some(rest) = text.trim().strip_prefix("count") else { return Ok(None) };
    let Some(inside) = rest.trim_start().strip_prefix('(') else { return Ok(None) };
    let capture = inside
        .trim_end()
        .strip_suffix(')')
        .map(str::trim)
        .filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    let Some(capture) = capture else {
        bail!("{text:?}: count(capture) stands alone; use its name in another entry")
    };
    Ok(Some(capture.to_owned()))
}

fn compile_rule(
    text: &str,
    rule: text::Rule,
    number: usize,
    line: usize,
    lets: &BTreeMap<String, Let>,
) -> Result<Rule> {
    let at = |offset: usize| place(text, offset);
    let start = rule.r#match.span().start;
    let patterns = rule.r#match.get_ref().all().iter().map(|glob| Pattern::parse(glob));
    let patterns = patterns.collect::<Result<Vec<_>>>().at(|| at(start))?;
    ensure!(!patterns.is_empty(), "{}: match is an empty list", at(start));
    if rule.rank.is_some() && (rule.min_rank.is_some() || rule.max_rank.is_some()) {
        bail!("{}: rank excludes min_rank and max_rank; give one", at(start));
    }
    if rule.of_rank.is_some() && rule.of_min_rank.is_some() {
        bail!("{}: of_rank and of_min_rank exclude each other; give one", at(start));
    }
    let ranks = |exact: Option<u64>, min: Option<u64>, max: Option<u64>| match exact {
        Some(rank) => [rank, rank],
        None => [min.unwrap_or(0), max.unwrap_or(u64::MAX)],
    };
    let rank = ranks(rule.rank, rule.min_rank, rule.max_rank);
    ensure!(rank[0] <= rank[1], "{}: no rank is {} or more and {} or less", at(start), rank[0], rank[1]);
    let of_rank = (rule.of_rank.is_some() || rule.of_min_rank.is_some())
        .then(|| ranks(rule.of_rank, rule.of_min_rank, None));
    ensure!(of_rank.is_none() || rule.of.is_some(), "{}: of_rank needs `of`", at(start));

    // Which keys an outcome can have beside it.
    let outcomes = [
        rule.init.is_some(),
        rule.copy.is_some(),
        rule.tie.is_some(),
        rule.refuse.is_some(),
        rule.skip.is_some(),
    ];
    match outcomes.iter().filter(|&&given| given).count() {
        1 => {}
        0 => bail!("{}: missing field `init` (or `copy`, `tie`, `refuse`, `skip`)", at(start)),
        _ => bail!("{}: init, copy, tie, refuse and skip exclude each other; give one", at(start)),
    }
    let only_init = [
        ("layout", rule.layout.as_ref().map(|key| key.span().start)),
        ("groups", rule.groups.as_ref().map(|key| key.span().start)),
        ("fans", rule.fans.as_ref().map(|key| key.span().start)),
        ("split", rule.split.as_ref().map(|key| key.span().start)),
        ("unstack", rule.unstack.as_ref().map(|key| key.span().start)),
        ("names", rule.names.as_ref().map(|key| key.span().start)),
    ];
    if rule.init.is_none() {
        for (key, span) in only_init {
            if let Some(span) = span {
                bail!("{}: {key} goes with init alone", at(span));
            }
        }
    }
    if let Some(rows) = &rule.rows {
        let fits = rule.init.is_some() || rule.copy.is_some();
        ensure!(fits, "{}: rows goes with init or copy", at(rows.span().start));
    }
    if let Some(grow) = &rule.grow {
        ensure!(rule.copy.is_some(), "{}: grow goes with copy", at(grow.span().start));
    }

    let number_of = |value: &text::Number, span: usize, key: &str| {
        Expression::parse(&value.text()).at(|| key.to_owned()).at(|| at(span))
    };
    let groups = match &rule.groups {
        Some(groups) => Some(number_of(groups.get_ref(), groups.span().start, "groups")?),
        None => None,
    };
    let (mut fan_in, mut fan_out) = (None, None);
    if let Some(fans) = &rule.fans {
        let span = fans.span().start;
        let text::Fans { r#in, out } = fans.get_ref();
        ensure!(r#in.is_some() || out.is_some(), "{}: fans is empty; give in, out, or both", at(span));
        fan_in = r#in.as_ref().map(|value| number_of(value, span, "fans.in")).transpose()?;
        fan_out = out.as_ref().map(|value| number_of(value, span, "fans.out")).transpose()?;
    }
    let init = |text: &str, span: usize| Initialiser::parse(text).at(|| at(span));
    let mut rows = Vec::new();
    if let Some(table) = &rule.rows {
        let span = table.span().start;
        for (row, text) in table.get_ref() {
            let number = match row.parse::<i64>() {
                Ok(number) => Row::Number(number),
                Err(_) if lets.contains_key(row) => Row::Name(row.clone()),
                Err(_) => bail!("{}: rows: {row:?} is no number of a row, and no name of [let]", at(span)),
            };
            rows.push((number, init(text, span)?));
        }
    }
    let action = if let Some(inits) = &rule.init {
        let span = inits.span().start;
        let texts = inits.get_ref().all();
        ensure!(!texts.is_empty(), "{}: init is an empty list", at(span));
        let inits = texts.iter().map(|text| init(text, span)).collect::<Result<Vec<_>>>()?;
        let parts = parts(&rule, &at)?;
        ensure!(
            rows.is_empty() || matches!(parts, Parts::Whole),
            "{}: rows and split or unstack exclude each other",
            at(span)
        );
        let names = rule.names.as_ref().map_or(&[][..], |names| names.get_ref().all()).to_vec();
        let span = rule.names.as_ref().map_or(span, |names| names.span().start);
        match &parts {
            Parts::Whole => {
                ensure!(names.is_empty(), "{}: names goes with split or unstack", at(span));
                ensure!(inits.len() == 1, "{}: a list of initialisers goes with split or unstack", at(span));
            }
            Parts::Into { parts: count, .. } => {
                check_counts(inits.len(), names.len(), *count).at(|| at(span))?
            }
            Parts::Sizes { sizes, .. } => {
                check_counts(inits.len(), names.len(), sizes.len() as u64).at(|| at(span))?;
            }
            Parts::Unstack { .. } => {
                let fits = names.is_empty() || names.len() == 1 && names[0].contains("<i>");
                ensure!(fits, "{}: the names of unstack are one text with <i> in it", at(span));
            }
        }
        Action::Init { inits, parts, names, rows }
    } else if let Some(copy) = &rule.copy {
        let name = match copy.get_ref() {
            text::Copy::Same(true) => None,
            text::Copy::Same(false) => {
                bail!("{}: copy is true, the name of a parameter, or absent", at(copy.span().start))
            }
            text::Copy::Of(name) => Some(name.clone()),
        };
        let grow = match &rule.grow {
            Some(grow) => Some(init(grow.get_ref(), grow.span().start)?),
            None => None,
        };
        Action::Copy { name, grow, rows }
    } else if let Some(tie) = rule.tie {
        Action::Tie(tie.into_inner())
    } else if let Some(refuse) = rule.refuse {
        let start = refuse.span().start;
        let reason = one_line(refuse.into_inner());
        ensure!(!reason.trim().is_empty(), "{}: refuse is the reason, and needs a text", at(start));
        Action::Refuse(reason)
    } else {
        if let Some(skip) = rule.skip.filter(|skip| !skip.get_ref()) {
            bail!("{}: skip is true or absent", at(skip.span().start));
        }
        Action::Skip
    };
    let mut compiled = Rule {
        origin: 0,
        number,
        line,
        patterns,
        rank,
        when: rule.when.map(Spanned::into_inner),
        of_rank,
        of: rule.of.map(Spanned::into_inner),
        layout: rule.layout.as_ref().map_or(Layout::OutIn, |layout| *layout.get_ref()),
        has_layout: rule.layout.is_some(),
        groups,
        fan_in,
        fan_out,
        action,
        uses_captures: false,
    };
    compiled.uses_captures = compiled.check(lets).at(|| at(start))?;
    Ok(compiled)
}

fn parts(rule: &text::Rule, at: &dyn Fn(usize) -> String) -> Result<Parts> {
    if let (Some(split), Some(_)) = (&rule.split, &rule.unstack) {
        bail!("{}: split and unstack exclude each other; give one", at(split.span().start));
    }
    if let Some(unstack) = &rule.unstack {
        return Ok(Parts::Unstack { axis: *unstack.get_ref() });
    }
    let Some(split) = &rule.split else { return Ok(Parts::Whole) };
    let place = || at(split.span().start);
    let text::Split { axis, into, sizes } = split.get_ref();
    match (into, sizes) {
        (Some(parts), None) => {
            ensure!(
                (1..=MAX_PARTS).contains(parts),
                "{}: split into 1 to {MAX_PARTS} parts, not {parts}",
                place()
            );
            Ok(Parts::Into { axis: *axis, parts: *parts })
        }
        (None, Some(sizes)) => {
            ensure!(!sizes.is_empty(), "{}: split.sizes is an empty list", place());
            let sizes =
                sizes.iter().map(|size| Expression::parse(&size.text()).at(|| "split.sizes").at(place));
            Ok(Parts::Sizes { axis: *axis, sizes: sizes.collect::<Result<_>>()? })
        }
        _ => bail!("{}: split takes into or sizes, one of them", place()),
    }
}

fn check_counts(inits: usize, names: usize, parts: u64) -> Result<()> {
    ensure!(
        inits == 1 || inits as u64 == parts,
        "there are {inits} initialisers for {parts} parts; give one for all, or one for each"
    );
    ensure!(names == 0 || names as u64 == parts, "there are {names} names for {parts} parts");
    Ok(())
}

impl Rule {
    /// Checks that each variable and each capture is made somewhere. The result says whether a capture is used.
    fn check(&self, lets: &BTreeMap<String, Let>) -> Result<bool> {
        let mut texts: Vec<&str> = self.of.as_deref().into_iter().collect();
        let mut initialisers: Vec<&Initialiser> = Vec::new();
        let mut expressions: Vec<&Expression> =
            [&self.groups, &self.fan_in, &self.fan_out].into_iter().flatten().collect();
        match &self.action {
            Action::Init { inits, parts, names, rows } => {
                initialisers.extend(inits);
                initialisers.extend(rows.iter().map(|(_, init)| init));
                texts.extend(names.iter().map(String::as_str));
                if let Parts::Sizes { sizes, .. } = parts {
                    expressions.extend(sizes);
                }
            }
            Action::Copy { name, grow, rows } => {
                texts.extend(name.as_deref());
                initialisers.extend(grow);
                initialisers.extend(rows.iter().map(|(_, init)| init));
            }
            Action::Tie(name) => texts.push(name),
            Action::Refuse(_) | Action::Skip => {}
        }
        texts.extend(initialisers.iter().filter_map(|init| init.norm_of()));
        // A name counts once, although a list of sizes may use it at each of its many entries.
        let mut seen = HashSet::new();
        texts.retain(|text| names::captures(text).fold(false, |is_new, name| seen.insert(name) | is_new));
        let mut seen = HashSet::new();
        let mut is_new = |variables: Vec<_>, formula: bool| {
            variables.into_iter().fold(false, |is_new, name| seen.insert((name, formula)) | is_new)
        };
        expressions.retain(|expression| is_new(expression.variables(), false));
        initialisers.retain(|init| is_new(init.variables(), init.is_formula()));
        let mut uses = false;
        let is_unstacked = matches!(self.action, Action::Init { parts: Parts::Unstack { .. }, .. });
        for pattern in &self.patterns {
            let has = |name: &str| pattern.captures().iter().any(|capture| capture == name);
            for text in &texts {
                for capture in names::captures(text) {
                    let is_index = is_unstacked && capture == "i";
                    uses |= !is_index;
                    ensure!(
                        has(capture) || is_index,
                        "{text:?} uses <{capture}>, which {:?} does not capture",
                        pattern.text()
                    );
                }
            }
            let variables = |formula: bool| {
                let known = move |name: &str| {
                    let numbered = |letter| {
                        name.strip_prefix(letter)
                            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
                    };
                    has(name)
                        || lets.contains_key(name)
                        || matches!(name, "fan_in" | "fan_out" | "rank")
                        || numbered('d')
                        || formula && (matches!(name, "i" | "u" | "n") || numbered('i'))
                };
                move |name: &str| -> Result<()> {
                    if known(name) {
                        return Ok(());
                    }
                    let mut all: Vec<&str> = pattern.captures().iter().map(String::as_str).collect();
                    all.extend(lets.keys().map(String::as_str));
                    all.extend(["fan_in", "fan_out", "rank", "d0, d1, …"]);
                    if formula {
                        all.extend(["i", "i0, i1, …", "u", "n"]);
                    }
                    bail!("the variable {name:?} is unknown; there are {}", all.join(", "))
                }
            };
            for expression in &expressions {
                for name in expression.variables() {
                    uses |= has(name);
                    variables(false)(name).at(|| format!("{expression:?}"))?;
                }
            }
            for init in &initialisers {
                for name in init.variables() {
                    uses |= has(name);
                    variables(init.is_formula())(name).at(|| format!("{init:?}", init = init.to_string()))?;
                }
            }
        }
        Ok(uses)
    }

    /// The rule as an error or a table names it: `rule 3`.
    pub(crate) fn place(&self, origins: &[Origin]) -> String {
        let origin = &origins[self.origin];
        let file = if origin.is_preset { format!("preset {}", origin.name) } else { origin.name.clone() };
        format!("{file}, rule {} (line {})", self.number, self.line)
    }
}

/// Line and column of a byte offset, counted from 1: "line 3 column 9".
fn place(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    format!("line {} column {}", line(text, offset), before[line_start..].chars().count() + 1)
}

fn line(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}

#[cfg(test)]
mod tests;
