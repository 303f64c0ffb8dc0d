//! Initialisers as rules write them: those of the library with expressions for numbers, those pasted from Python, and those
//! that only whole models need.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use safetensors::tensor::Dtype;
use seedbed::{Fans, Init, Signature};

use crate::error::{At, Error, Result, bail, ensure};
use crate::expression::Expression;
use crate::parameter::{elements, float};
use crate::remedy;
use crate::tensor::{Content, Run, Source};

/// A parsed initialiser.
#[derive(Debug)]
pub(crate) struct Initialiser {
    text: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// An initialiser of the library. `ready`: no number depends on the parameter.
    Library {
        name: String,
        arguments: Vec<(&'static str, Value)>,
        ready: Option<Init>,
        last: Last,
    },
    /// `start + step*i`
    Arange {
        start: Expression,
        step: Expression,
    },
    Formula(Expression),
    Norm {
        of: String,
        axis: i64,
    },
    /// Orthogonal over a shape whose units are the dimension `axis`: Keras's and JAX's.
    Orthogonal {
        gain: Expression,
        axis: i64,
    },
    /// An orthogonal matrix [in, out] in the centre of a convolution [k…, in, out].
    DeltaOrthogonal {
        scale: Expression,
    },
}

/// An argument: a word such as `fan_out`, or a number.
#[derive(Clone, Debug)]
enum Value {
    Word(String),
    Number(Expression),
}

/// The arguments of the library's initialisers that are words or axes.
const WORDS: &[&str] = &["mode", "nonlinearity", "distribution", "in_axis", "out_axis", "batch_axis"];

/// The initialisers that rules have beside those of the library, each with a line of help.
/// [`Init::signatures`] lists those of the library.
pub const OF_RULES: [(&str, &str); 5] = [
    ("arange(start=0,step=1)", "start, start + step, ... in row-major order"),
    ("formula(expression)", "of the index i, i0, i1, ..., of the uniform u or of the normal n"),
    ("keras::orthogonal(gain=1)", "orthogonal, of the kernel as a matrix [...*in, out]"),
    ("jax::orthogonal(scale=1,column_axis=-1)", "orthogonal, with columns along column_axis"),
    ("jax::delta_orthogonal(scale=1)", "an orthogonal matrix in the middle of a kernel [k..., in, out]"),
];

/// The content of a tensor by an initialiser alone, as rules write it: `keras::orthogonal()`, `formula("i/d0")`.
///
/// # Errors
/// A text that is no initialiser, and what the initialiser can't make of this shape and type. [`Tensor::check`] finds the
/// library's own errors, such as `eye()` of one dimension.
///
/// [`Tensor::check`]: crate::Tensor::check
pub fn content(init: &str, shape: &[u64], dtype: Dtype, stream: &str) -> Result<Content> {
    let fans = Fans::of(shape).ok();
    let variable = |name: &str| match name {
        "fan_in" => fans.map(|fans| fans.fan_in),
        "fan_out" => fans.map(|fans| fans.fan_out),
        "rank" => Some(shape.len() as f64),
        _ => dimension(name, shape).map(|size| size as f64),
    };
    let mut none =
        |name: &str| Err(Error::new(format_args!("there is no other parameter, and so no {name:?}")));
    let mut scope = Scope { shape, dtype, stream, fans: None, variable: &variable, tensor: &mut none };
    let initialiser = Initialiser::parse(init)?;
    initialiser.content(&mut scope).map_err(|error| error.at(init))
}

/// Parses the text of an initialiser, as rules write it. `None`: what it makes follows from the shape, and [`content`]
/// makes it.
///
/// # Errors
/// A text that is no initialiser.
pub fn initialiser(text: &str) -> Result<Option<Init>> {
    match Initialiser::parse(text)?.kind {
        Kind::Library { ready, .. } => Ok(ready),
        _ => Ok(None),
    }
}

/// What an initialiser is resolved with.
pub(crate) struct Scope<'a> {
    /// The shape of the tensor to make.
    pub(crate) shape: &'a [u64],
    pub(crate) dtype: Dtype,
    /// The name that the stream comes from.
    pub(crate) stream: &'a str,
    /// The fans that the rule gives, if they are not those of the shape.
    pub(crate) fans: Option<Fans>,
    /// The variables of expressions.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<f64>,
    /// The tensor of a parameter that a norm is taken of.
    pub(crate) tensor: &'a mut dyn FnMut(&str) -> Result<crate::tensor::Tensor>,
}

