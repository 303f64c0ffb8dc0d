//! A case: an input of one kind, and what the crate must do with it.

use std::fmt;

use rand::RngExt;
use rand::rngs::SmallRng;
use seedbed::DType;
use seedbed_model::{
    Config, Dtype, Expression, Maker, Model, Parameter, Plan, Record, Rules, Segment, Source, Tensor,
    unit_size,
};

use crate::corpus::Corpus;
use crate::mutate::{self, NUMBERS, pick};

/// The most elements of a plan that are made.
const MAX_MADE: u64 = 100_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Json,
    Header,
    Rules,
    Expression,
    Record,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Json, Self::Header, Self::Rules, Self::Expression, Self::Record];

    pub fn name(self) -> &'static str {
        ["json", "header", "rules", "expression", "record"][self as usize]
    }

    /// The kind of a case.
    pub fn of(number: u64) -> Self {
        match number % 20 {
            0..3 => Self::Json,
            3..6 => Self::Header,
            6..13 => Self::Rules,
            13..17 => Self::Expression,
            _ => Self::Record,
        }
    }
}

/// What is wrong: a place and a text.
type Found = (&'static str, String);

#[derive(Debug)]
enum Case {
    Json(Vec<u8>),
    Header(Vec<u8>, u64),
    Rules {
        text: String,
        config: Option<Vec<u8>>,
        parameters: Vec<Parameter>,
        copies: bool,
        dtype: Option<DType>,
    },
    Expression(String),
    Record(Vec<(String, String)>, Vec<Parameter>),
}

/// The input of a case, for a person.
pub fn input(corpus: &Corpus, kind: Kind, random: &mut SmallRng) -> String {
    match case(corpus, kind, random) {
        Case::Json(text) => String::from_utf8_lossy(&text).into_owned(),
        Case::Header(text, data) => format!("{data} bytes of data\n{}", String::from_utf8_lossy(&text)),
        Case::Rules { text, config, parameters, copies, dtype } => {
            let config = String::from_utf8_lossy(config.as_deref().unwrap_or_default()).into_owned();
            format!("{text}\n--- {parameters:?} copies {copies} dtype {dtype:?}\n{config}")
        }
        other => format!("{other:?}"),
    }
}

/// Runs a case. The result says whether the crate accepts the input.
pub fn run(corpus: &Corpus, kind: Kind, random: &mut SmallRng) -> Result<bool, Found> {
    match case(corpus, kind, random) {
        Case::Json(text) => {
            let config = line(Config::parse(&text))?;
            if let Some(config) = config {
                let _ = (config.model_type(), config.number("text_config.n"), config.value("a.b.c"));
            }
            match line(Model::of_manifest(&text))? {
                Some(model) => {
                    sizes(&model)?;
                    plan(&model, None, &line(Rules::built_in())?.expect("valid rules"), None)?;
                    Ok(true)
                }
                None => Ok(false),
            }
        }
        Case::Header(text, data) => {
            let Some(model) = line(Model::of_header(&text, data))? else { return Ok(false) };
            sizes(&model)?;
            if let Some(Some(record)) = line(Record::read(&model.metadata))? {
                for parameter in &model.parameters {
                    line(record.tensor(parameter))?;
                }
            }
            Ok(true)
        }
        Case::Rules { text, config, parameters, copies, dtype } => {
            let Some(rules) = line(Rules::parse(&text, "own.toml"))? else { return Ok(false) };
            rules.digest();
            let Some(mut model) = line(Model::of_parameters(parameters))? else { return Ok(false) };
            model.config = config.and_then(|text| Config::parse(&text).ok());
            plan(&model, copies.then_some(&corpus.source), &rules, dtype)
        }
        Case::Expression(text) => {
            if let Some(expression) = line(Expression::parse(&text))? {
                let value = |name: &str| (!name.starts_with('x')).then_some(name.len() as f64);
                line(expression.value(&value))?;
                if let Some(bound) = line(expression.bind(&["i".into()], &value))? {
                    bound.with(&[3.0]);
                }
            }
            let init = match random.random_range(0..4) {
                0 => format!("normal(mean={text},std={text})"),
                1 => format!("formula({text:?})"),
                2 => format!("arange({text},step={text})"),
                _ => text,
            };
            let rules = format!("[[rule]]\nmatch = \"*\"\ninit = {init:?}\n");
            let Some(rules) = line(Rules::parse(&rules, "own.toml"))? else { return Ok(false) };
            let shapes: [&[u64]; 5] = [&[], &[0, 3], &[5], &[4, 6], &[3, 2, 2, 4]];
            let dtype = [Dtype::F32, Dtype::BF16, Dtype::I64][random.random_range(0..3)];
            let named = shapes.iter().map(|shape| Parameter {
                name: format!("h.{}.weight", shape.len()),
                shape: shape.to_vec(),
                dtype,
            });
            let odd = Parameter { name: "odd".into(), shape: shape(random), dtype };
            for parameter in named.chain([odd]) {
                let model = line(Model::of_parameters(vec![parameter]))?.expect("one name");
                plan(&model, None, &rules, None)?;
            }
            Ok(true)
        }
        Case::Record(metadata, parameters) => {
            let Some(Some(record)) = line(Record::read(&metadata))? else { return Ok(false) };
            let mut accepted = false;
            for parameter in &parameters {
                let Some(Some(tensor)) = line(record.tensor(parameter))? else { continue };
                accepted = true;
                if cost(&tensor) < MAX_MADE && !copies(&tensor) {
                    // A record of another program may say anything, such as a formula that can't be parsed.
                    make(&mut Maker::new(1, None), &tensor, &mut |error| line::<()>(Err(error)).map(drop))?;
                } else {
                    tensor.content.segments().take(1000).for_each(drop);
                }
                tensor.moments();
            }
            Ok(accepted)
        }
    }
}

fn case(corpus: &Corpus, kind: Kind, random: &mut SmallRng) -> Case {
    match kind {
        Kind::Json => {
            let list = if random.random_bool(0.8) { &corpus.json } else { &corpus.configs };
            let text = element(random, list).clone();
            Case::Json(changed(corpus, random, &text, &corpus.json[0]))
        }
        Kind::Header => {
            let text = element(random, &corpus.headers).clone();
            let data = [0, 4, 96, 1 << 12, u64::MAX, 1 << 62][random.random_range(0..6)];
            Case::Header(changed(corpus, random, &text, &corpus.headers[0]), data)
        }
        Kind::Rules => {
            let mut text = match random.random_range(0..40) {
                0 => element(random, &corpus.rules).clone(),
                _ => {
                    let count = random.random_range(1..5);
                    (0..count).map(|_| element(random, &corpus.blocks).clone()).collect()
                }
            };
            if random.random_bool(0.5) {
                // Most globs match none of a few names.
                let all = ["match = \"*\"", "match = \"*.<layer>.*\"", "match = [\"*<layer>*\", \"*\"]"];
                let all = pick(random, &all);
                let lines =
                    text.lines().map(|line| if line.trim_start().starts_with("match") { all } else { line });
                text = lines.collect::<Vec<_>>().join("\n");
            }
            let other = element(random, &corpus.blocks).clone();
            let text = match random.random_range(0..10) {
                0 => text,
                1 => String::from_utf8_lossy(&mutate::bytes(random, &text, &other)).into_owned(),
                _ => mutate::tokens(random, &text, &other, &corpus.words),
            };
            let config = random.random_bool(0.5).then(|| {
                let text = element(random, &corpus.configs).clone();
                changed(corpus, random, &text, &corpus.configs[0])
            });
            let dtype = [None, None, Some(DType::F32), Some(DType::F16), Some(DType::BF16)]
                [random.random_range(0..5)];
            Case::Rules {
                text,
                config,
                parameters: parameters(corpus, random),
                copies: random.random_bool(0.5),
                dtype,
            }
        }
        Kind::Expression => {
            let (text, other) = (element(random, &corpus.expressions), element(random, &corpus.expressions));
            let (text, other) = (text.clone(), other.clone());
            Case::Expression(match random.random_range(0..3) {
                0 => mutate::tokens(random, &text, &other, &corpus.words),
                1 => mutate::tokens(random, &text, &other, &corpus.expressions),
                _ => String::from_utf8_lossy(&mutate::bytes(random, &text, &other)).into_owned(),
            })
        }
        Kind::Record => {
            let (text, mut parameters) = element(random, &corpus.records).clone();
            let text = changed(corpus, random, &text, &corpus.records[0].0);
            for parameter in &mut parameters {
                if random.random_bool(0.1) {
                    parameter.shape = shape(random);
                }
                if random.random_bool(0.1) {
                    parameter.dtype = dtype(random);
                }
            }
            let seed = if random.random_bool(0.9) { "7" } else { pick(random, NUMBERS) };
            let metadata = [
                ("seedbed.contract", "1".to_owned()),
                ("seedbed.seed", seed.to_owned()),
                ("seedbed.tensors", String::from_utf8_lossy(&text).into_owned()),
            ];
            Case::Record(metadata.map(|(key, value)| (key.to_owned(), value)).into(), parameters)
        }
    }
}

fn element<'a, T>(random: &mut SmallRng, list: &'a [T]) -> &'a T {
    &list[random.random_range(0..list.len())]
}

