//! Expressions, and initialisers whose numbers are expressions.

use seedbed::calculate_gain;
use seedbed_model::{Dtype, Expression, Maker, Tensor};

use super::{accepted, choose, models, sections};

/// Reads an expression and an initialiser. The sections are two texts. An accepted expression has the value that a second
/// reader, written anew for this purpose, gives.
pub fn run(input: &[u8]) {
    let mut sections = sections(input);
    let mut text = || str::from_utf8(sections.next()?).ok();
    let Some(first) = text() else { return };
    let Some(second) = text() else { return expression(first) };
    expression(first);
    content(second);
}

/// The value of a variable. Names that begin with `x` have none.
fn variable(name: &str) -> Option<f64> {
    (!name.starts_with('x')).then_some(name.len() as f64)
}

fn expression(text: &str) {
    let Some(expression) = accepted(Expression::parse(text)) else { return };
    assert_eq!(expression.to_string(), text);
    let bound = accepted(expression.bind(&[], &variable)).map(|bound| bound.with(&[]));
    let expected = Reader { text, at: 0 }.all();
    match (bound, expected) {
        (Some(value), Some(Some(expected))) => {
            assert!(
                value.to_bits() == expected.to_bits() || value.is_nan() && expected.is_nan(),
                "{text:?} is {value}, and {expected} by the second reader"
            );
        }
        (None, Some(None)) => {}
        other => panic!("{text:?}: {other:?}"),
    }
    let value = accepted(expression.value(&variable));
    assert_eq!(
        value.map(f64::to_bits),
        bound.filter(|value| value.is_finite() || names_infinity(text)).map(f64::to_bits)
    );
    // A variable has the same value, whether it is bound or comes with the evaluation.
    let names: Vec<String> = expression.variables().into_iter().map(str::to_owned).collect();
    let values: Vec<f64> = names.iter().map(|name| variable(name).unwrap_or(f64::NAN)).collect();
    let later = expression.bind(&names, &|_| None).expect("each variable is a slot").with(&values);
    if let Some(bound) = bound {
        assert!(later.to_bits() == bound.to_bits() || later.is_nan() && bound.is_nan(), "{text:?}: {later}");
    }
}

fn names_infinity(text: &str) -> bool {
    text.contains("inf") || text.contains("nan")
}

/// Makes what an initialiser of rules describes, in a shape and a type.
fn content(text: &str) {
    let known = accepted(seedbed_model::initialiser(text));
    let shape: &[u64] = choose(text.as_bytes(), &[&[4, 6], &[5], &[3, 2, 2, 4], &[], &[4, 6]]);
    let dtype = choose(text.as_bytes(), &[Dtype::F32, Dtype::BF16, Dtype::I64, Dtype::F16]);
    let Some(content) = accepted(seedbed_model::content(text, shape, dtype, "w")) else { return };
    assert!(known.is_some(), "{text:?} has a content, and is no initialiser");
    let tensor = Tensor { name: "w".into(), shape: shape.into(), dtype, content };
    if accepted(tensor.check()).is_none() {
        return;
    }
    if let Some((mean, std)) = tensor.moments() {
        assert!(std.is_nan() || std >= 0.0, "{text:?}: {mean} {std}");
    }
    models::make(&mut Maker::new(1, None), &tensor, &mut |_| ());
}

/// Python's grammar of arithmetic by recursive descent, which evaluates while it reads. The outer option says whether the text
/// was read, and the inner one is the value, or nothing where a variable has none.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

type Value = Option<Option<f64>>;

const MODULES: &[&str] = &["math.", "np.", "numpy.", "torch.nn.init.", "nn.init.", "init.", "torch.", "jnp."];