impl Initialiser {
    /// Parses a text.
    ///
    /// # Errors
    /// An unknown name or argument, a mistake in an expression.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let kind = parse(text)
            .map_err(|error| Error::new(format_args!("{text:?} is not an initialiser: {error}")))?;
        Ok(Self { text: text.to_owned(), kind })
    }

    /// The variables that the initialiser's numbers use.
    pub(crate) fn variables(&self) -> Vec<&str> {
        let expressions: Vec<&Expression> = match &self.kind {
            Kind::Library { arguments, .. } => {
                let numbers = arguments.iter().filter_map(|(_, value)| match value {
                    Value::Number(expression) => Some(expression),
                    Value::Word(_) => None,
                });
                numbers.collect()
            }
            Kind::Arange { start, step } => vec![start, step],
            Kind::Formula(expression) => vec![expression],
            Kind::Norm { .. } => Vec::new(),
            Kind::Orthogonal { gain: expression, .. } | Kind::DeltaOrthogonal { scale: expression } => {
                vec![expression]
            }
        };
        expressions.into_iter().flat_map(Expression::variables).collect()
    }

    /// Whether the initialiser is a formula, which knows the element's index.
    pub(crate) fn is_formula(&self) -> bool {
        matches!(self.kind, Kind::Formula(_))
    }

    /// The parameter that a norm is taken of.
    pub(crate) fn norm_of(&self) -> Option<&str> {
        match &self.kind {
            Kind::Norm { of, .. } => Some(of),
            _ => None,
        }
    }

    /// Whether the elements follow from fans.
    pub(crate) fn has_fans(&self) -> bool {
        match &self.kind {
            Kind::Library { name, .. } => ["xavier", "kaiming", "glorot", "lecun", "he_", "variance_scaling"]
                .iter()
                .any(|part| name.contains(part)),
            _ => false,
        }
    }

    /// The content of a tensor.
    ///
    /// # Errors
    /// What the initialiser can't make of this shape and type.
    pub(crate) fn content(&self, scope: &mut Scope<'_>) -> Result<Content> {
        let shape = scope.shape.to_vec();
        let stream = || scope.stream.to_owned();
        match &self.kind {
            Kind::Library { name, arguments, ready, last } => {
                let init = match ready {
                    Some(init) => *init,
                    None => build(name, arguments, scope.variable, last)?,
                };
                let init = match scope.fans {
                    Some(fans) if self.has_fans() => init.with_fans(fans)?,
                    _ => init,
                };
                if float(scope.dtype).is_none() {
                    return constant(init, scope.dtype, shape, stream());
                }
                Content::whole(Source::Init { init, shape, stream: stream() })
            }
            Kind::Arange { start, step } => {
                let (start, step) = (start.value(scope.variable)?, step.value(scope.variable)?);
                ensure!(
                    start.is_finite() && step.is_finite(),
                    "arange starts at {start} with the step {step}"
                );
                let text = match (start, step) {
                    (0.0, 1.0) => "i".to_owned(),
                    // All digits of a number that is far from 1 would be too long for an expression.
                    _ if [start, step].iter().any(|n| n.abs() >= 1e30 || n.abs() < 1e-30 && *n != 0.0) => {
                        format!("{start:e} + {step:e}*i")
                    }
                    _ => format!("{start} + {step}*i"),
                };
                formula(text, &[], scope.dtype, shape, stream())
            }
            Kind::Formula(expression) => {
                let mut variables = Vec::new();
                let mut uses_stream = Vec::new();
                for name in expression.variables() {
                    if matches!(name, "u" | "n") {
                        uses_stream.push(name);
                    } else if !is_index(name, shape.len()) && variables.iter().all(|(other, _)| other != name)
                    {
                        let value = match dimension(name, &shape) {
                            Some(size) => Some(size as f64),
                            None => (scope.variable)(name),
                        };
                        let Some(value) = value else {
                            let indices = (0..shape.len()).map(|axis| format!(", i{axis}, d{axis}"));
                            let indices: String = indices.collect();
                            bail!(
                                "the variable {name:?} is unknown; for the shape {shape:?} there are i{indices}, u, n"
                            )
                        };
                        // The record in the file has no other numbers.
                        ensure!(value.is_finite(), "the variable {name:?} is {value}, which is not finite");
                        variables.push((name.to_owned(), value));
                    }
                }
                ensure!(
                    !(uses_stream.contains(&"u") && uses_stream.contains(&"n")),
                    "a formula uses u or n, not both: they come from the same random words"
                );
                formula(expression.to_string(), &variables, scope.dtype, shape, stream())
            }
            Kind::Norm { of, axis } => {
                let tensor = (scope.tensor)(of)?;
                let axis = axis_of(*axis, tensor.shape.len())?;
                let (norms, elements) = (tensor.shape[axis], elements(&shape)?);
                ensure!(
                    norms == elements,
                    "the norm of {:?} {:?} over all dimensions but {axis} has {norms} elements, and this parameter \
                     {elements}",
                    tensor.name,
                    tensor.shape
                );
                ensure!(
                    float(tensor.dtype).is_some() && float(scope.dtype).is_some(),
                    "a norm needs F32, F16 or BF16, and here is a norm of {} in {}",
                    tensor.dtype,
                    scope.dtype
                );
                Content::whole(Source::Norm { of: Box::new(tensor), axis })
            }
            Kind::Orthogonal { gain, axis } => {
                floating(scope.dtype)?;
                ensure!(shape.len() >= 2, "orthogonal needs two dimensions or more, not {shape:?}");
                let axis = axis_of(*axis, shape.len())?;
                let init = Init::Orthogonal { gain: gain.value(scope.variable)? };
                if elements(&shape)? == 0 && shape.len() > 2 {
                    // The products below can overflow beside a dimension of size 0.
                    return Content::whole(Source::Init { init, shape: vec![0, 0], stream: stream() });
                }
                let outer: u64 = elements(&shape[..axis])?;
                let (units, inner) = (shape[axis], elements(&shape[axis + 1..])?);
                if inner == 1 {
                    return Content::whole(Source::Init {
                        init,
                        shape: vec![outer, units],
                        stream: stream(),
                    });
                }
                let source = Source::Init { init, shape: vec![units, outer * inner], stream: stream() };
                let run = |unit| Run { source: 0, first: unit * outer * inner, stride: inner, len: inner };
                ensure!(units <= 1 << 20, "the dimension {axis} has {units} units; 2^20 are possible");
                Ok(Content { sources: vec![source], outer, runs: (0..units).map(run).collect() })
            }
            Kind::DeltaOrthogonal { scale } => {
                floating(scope.dtype)?;
                let [kernel @ .., input, output] = &shape[..] else {
                    bail!("delta_orthogonal needs three to five dimensions, not {shape:?}")
                };
                ensure!(
                    (1..=3).contains(&kernel.len()),
                    "delta_orthogonal needs three to five dimensions, not {shape:?}"
                );
                ensure!(input <= output, "delta_orthogonal needs no more inputs than outputs, not {shape:?}");
                let init = Init::Orthogonal { gain: scale.value(scope.variable)? };
                let total = elements(&shape)?;
                let zeros = |len| Source::Init { init: Init::Zeros, shape: vec![len], stream: stream() };
                // The products below can overflow beside a dimension of size 0.
                if total == 0 {
                    return Content::whole(zeros(0));
                }
                let matrix = input * output;
                // The centre, as JAX finds it: (k - 1) div 2 in each dimension.
                let centre = kernel.iter().fold(0, |at, &k| at * k + k.saturating_sub(1) / 2);
                let before = centre * matrix;
                let sources = vec![
                    zeros(before),
                    Source::Init { init, shape: vec![*input, *output], stream: stream() },
                    zeros(total - before - matrix),
                ];
                let lens = [before, matrix, total - before - matrix];
                Ok(Content::along(sources, 1, &lens, 1))
            }
        }
    }
}