fn changed(corpus: &Corpus, random: &mut SmallRng, text: &str, other: &str) -> Vec<u8> {
    match random.random_bool(0.5) {
        true => mutate::bytes(random, text, other),
        false => mutate::tokens(random, text, other, &corpus.words).into_bytes(),
    }
}

/// A few parameters, some of whose shapes are odd.
pub fn parameters(corpus: &Corpus, random: &mut SmallRng) -> Vec<Parameter> {
    if random.random_bool(0.2) {
        return corpus.source.parameters.clone();
    }
    let count = random.random_range(1..7);
    let mut parameters: Vec<Parameter> = Vec::new();
    for _ in 0..count {
        let name = element(random, &corpus.names).clone();
        if parameters.iter().all(|other| other.name != name) {
            parameters.push(Parameter { name, shape: shape(random), dtype: dtype(random) });
        }
    }
    parameters
}

fn shape(random: &mut SmallRng) -> Vec<u64> {
    let usual: [&[u64]; 10] =
        [&[1], &[8], &[64], &[4, 6], &[8, 8], &[48, 16], &[2, 3, 4], &[4, 2, 3, 3], &[16, 1, 3], &[1, 12]];
    let odd: [&[u64]; 22] = [
        &[],
        &[0],
        &[0, 5],
        &[5, 0],
        &[0, 0],
        &[1, 1, 1, 1, 1, 1],
        &[2, 1, 2, 1, 2, 1],
        &[1 << 32, 1 << 31],
        &[1 << 60],
        &[1 << 59],
        &[1 << 30, 1 << 29],
        &[0, 1 << 40, 1 << 40],
        &[1 << 40, 0, 1 << 40],
        &[1 << 40, 1 << 40, 0],
        &[1 << 63],
        &[u64::MAX],
        &[65536, 0],
        &[300, 2],
        &[1 << 20, 2, 2],
        &[3, 1 << 20, 2],
        &[1 << 40, 1 << 40, 1 << 40, 0, 3],
        &[1 << 33],
    ];
    match random.random_range(0..100) {
        0..70 => element(random, &usual).to_vec(),
        70..99 => element(random, &odd).to_vec(),
        _ => vec![65536, 1],
    }
}

