//! Expressions: the numbers of rules, such as `0.02/sqrt(2*layers)`, and the formulas of deterministic tensors.
//!
//! The grammar is that of arithmetic in Python. All functions are those of libm in f64, so that every host computes the
//! same bits.

use std::fmt;

use seedbed::{Nonlinearity, calculate_gain};
use winnow::ascii::{digit0, digit1, multispace0};
use winnow::combinator::{
    Infix, Prefix, alt, cut_err, delimited, expression, fail, opt, preceded, separated, terminated,
};
use winnow::error::{ContextError, ErrMode, StrContext, StrContextValue};
use winnow::prelude::*;
use winnow::token::{one_of, take_while};

use crate::error::{Error, Result, bail, ensure};

/// The longest text of an expression, in bytes. The limit bounds the depth of a tree.
const MAX_TEXT: usize = 500;
/// The deepest nesting of parentheses.
const MAX_DEPTH: usize = 50;

/// A parsed expression.
#[derive(Clone)]
pub struct Expression {
    text: String,
    tree: Tree,
}

#[derive(Clone)]
enum Tree {
    Number(f64),
    Variable(String),
    /// A variable whose value comes with each evaluation.
    Slot(usize),
    One(Function, Box<Tree>),
    Two(FunctionOfTwo, Box<[Tree; 2]>),
}

type Function = fn(f64) -> f64;
type FunctionOfTwo = fn(f64, f64) -> f64;

/// The functions of one argument.
const FUNCTIONS: &[(&str, Function)] = &[
    ("sqrt", libm::sqrt),
    ("cbrt", libm::cbrt),
    ("exp", libm::exp),
    ("expm1", libm::expm1),
    ("log", libm::log),
    ("log1p", libm::log1p),
    ("log2", libm::log2),
    ("log10", libm::log10),
    ("sin", libm::sin),
    ("cos", libm::cos),
    ("tan", libm::tan),
    ("tanh", libm::tanh),
    ("abs", libm::fabs),
    ("floor", libm::floor),
    ("ceil", libm::ceil),
    ("round", libm::rint),
];

/// The functions of two arguments.
const FUNCTIONS_OF_TWO: &[(&str, FunctionOfTwo)] =
    &[("min", libm::fmin), ("max", libm::fmax), ("pow", libm::pow), ("fmod", libm::fmod)];

/// The constants.
const CONSTANTS: &[(&str, f64)] = &[
    ("pi", std::f64::consts::PI),
    ("e", std::f64::consts::E),
    ("inf", f64::INFINITY),
    ("nan", f64::NAN),
    ("None", f64::NAN),
];

/// The modules whose functions are pasted with their prefix.
const MODULES: &[&str] = &["math.", "np.", "numpy.", "torch.nn.init.", "nn.init.", "init.", "torch.", "jnp."];

/// Whether the name belongs to the language, so that no variable can have it.
pub(crate) fn is_reserved(name: &str) -> bool {
    let functions = FUNCTIONS.iter().map(|(name, _)| *name);
    let all = functions.chain(FUNCTIONS_OF_TWO.iter().map(|(name, _)| *name));
    all.chain(CONSTANTS.iter().map(|(name, _)| *name)).any(|reserved| reserved == name)
        || matches!(name, "i" | "u" | "n" | "fan_in" | "fan_out" | "rank" | "count" | "float")
        || is_numbered(name, 'd')
        || is_numbered(name, 'i')
}