impl fmt::Display for Initialiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The dimension `axis`, which counts from the end if it is negative.
pub(crate) fn axis_of(axis: i64, rank: usize) -> Result<usize> {
    let index = if axis < 0 { axis + rank as i64 } else { axis };
    ensure!((0..rank as i64).contains(&index), "the axis {axis} is out of range for {rank} dimensions");
    Ok(index as usize)
}

/// The size that `d0`, `d1`, … stand for.
pub(crate) fn dimension(name: &str, shape: &[u64]) -> Option<u64> {
    let index: usize = name.strip_prefix('d')?.parse().ok()?;
    shape.get(index).copied()
}

/// Whether the name is `i`, or `i0`, `i1`, … of a dimension.
fn is_index(name: &str, rank: usize) -> bool {
    name == "i"
        || name.strip_prefix('i').and_then(|rest| rest.parse::<usize>().ok()).is_some_and(|i| i < rank)
}

fn floating(dtype: Dtype) -> Result<()> {
    ensure!(float(dtype).is_some(), "{}", unsupported(dtype));
    Ok(())
}

/// Why elements of a type are not made.
pub(crate) fn unsupported(dtype: Dtype) -> String {
    if crate::parameter::is_floating(dtype) {
        format!("the type {dtype} is not supported; F32, F16 and BF16 are{}", remedy::OTHER_TYPE)
    } else {
        format!("the type {dtype} is no type of weights{}", remedy::COPY_OR_SKIP)
    }
}