fn dtype(random: &mut SmallRng) -> Dtype {
    use Dtype::{BF16, BOOL, C64, F4, F6_E2M3, F8_E4M3, F16, F32, F64, I64, U8, U64};
    match random.random_bool(0.7) {
        true => *element(random, &[F32, F32, F16, BF16]),
        false => *element(random, &[F64, I64, U8, BOOL, F8_E4M3, F4, F6_E2M3, C64, U64]),
    }
}

/// The value, unless it is an error, whose text must be one line.
fn line<T>(result: seedbed_model::Result<T>) -> Result<Option<T>, Found> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => one_line(error).map(|()| None),
    }
}

fn one_line(text: impl fmt::Display) -> Result<(), Found> {
    let text = text.to_string();
    if text.contains(char::is_control) {
        return Err(("an error that is not one line", text));
    }
    if text.trim().is_empty() || text.len() > 20_000 {
        return Err(("an error that is empty or too long", format!("{} bytes", text.len())));
    }
    Ok(())
}

fn sizes(model: &Model) -> Result<(), Found> {
    for parameter in &model.parameters {
        line(parameter.bytes())?;
        model.position(&parameter.name).ok_or(("a parameter is lost", parameter.name.clone()))?;
    }
    Ok(())
}

/// Plans, describes, records and makes all parameters.
fn plan(model: &Model, source: Option<&Model>, rules: &Rules, dtype: Option<DType>) -> Result<bool, Found> {
    let Some(plan) = line(Plan::new(model, source, rules, dtype))? else { return Ok(false) };
    for warning in &plan.warnings {
        one_line(warning)?;
    }
    for entry in &plan.entries {
        one_line(entry.description())?;
        if let Some(tensor) = entry.outcome.tensor() {
            tensor.moments();
            tensor.content.counts();
        }
    }
    line(plan.check())?;
    // The tensors of parameters without a mistake hold what a right plan holds.
    let tensors: Vec<&Tensor> = plan.tensors().collect();
    let parts: usize = tensors.iter().map(|tensor| tensor.content.runs.len()).sum();
    if parts < 10_000 {
        recorded(&tensors)?;
    }
    let total = tensors.iter().fold(0_u64, |sum, tensor| sum.saturating_add(cost(tensor)));
    if total < MAX_MADE && parts < 10_000 {
        let mut maker = Maker::new(3, source);
        for tensor in &tensors {
            make(&mut maker, tensor, &mut |error| {
                line::<()>(Err(error.clone()))?;
                // Elements of a formula are known when they are made.
                let text = error.to_string();
                match text.contains("is no value of") || text.contains("too large for") {
                    true => Ok(()),
                    false => Err(("what is planned can't be made", format!("{tensor:?}: {text}"))),
                }
            })?;
        }
    } else {
        tensors.iter().for_each(|tensor| tensor.content.segments().take(1000).for_each(drop));
    }
    Ok(!tensors.is_empty())
}