impl Reader<'_> {
    fn all(mut self) -> Value {
        let value = self.sum()?;
        self.space();
        (self.at == self.text.len()).then_some(value)
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    /// Takes a token, if it comes next.
    fn take(&mut self, token: &str) -> bool {
        self.space();
        let is_next = self.rest().starts_with(token);
        self.at += if is_next { token.len() } else { 0 };
        is_next
    }

    fn sum(&mut self) -> Value {
        let mut value = self.product()?;
        loop {
            if self.take("+") {
                value = join(value, self.product()?, |a, b| a + b);
            } else if self.take("-") {
                value = join(value, self.product()?, |a, b| a - b);
            } else {
                return Some(value);
            }
        }
    }

    fn product(&mut self) -> Value {
        let mut value = self.signed()?;
        loop {
            if self.take("*") {
                value = join(value, self.signed()?, |a, b| a * b);
            } else if self.take("/") {
                value = join(value, self.signed()?, |a, b| a / b);
            } else {
                return Some(value);
            }
        }
    }

    fn signed(&mut self) -> Value {
        if self.take("-") {
            return self.signed().map(|value| value.map(|value| -value));
        }
        if self.take("+") {
            return self.signed();
        }
        self.power()
    }

    fn power(&mut self) -> Value {
        let base = self.operand()?;
        if self.take("**") || self.take("^") {
            return Some(join(base, self.signed()?, libm::pow));
        }
        Some(base)
    }

    fn operand(&mut self) -> Value {
        if self.take("(") {
            let value = self.sum()?;
            return self.take(")").then_some(value);
        }
        self.space();
        if self.rest().starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return self.number().map(Some);
        }
        if let Some(module) = MODULES.iter().find(|module| self.rest().starts_with(**module)) {
            self.at += module.len();
        }
        let name = self.name()?;
        self.space();
        match name.as_str() {
            _ if !self.rest().starts_with('(') => Some(match name.as_str() {
                "pi" => Some(std::f64::consts::PI),
                "e" => Some(std::f64::consts::E),
                "inf" => Some(f64::INFINITY),
                "nan" | "None" => Some(f64::NAN),
                _ => variable(&name),
            }),
            "calculate_gain" | "float" => self.word(&name).map(Some),
            _ => self.call(&name),
        }
    }

    fn call(&mut self, name: &str) -> Value {
        self.take("(");
        let mut arguments = vec![self.sum()?];
        while self.take(",") {
            arguments.push(self.sum()?);
        }
        if !self.take(")") {
            return None;
        }
        match arguments[..] {
            [a] => {
                let function: fn(f64) -> f64 = match name {
                    "sqrt" => libm::sqrt,
                    "cbrt" => libm::cbrt,
                    "exp" => libm::exp,
                    "expm1" => libm::expm1,
                    "log" => libm::log,
                    "log1p" => libm::log1p,
                    "log2" => libm::log2,
                    "log10" => libm::log10,
                    "sin" => libm::sin,
                    "cos" => libm::cos,
                    "tan" => libm::tan,
                    "tanh" => libm::tanh,
                    "abs" => libm::fabs,
                    "floor" => libm::floor,
                    "ceil" => libm::ceil,
                    "round" => libm::rint,
                    _ => return None,
                };
                Some(a.map(function))
            }
            [a, b] => {
                let function: fn(f64, f64) -> f64 = match name {
                    "min" => libm::fmin,
                    "max" => libm::fmax,
                    "pow" => libm::pow,
                    "fmod" => libm::fmod,
                    _ => return None,
                };
                Some(join(a, b, function))
            }
            _ => None,
        }
    }

    /// `calculate_gain('leaky_relu', 0.2)` or `float('inf')`, from the parenthesis on.
    fn word(&mut self, function: &str) -> Option<f64> {
        self.take("(");
        self.space();
        let quote = self.rest().chars().next().filter(|c| ['"', '\''].contains(c))?;
        let (word, _) = self.rest()[1..].split_once(quote)?;
        let word = word.to_owned();
        self.at += word.len() + 2;
        let mut second = None;
        if self.take(",") {
            let sign = if self.take("-") { -1.0 } else { 1.0 };
            second = Some(sign * self.number()?);
        }
        if !self.take(")") {
            return None;
        }
        match function {
            "float" => word.parse().ok(),
            _ => Some(calculate_gain(word.parse().ok()?, second)),
        }
    }

    fn number(&mut self) -> Option<f64> {
        let bytes = self.rest().as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = digits(0);
        if bytes.get(end) == Some(&b'.') {
            end += 1 + digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = bytes.get(end + 1 + sign..).map_or(0, |_| digits(end + 1 + sign));
            end += if exponent > 0 { 1 + sign + exponent } else { 0 };
        }
        let value = self.rest()[..end].parse().ok();
        self.at += end;
        value
    }

    fn name(&mut self) -> Option<String> {
        let rest = self.rest();
        let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = rest.find(|c| !is_inside(c)).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        self.at += end;
        (!name.is_empty()).then_some(name)
    }
}

fn join(a: Option<f64>, b: Option<f64>, function: fn(f64, f64) -> f64) -> Option<f64> {
    Some(function(a?, b?))
}