/// A constant or a formula of a type that is not the library's.
fn constant(init: Init, dtype: Dtype, shape: Vec<u64>, stream: String) -> Result<Content> {
    let value = match init {
        Init::Constant { value } => value,
        Init::Zeros => 0.0,
        Init::Ones => 1.0,
        _ if is_integer(dtype) => {
            bail!(
                "{init} makes no {dtype}; constant, zeros, ones, arange and formula do{}",
                remedy::COPY_OR_SKIP
            )
        }
        _ => bail!("{}", unsupported(dtype)),
    };
    ensure!(is_integer(dtype), "{}", unsupported(dtype));
    formula(format!("{value}"), &[], dtype, shape, stream)
}

fn formula(
    text: String,
    variables: &[(String, f64)],
    dtype: Dtype,
    shape: Vec<u64>,
    stream: String,
) -> Result<Content> {
    ensure!(is_integer(dtype) || float(dtype).is_some(), "{}", unsupported(dtype));
    crate::values::check_formula(&text, variables, &shape, dtype)?;
    Content::whole(Source::Formula { text, variables: variables.to_vec(), shape, stream })
}

/// Whether constants and formulas make the type although it is no type of the library.
pub(crate) fn is_integer(dtype: Dtype) -> bool {
    use Dtype::{BOOL, I8, I16, I32, I64, U8, U16, U32, U64};
    matches!(dtype, BOOL | I8 | I16 | I32 | I64 | U8 | U16 | U32 | U64)
}