/// The tensors are those of their record.
fn recorded(tensors: &[&Tensor]) -> Result<(), Found> {
    let metadata = Record::new(3, tensors.iter().copied()).metadata();
    let record = match Record::read(&metadata) {
        Ok(record) => record.expect("a record"),
        Err(error) => return Err(("a record can't be read", format!("{error}\n{tensors:?}"))),
    };
    for &tensor in tensors {
        let Tensor { name, shape, dtype, .. } = tensor.clone();
        let read = record.tensor(&Parameter { name, shape, dtype });
        // A stride that is never taken is not recorded. NaN is as large as itself here.
        let held = |tensor: &Tensor| {
            let segments: Vec<_> = tensor.content.segments().take(10_000).collect();
            format!("{:?} {segments:?}", tensor.content.sources)
        };
        let same = matches!(&read, Ok(Some(read)) if held(read) == held(tensor));
        // A tensor without elements has no content worth a record.
        if !same && tensor.elements() != Ok(0) {
            return Err(("a record differs from its tensor", format!("{tensor:?}\n{read:?}")));
        }
        if let Err(error) = read {
            return Err(("the record of an empty tensor can't be read", format!("{tensor:?}\n{error}")));
        }
    }
    Ok(())
}

/// The elements to compute.
fn cost(tensor: &Tensor) -> u64 {
    let elements = |tensor: &Tensor| tensor.elements().unwrap_or(u64::MAX);
    let norms = tensor.content.sources.iter().map(|source| match source {
        Source::Norm { of, .. } => elements(of),
        _ => 0,
    });
    norms.fold(elements(tensor), u64::saturating_add)
}

fn copies(tensor: &Tensor) -> bool {
    tensor.content.sources.iter().any(|source| match source {
        Source::Copy { .. } => true,
        Source::Norm { of, .. } => copies(of),
        _ => false,
    })
}

/// Makes all elements, at once and in two pieces. Each byte must be written. `failed` takes the errors.
fn make(
    maker: &mut Maker<'_>,
    tensor: &Tensor,
    failed: &mut dyn FnMut(seedbed_model::Error) -> Result<(), Found>,
) -> Result<(), Found> {
    let size = unit_size(tensor.dtype);
    let mut total = 0;
    for Segment { source, elements } in tensor.content.segments() {
        let (start, end) = (elements.start, elements.end);
        let bytes = ((end - start) * size) as usize;
        total += bytes as u64;
        let (mut once, mut twice) = (vec![0xA5; bytes], vec![0x5A; bytes]);
        if let Err(error) = maker.make(tensor, source, elements, &mut once) {
            return failed(error);
        }
        let middle = start + (end - start) / 3;
        let (first, second) = twice.split_at_mut(((middle - start) * size) as usize);
        for (range, piece) in [(start..middle, first), (middle..end, second)] {
            if let Err(error) = maker.make(tensor, source, range, piece) {
                return failed(error);
            }
        }
        if once != twice {
            return Err(("two pieces are not the whole", format!("{tensor:?}")));
        }
    }
    match tensor.bytes() {
        Ok(bytes) if bytes == total => Ok(()),
        other => Err(("the segments are not the tensor", format!("{total} of {other:?}: {tensor:?}"))),
    }
}