/// Whether the name is the letter and a number, such as `d0`.
fn is_numbered(name: &str, letter: char) -> bool {
    name.strip_prefix(letter).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

impl Expression {
    /// Parses a text.
    ///
    /// # Errors
    /// A text that is no expression, with the column of the mistake; one that is too long or nested too deeply.
    pub fn parse(text: &str) -> Result<Self> {
        ensure!(text.len() <= MAX_TEXT, "the expression has {} bytes; {MAX_TEXT} are allowed", text.len());
        let mut depth = 0_usize;
        for byte in text.bytes() {
            match byte {
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            ensure!(depth <= MAX_DEPTH, "the expression has more than {MAX_DEPTH} parentheses in each other");
        }
        let parsed = terminated(tree, multispace0).parse(text);
        let tree = parsed.map_err(|error| {
            let column = text[..error.char_span().start.min(text.len())].chars().count() + 1;
            let expected = error.inner().to_string().replace('\n', ", ");
            let what = if expected.is_empty() {
                "something else is expected here: a number, a name, a parenthesis, an operator".to_owned()
            } else {
                expected
            };
            Error::new(format_args!("{text:?}, column {column}: {what}"))
        })?;
        Ok(Self { text: text.to_owned(), tree })
    }

    /// The value, with the variables that `lookup` knows.
    ///
    /// # Errors
    /// A variable that `lookup` does not know; a result that is not finite although the text names no infinity.
    pub fn value(&self, lookup: &dyn Fn(&str) -> Option<f64>) -> Result<f64> {
        let value = self.bind(&[], lookup)?.with(&[]);
        let names_infinity = self.text.contains("inf") || self.text.contains("nan");
        ensure!(value.is_finite() || names_infinity, "{:?} is {value}, which is not finite", self.text);
        Ok(value)
    }

    /// The expression with the variables that `lookup` knows replaced by their values. The variables of `slots` get their
    /// values at each evaluation.
    ///
    /// # Errors
    /// A variable that neither knows.
    pub fn bind(&self, slots: &[String], lookup: &dyn Fn(&str) -> Option<f64>) -> Result<Self> {
        let mut bound = self.clone();
        bind(&mut bound.tree, slots, lookup)?;
        Ok(bound)
    }

    /// The value of a bound expression, with the values of its slots.
    pub fn with(&self, slots: &[f64]) -> f64 {
        evaluate(&self.tree, slots)
    }

    /// The names of the variables, in order, with repetitions.
    pub fn variables(&self) -> Vec<&str> {
        let mut names = Vec::new();
        collect(&self.tree, &mut names);
        names
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

fn bind(tree: &mut Tree, slots: &[String], lookup: &dyn Fn(&str) -> Option<f64>) -> Result<()> {
    match tree {
        Tree::Number(_) | Tree::Slot(_) => {}
        Tree::Variable(name) => {
            *tree = match (slots.iter().position(|slot| slot == name), lookup(name)) {
                (Some(slot), _) => Tree::Slot(slot),
                (None, Some(value)) => Tree::Number(value),
                (None, None) => bail!("the variable {name:?} is unknown here"),
            }
        }
        Tree::One(_, argument) => bind(argument, slots, lookup)?,
        Tree::Two(_, arguments) => {
            for argument in &mut **arguments {
                bind(argument, slots, lookup)?;
            }
        }
    }
    Ok(())
}

fn evaluate(tree: &Tree, slots: &[f64]) -> f64 {
    match tree {
        Tree::Number(value) => *value,
        // An unbound tree is never evaluated: `bind` comes first.
        Tree::Variable(_) => f64::NAN,
        Tree::Slot(slot) => slots.get(*slot).copied().unwrap_or(f64::NAN),
        Tree::One(function, argument) => function(evaluate(argument, slots)),
        Tree::Two(function, arguments) => {
            let [a, b] = &**arguments;
            function(evaluate(a, slots), evaluate(b, slots))
        }
    }
}

fn collect<'a>(tree: &'a Tree, names: &mut Vec<&'a str>) {
    match tree {
        Tree::Number(_) | Tree::Slot(_) => {}
        Tree::Variable(name) => names.push(name),
        Tree::One(_, argument) => collect(argument, names),
        Tree::Two(_, arguments) => arguments.iter().for_each(|argument| collect(argument, names)),
    }
}

fn tree(input: &mut &str) -> ModalResult<Tree> {
    expression(preceded(multispace0, operand))
        .prefix(preceded(
            multispace0,
            alt((
                '-'.value(Prefix(12, |_: &mut _, a| Ok(Tree::One(|a| -a, Box::new(a))))),
                '+'.value(Prefix(12, |_: &mut _, a| Ok(a))),
            )),
        ))
        .infix(preceded(
            multispace0,
            alt((
                // As in Python, a power binds more tightly than the sign before it, and to the right.
                alt(("**", "^")).value(Infix::Right(20, |_: &mut _, a, b| Ok(join(libm::pow, a, b)))),
                '*'.value(Infix::Left(10, |_: &mut _, a, b| Ok(join(|a, b| a * b, a, b)))),
                '/'.value(Infix::Left(10, |_: &mut _, a, b| Ok(join(|a, b| a / b, a, b)))),
                '+'.value(Infix::Left(5, |_: &mut _, a, b| Ok(join(|a, b| a + b, a, b)))),
                '-'.value(Infix::Left(5, |_: &mut _, a, b| Ok(join(|a, b| a - b, a, b)))),
            )),
        ))
        .parse_next(input)
}

fn join(function: FunctionOfTwo, a: Tree, b: Tree) -> Tree {
    Tree::Two(function, Box::new([a, b]))
}

fn operand(input: &mut &str) -> ModalResult<Tree> {
    let expected = |what| StrContext::Expected(StrContextValue::Description(what));
    alt((
        number.map(Tree::Number),
        delimited('(', tree, (multispace0, cut_err(')').context(expected("a closing parenthesis")))),
        named,
        fail.context(expected("a number, a name, or a parenthesis")),
    ))
    .parse_next(input)
}

fn number(input: &mut &str) -> ModalResult<f64> {
    let digits = alt(((digit1, opt(('.', digit0))).void(), ('.', digit1).void()));
    let exponent = (one_of(['e', 'E']), opt(one_of(['+', '-'])), digit1);
    (digits, opt(exponent)).take().try_map(|text: &str| text.parse::<f64>()).parse_next(input)
}

fn name<'a>(input: &mut &'a str) -> ModalResult<&'a str> {
    let first = one_of(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_');
    (first, rest).take().parse_next(input)
}

/// A variable, a constant, or a call, each with or without the module that Python has before it.
fn named(input: &mut &str) -> ModalResult<Tree> {
    for module in MODULES {
        if let Some(rest) = input.strip_prefix(module) {
            *input = rest;
            break;
        }
    }
    let name = name.parse_next(input)?;
    let is_call = input.trim_start().starts_with('(');
    if !is_call {
        let constant = CONSTANTS.iter().find(|(constant, _)| *constant == name);
        return Ok(
            constant.map_or_else(|| Tree::Variable(name.to_owned()), |(_, value)| Tree::Number(*value))
        );
    }
    multispace0.parse_next(input)?;
    if matches!(name, "calculate_gain" | "float") {
        return literal_call(name, input);
    }
    let expected = |what| StrContext::Expected(StrContextValue::Description(what));
    let arguments = separated(1.., tree, (multispace0, ','));
    let close = (multispace0, cut_err(')').context(expected("a closing parenthesis")));
    let mut arguments: Vec<Tree> = delimited('(', arguments, close).parse_next(input)?;
    let wrong = |what| {
        let mut error = ContextError::new();
        error.push(expected(what));
        Err(ErrMode::Cut(error))
    };
    if let Some((_, function)) = FUNCTIONS.iter().find(|(function, _)| *function == name) {
        return match (arguments.pop(), arguments.pop()) {
            (Some(argument), None) => Ok(Tree::One(*function, Box::new(argument))),
            _ => wrong("one argument of this function"),
        };
    }
    if let Some((_, function)) = FUNCTIONS_OF_TWO.iter().find(|(function, _)| *function == name) {
        return match (arguments.pop(), arguments.pop(), arguments.pop()) {
            (Some(b), Some(a), None) => Ok(join(*function, a, b)),
            _ => wrong("two arguments of this function"),
        };
    }
    wrong(
        "a known function: sqrt, cbrt, exp, expm1, log, log1p, log2, log10, sin, cos, tan, tanh, abs, floor, ceil, \
         round, min, max, pow, fmod, calculate_gain",
    )
}

/// A call whose argument is a word in quotes: `calculate_gain('relu')`, `calculate_gain('leaky_relu', 0.2)`, `float('inf')`.
fn literal_call(function: &str, input: &mut &str) -> ModalResult<Tree> {
    let quoted = |quote| delimited(quote, take_while(1.., move |c: char| c != quote && c != ')'), quote);
    let second = opt(preceded((multispace0, ',', multispace0), (opt('-'), number)));
    let mut arguments =
        delimited(('(', multispace0), (alt((quoted('"'), quoted('\''))), second), (multispace0, ')'));
    let (word, second): (&str, Option<(Option<char>, f64)>) = arguments.parse_next(input)?;
    let second = second.map(|(sign, value)| if sign.is_some() { -value } else { value });
    let value = match (function, word.parse::<Nonlinearity>()) {
        ("calculate_gain", Ok(nonlinearity)) => Some(calculate_gain(nonlinearity, second)),
        ("float", _) => word.parse::<f64>().ok(),
        _ => None,
    };
    value.map(Tree::Number).ok_or_else(|| {
        let mut error = ContextError::new();
        error.push(StrContext::Expected(StrContextValue::Description("a known word in quotes")));
        ErrMode::Cut(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> f64 {
        let lookup = |name: &str| (name == "layers").then_some(12.0);
        Expression::parse(text).unwrap().value(&lookup).unwrap()
    }

    #[test]
    fn expressions_mean_what_python_means() {
        // Each value is Python's.
        for (text, expected) in [
            ("0.02", 0.02),
            (".5", 0.5),
            ("1.", 1.0),
            ("1e-6", 1e-6),
            ("2.5E+3", 2500.0),
            ("0.02/sqrt(2*layers)", 0.02 / 24_f64.sqrt()),
            ("-2**2", -4.0),
            ("-2^2", -4.0),
            ("2**-1", 0.5),
            ("2**3**2", 512.0),
            ("7-2-1", 4.0),
            ("8/2/2", 2.0),
            ("1 - 2 * 3 + 4", -1.0),
            ("math.sqrt(5)", 5_f64.sqrt()),
            (" ( 1 + 2 ) * 3 ", 9.0),
            ("max(1, min(3, 2))", 2.0),
            ("max(min(5, 4), 3)", 4.0),
            ("np.log(math.e)", 1.0),
            ("2*pi", std::f64::consts::TAU),
            ("nn.init.calculate_gain('tanh')", 5.0 / 3.0),
            ("calculate_gain(\"leaky_relu\", 0.2)", (2.0 / 1.04_f64).sqrt()),
            ("--3", 3.0),
            ("-float('inf')", f64::NEG_INFINITY),
            ("round(2.5)", 2.0),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_have_a_column() {
        for (text, message) in [
            ("", "column 1: something else is expected here"),
            ("1 +", "column"),
            ("(1", "a closing parenthesis"),
            ("1 2", "column 3"),
            ("sqrt(1, 2)", "one argument"),
            ("min(1)", "two arguments"),
            ("gamma(1)", "a known function"),
            ("calculate_gain('rleu')", "a known word"),
            ("1 $ 2", "column 3"),
        ] {
            let error = Expression::parse(text).unwrap_err().to_string();
            assert!(error.contains(message) && !error.contains('\n'), "{text}: {error}");
        }
        assert!(Expression::parse(&"(".repeat(60)).is_err());
        assert!(Expression::parse(&"-".repeat(499)).is_err());
        assert!(Expression::parse(&("-".repeat(498) + "1")).is_ok());
        assert!(Expression::parse(&"1+".repeat(400)).is_err());
    }

    #[test]
    fn what_is_unknown_or_not_finite_is_an_error() {
        let error = |text: &str| Expression::parse(text).unwrap().value(&|_| None).unwrap_err().to_string();
        assert!(error("2*layer").contains("the variable \"layer\" is unknown"));
        assert!(error("1/0").contains("not finite"));
        assert!(error("log(0)").contains("not finite"));
    }
}