/// The initialiser with the values of its numbers.
fn build(
    name: &str,
    arguments: &[(&'static str, Value)],
    variable: &dyn Fn(&str) -> Option<f64>,
    last: &Last,
) -> Result<Init> {
    let mut values = Vec::new();
    for (argument, value) in arguments {
        if let Value::Number(expression) = value {
            values.push(expression.value(variable).at(|| argument)?);
        }
    }
    if let Some(init) = last.of(&values) {
        return Ok(init);
    }
    let mut texts = Vec::new();
    let mut numbers = values.iter();
    for (argument, value) in arguments {
        texts.push(match value {
            Value::Word(word) => format!("{argument}={word}"),
            Value::Number(_) => format!("{argument}={}", numbers.next().copied().unwrap_or(f64::NAN)),
        });
    }
    let init = format!("{name}({})", texts.join(",")).parse::<Init>()?;
    last.set(values, init);
    Ok(init)
}

/// The last initialiser of a rule and its numbers. Most rules give all their parameters the same.
#[derive(Debug, Default)]
struct Last(Mutex<Option<(Vec<f64>, Init)>>);

impl Last {
    fn of(&self, values: &[f64]) -> Option<Init> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Bits, so that -0 is not 0.
        let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits();
        last.as_ref().filter(|(last, _)| last.iter().zip(values).all(same)).map(|(_, init)| *init)
    }

    fn set(&self, values: Vec<f64>, init: Init) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((values, init));
    }
}

fn parse(text: &str) -> Result<Kind> {
    let text = text.trim();
    let (function, inside) = match text.split_once('(') {
        None => (text, ""),
        Some((function, rest)) => match rest.trim_end().strip_suffix(')') {
            Some(inside) => (function.trim_end(), inside),
            None => bail!("the closing parenthesis is missing at its end"),
        },
    };
    // torch.nn.init.normal_ -> normal
    let module =
        ["torch.nn.init.", "nn.init.", "init."].iter().find_map(|module| function.strip_prefix(module));
    let (function, is_python) = match module.unwrap_or(function).strip_suffix('_') {
        Some(function) => (function, true),
        None => (module.unwrap_or(function), module.is_some()),
    };
    let mut arguments = split(inside)?;
    if is_python {
        // The tensor stands first, and the generator is ours.
        if arguments.first().is_some_and(|(name, value)| name.is_none() && is_path(value)) {
            arguments.remove(0);
        }
        arguments.retain(|(name, _)| !matches!(*name, Some("tensor" | "generator")));
    }
    let expression = |text: &str| Expression::parse(text);
    let mut own = |names: &[(&str, Option<&str>)]| -> Result<Vec<String>> {
        let mut values: Vec<Option<String>> =
            names.iter().map(|(_, default)| default.map(str::to_owned)).collect();
        let mut given = vec![false; names.len()];
        for (position, (name, value)) in arguments.drain(..).enumerate() {
            let slot = match name {
                Some(name) => names.iter().position(|(other, _)| *other == name),
                None => Some(position),
            };
            let takes = || names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            let Some(slot) = slot.filter(|&slot| slot < names.len()) else {
                bail!("{function} takes {}, not {}", takes(), name.unwrap_or(value))
            };
            ensure!(!given[slot], "{:?} is given twice", names[slot].0);
            (given[slot], values[slot]) = (true, Some(unquoted(value).to_owned()));
        }
        let missing = values.iter().position(Option::is_none);
        if let Some(missing) = missing {
            bail!("{function} needs {:?}", names[missing].0);
        }
        Ok(values.into_iter().flatten().collect())
    };
    let axis = |text: &str| {
        text.parse::<i64>().map_err(|_| Error::new(format_args!("{text:?} is no axis; give a whole number")))
    };
    match function {
        "arange" => {
            let values = own(&[("start", Some("0")), ("step", Some("1"))])?;
            Ok(Kind::Arange { start: expression(&values[0])?, step: expression(&values[1])? })
        }
        "formula" => Ok(Kind::Formula(expression(&own(&[("expression", None)])?[0])?)),
        "norm" => {
            let values = own(&[("of", None), ("axis", Some("0"))])?;
            Ok(Kind::Norm { of: values[0].clone(), axis: axis(&values[1])? })
        }
        "keras::orthogonal" => {
            Ok(Kind::Orthogonal { gain: expression(&own(&[("gain", Some("1"))])?[0])?, axis: -1 })
        }
        "jax::orthogonal" => {
            let values = own(&[("scale", Some("1")), ("column_axis", Some("-1"))])?;
            Ok(Kind::Orthogonal { gain: expression(&values[0])?, axis: axis(&values[1])? })
        }
        "jax::delta_orthogonal" => {
            Ok(Kind::DeltaOrthogonal { scale: expression(&own(&[("scale", Some("1"))])?[0])? })
        }
        _ => library(function, arguments),
    }
}

fn library(function: &str, arguments: Vec<(Option<&str>, &str)>) -> Result<Kind> {
    let (framework, bare) = match function.split_once("::") {
        Some(("torch", bare)) => (None, bare),
        Some((framework, bare)) => (Some(framework), bare),
        None => (None, function),
    };
    let row: Option<&'static Signature> = Init::signatures().find(|row| {
        row.framework.map(|framework| framework.to_string()).as_deref() == framework
            && (row.name == bare || row.aliases.contains(&bare))
    });
    let Some(row) = row else {
        let names = Init::signatures().filter(|row| row.framework.is_none()).map(|row| row.name);
        bail!(
            "the initialiser {function:?} is unknown; there are {}, arange, formula, norm, and after jax:: or keras:: \
             glorot_normal and others ({})",
            names.collect::<Vec<_>>().join(", "),
            remedy::INITIALISERS
        );
    };
    let mut named: Vec<(&'static str, Value)> = Vec::new();
    for (position, (name, value)) in arguments.into_iter().enumerate() {
        let slot = match name {
            Some(name) => row.arguments.iter().find(|argument| argument.name == name),
            None => row.arguments.get(position),
        };
        let Some(argument) = slot else {
            let takes: Vec<_> = row.arguments.iter().map(|argument| argument.name).collect();
            match (name, &takes[..]) {
                (_, []) => bail!("{function} takes no arguments"),
                (Some(name), _) => {
                    bail!("{function} has no argument {name:?}; it takes {}", takes.join(", "))
                }
                (None, _) => bail!("{function} got too many arguments; it takes {}", takes.join(", ")),
            }
        };
        ensure!(named.iter().all(|(other, _)| *other != argument.name), "{:?} is given twice", argument.name);
        let value = if WORDS.contains(&argument.name) {
            Value::Word(value.to_owned())
        } else {
            Value::Number(Expression::parse(value).at(|| argument.name)?)
        };
        named.push((argument.name, value));
    }
    let constant = |_: &str| None;
    let depends = named.iter().any(|(_, value)| match value {
        Value::Number(expression) => !expression.variables().is_empty(),
        Value::Word(_) => false,
    });
    // Mistakes that do not depend on the numbers are found now.
    let ready = build(function, &named, if depends { &|_| Some(1.0) } else { &constant }, &Last::default())?;
    let (ready, last) = ((!depends).then_some(ready), Last::default());
    Ok(Kind::Library { name: function.to_owned(), arguments: named, ready, last })
}

/// The arguments between the parentheses: names and values, split at the commas outside of parentheses and quotes.
fn split(text: &str) -> Result<Vec<(Option<&str>, &str)>> {
    let (mut depth, mut quote, mut start) = (0_i32, None, 0);
    let mut parts = Vec::new();
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth -= 1,
            (None, ',') if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        ensure!(depth >= 0, "a parenthesis is closed that was not opened");
    }
    ensure!(quote.is_none(), "a quote is missing");
    ensure!(depth == 0, "a closing parenthesis is missing");
    // The parentheses are empty, or end with a comma as in Python.
    if !text[start..].trim().is_empty() {
        parts.push(&text[start..]);
    }
    let mut arguments = Vec::new();
    for part in parts {
        let part = part.trim();
        ensure!(!part.is_empty(), "an argument is missing between two commas");
        let name = part.split_once('=').filter(|(name, _)| {
            let name = name.trim();
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        });
        let argument = match name {
            Some((name, value)) => (Some(name.trim()), value.trim()),
            None => (None, part),
        };
        ensure!(
            argument.0.is_some() || arguments.iter().all(|(name, _): &(Option<&str>, &str)| name.is_none()),
            "{part:?} has no name but follows an argument that has one"
        );
        arguments.push(argument);
    }
    Ok(arguments)
}

/// The text without the quotes around it.
fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return inside;
        }
    }
    text
}

/// Whether a first argument of Python is a tensor: `w`, `self.fc.weight`, `m.weight.data`.
fn is_path(text: &str) -> bool {
    let is_name = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'[' | b']'));
    is_name && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !text.starts_with("math.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &str, shape: &[u64], dtype: Dtype) -> Result<Content> {
        let mut no_tensor = |_: &str| Err(Error::new("no tensor"));
        Initialiser::parse(text)?.content(&mut Scope {
            shape,
            dtype,
            stream: "w",
            fans: None,
            variable: &|name| (name == "layers").then_some(12.0),
            tensor: &mut no_tensor,
        })
    }

    fn init(text: &str) -> Init {
        match content(text, &[4, 6], Dtype::F32).unwrap().single() {
            Some(Source::Init { init, .. }) => *init,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn spellings_of_python_and_expressions() {
        let kaiming: Init = format!("kaiming_uniform(a={})", 5_f64.sqrt()).parse().unwrap();
        for (text, expected) in [
            ("xavier_normal", Init::xavier_normal()),
            ("zeros_()", Init::Zeros),
            ("nn.init.zeros_(self.fc.bias)", Init::Zeros),
            ("init.constant_(m.bias, 0.5)", Init::constant(0.5)),
            ("nn.init.kaiming_uniform_(a=math.sqrt(5))", kaiming),
            ("torch.nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5), generator=None)", kaiming),
            ("nn.init.kaiming_uniform_(w, math.sqrt(5), 'fan_in', nonlinearity=\"leaky_relu\")", kaiming),
            (
                "nn.init.xavier_uniform_(w, gain=nn.init.calculate_gain('relu'))",
                Init::XavierUniform { gain: 2_f64.sqrt() },
            ),
            ("normal(std=0.02/sqrt(2*layers))", Init::normal(0.0, 0.02 / 24_f64.sqrt())),
            ("normal(0, 1/layers)", Init::normal(0.0, 1.0 / 12.0)),
            ("trunc_normal(std=0.02, a=-inf)", Init::trunc_normal(0.0, 0.02, f64::NEG_INFINITY, 2.0)),
            ("keras::he_normal()", Init::keras_he_normal()),
            ("jax::glorot_normal(in_axis=(0,1))", "jax::glorot_normal(in_axis=(0,1))".parse().unwrap()),
        ] {
            assert_eq!(init(text), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            ("xavier_norml()", "the initialiser \"xavier_norml\" is unknown; there are constant, "),
            ("normal(std=)", "std"),
            ("normal(stdd=1)", "has no argument \"stdd\"; it takes mean, std"),
            ("normal(1,2,3)", "too many arguments"),
            ("normal(std=1,std=2)", "given twice"),
            ("normal(std=1,2)", "has no name but follows"),
            ("normal(std=1", "closing parenthesis"),
            ("kaiming_normal(mode=fan_up)", "fan_up"),
            ("formula()", "needs \"expression\""),
            ("norm(axis=0)", "needs \"of\""),
            ("norm(of=.w,axis=x)", "is no axis"),
            ("arange(a=1)", "takes start, step"),
            ("normal(std='1)", "a quote is missing"),
            ("normal(std=layer)", "the variable \"layer\" is unknown"),
            ("zeros(1)", "takes no arguments"),
        ] {
            let error = content(text, &[4, 6], Dtype::F32).unwrap_err().to_string();
            assert!(error.contains(message) && !error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn integers_are_made_by_constants_and_formulas() {
        for text in ["zeros", "ones()", "constant(3)", "arange()", "formula('i0*2')"] {
            content(text, &[4, 6], Dtype::I64).unwrap();
        }
        for (text, dtype, message) in [
            ("normal()", Dtype::I64, "makes no I64; constant, zeros"),
            ("constant(0.5)", Dtype::I64, "element 0 of \"0.5\": 0.5 is no value of I64"),
            ("constant(300)", Dtype::U8, "300 is no value of U8"),
            ("zeros()", Dtype::F64, "the type F64 is not supported; F32, F16 and BF16 are"),
            ("normal()", Dtype::F64, "the type F64 is not supported; F32, F16 and BF16 are"),
            ("arange()", Dtype::C64, "copy = true"),
            ("formula('u+n')", Dtype::F32, "not both"),
            ("formula('i2')", Dtype::F32, "the variable \"i2\" is unknown"),
        ] {
            let error = content(text, &[4, 6], dtype).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn tensors_without_elements_have_any_other_dimensions() {
        let huge = 1 << 40;
        for (text, shape) in [
            ("jax::orthogonal(column_axis=1)", &[huge, 0, 3][..]),
            ("jax::orthogonal(column_axis=1)", &[huge, 0, huge]),
            ("jax::orthogonal(column_axis=1)", &[huge, huge, 0]),
            ("keras::orthogonal", &[huge, huge, 0]),
            ("jax::delta_orthogonal", &[0, huge, huge, huge]),
            ("jax::delta_orthogonal", &[huge, huge, huge, 0, 0]),
        ] {
            let content = content(text, shape, Dtype::F32).unwrap();
            assert_eq!(content.segments().count(), 0, "{text} {shape:?}");
        }
    }

    #[test]
    fn numbers_of_deterministic_tensors_are_finite_and_short() {
        let long = content("arange(start=1e38, step=-1e-300)", &[2], Dtype::F32).unwrap();
        let Some(Source::Formula { text, .. }) = long.single() else { panic!("{long:?}") };
        assert_eq!(text, "1e38 + -1e-300*i");
        assert_eq!(Expression::parse(text).unwrap().to_string(), *text);
        for text in ["arange(step=inf)", "arange(start=nan)"] {
            assert!(content(text, &[2], Dtype::F32).unwrap_err().to_string().contains("arange starts at"));
        }
        let error = Initialiser::parse("formula('i*x')").unwrap().content(&mut Scope {
            shape: &[2],
            dtype: Dtype::F32,
            stream: "w",
            fans: None,
            variable: &|_| Some(f64::INFINITY),
            tensor: &mut |_| Err(Error::new("no tensor")),
        });
        assert!(error.unwrap_err().to_string().contains("\"x\" is inf"));
    }

    #[test]
    fn matrices_within_convolutions() {
        let keras = content("keras::orthogonal(gain=2)", &[3, 3, 16, 32], Dtype::F32).unwrap();
        let Some(Source::Init { shape, .. }) = keras.single() else { panic!("{keras:?}") };
        assert_eq!(shape, &[144, 32]);
        let middle = content("jax::orthogonal(column_axis=1)", &[3, 4, 5], Dtype::F32).unwrap();
        assert_eq!((middle.outer, middle.runs.len()), (3, 4));
        assert_eq!(middle.runs[2], Run { source: 0, first: 30, stride: 5, len: 5 });
        let delta = content("jax::delta_orthogonal()", &[3, 3, 8, 16], Dtype::F32).unwrap();
        assert_eq!(delta.counts(), [4 * 128, 128, 4 * 128]);
        assert!(content("jax::delta_orthogonal()", &[3, 3, 16, 8], Dtype::F32).is_err());
    }
}
