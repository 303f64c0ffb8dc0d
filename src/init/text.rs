//! The textual form of the initialisers: `name(argument=value,…)`, with `jax::` or `keras::` before the
//! names of those frameworks.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::init::Init;
use crate::init::axes::Axes;
use crate::init::fan::FanMode;
use crate::init::kaiming::Kaiming;
use crate::init::variance_scaling::{
    ALIASES, Framework, IN_AXIS, NAMED, OUT_AXIS, ScaledDistribution, VarianceScaling,
};

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant { value } => write!(f, "constant({value})"),
            Self::Zeros => f.write_str("zeros()"),
            Self::Ones => f.write_str("ones()"),
            Self::Uniform { low, high } => write!(f, "uniform(a={low},b={high})"),
            Self::Normal { mean, std } => write!(f, "normal(mean={mean},std={std})"),
            Self::TruncNormal { mean, std, a, b } => {
                write!(f, "trunc_normal(mean={mean},std={std},a={a},b={b})")
            }
            Self::Eye => f.write_str("eye()"),
            Self::Dirac { groups } => write!(f, "dirac(groups={groups})"),
            Self::XavierUniform { gain } => write!(f, "xavier_uniform(gain={gain})"),
            Self::XavierNormal { gain } => write!(f, "xavier_normal(gain={gain})"),
            Self::KaimingUniform(kaiming) => write!(f, "kaiming_uniform({kaiming})"),
            Self::KaimingNormal(kaiming) => write!(f, "kaiming_normal({kaiming})"),
            Self::Orthogonal { gain } => write!(f, "orthogonal(gain={gain})"),
            Self::Sparse { sparsity, std } => write!(f, "sparse(sparsity={sparsity},std={std})"),
            Self::VarianceScaling(scaling) => scaling.fmt(f),
        }
    }
}

impl fmt::Display for Kaiming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a={},mode={},nonlinearity={}", self.a, self.mode, self.nonlinearity)
    }
}

impl fmt::Display for VarianceScaling {
    /// Under its own name if it has one, with the axes that are not the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let this = (self.scale, self.mode, self.distribution);
        let mut arguments = Vec::new();
        write!(f, "{}::", self.framework)?;
        match NAMED.iter().find(|(_, scale, mode, distribution)| (*scale, *mode, *distribution) == this) {
            Some((name, ..)) => f.write_str(name)?,
            None => {
                f.write_str("variance_scaling")?;
                arguments.push(format!("scale={}", self.scale));
                arguments.push(format!("mode={}", self.mode));
                arguments.push(format!("distribution={}", self.distribution.name(self.framework)));
            }
        }
        for (name, axes, default) in [
            ("in_axis", self.in_axis, IN_AXIS),
            ("out_axis", self.out_axis, OUT_AXIS),
            ("batch_axis", self.batch_axis, Axes::NONE),
        ] {
            if axes != default {
                arguments.push(format!("{name}={axes}"));
            }
        }
        write!(f, "({})", arguments.join(","))
    }
}

impl FromStr for Init {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).map_err(|reason| Error::Parse { text: text.to_owned(), reason })
    }
}

/// Name, parameters in the framework's order, and what they make.
type Signature = (&'static str, &'static [&'static str], fn(&Arguments<'_>) -> Result<Init, String>);

/// PyTorch's functions.
const TORCH: &[Signature] = &[
    ("constant", &["val"], |a| Ok(Init::Constant { value: a.required("val")? })),
    ("zeros", &[], |_| Ok(Init::Zeros)),
    ("ones", &[], |_| Ok(Init::Ones)),
    ("uniform", &["a", "b"], |a| Ok(Init::Uniform { low: a.number("a", 0.0)?, high: a.number("b", 1.0)? })),
    ("normal", &["mean", "std"], |a| {
        Ok(Init::Normal { mean: a.number("mean", 0.0)?, std: a.number("std", 1.0)? })
    }),
    ("trunc_normal", &["mean", "std", "a", "b"], |a| {
        Ok(Init::TruncNormal {
            mean: a.number("mean", 0.0)?,
            std: a.number("std", 1.0)?,
            a: a.number("a", -2.0)?,
            b: a.number("b", 2.0)?,
        })
    }),
    ("eye", &[], |_| Ok(Init::Eye)),
    ("dirac", &["groups"], |a| Ok(Init::Dirac { groups: a.parsed("groups", "whole number")?.unwrap_or(1) })),
    ("xavier_uniform", &["gain"], |a| Ok(Init::XavierUniform { gain: a.number("gain", 1.0)? })),
    ("xavier_normal", &["gain"], |a| Ok(Init::XavierNormal { gain: a.number("gain", 1.0)? })),
    ("kaiming_uniform", KAIMING, |a| Ok(Init::KaimingUniform(kaiming(a)?))),
    ("kaiming_normal", KAIMING, |a| Ok(Init::KaimingNormal(kaiming(a)?))),
    ("orthogonal", &["gain"], |a| Ok(Init::Orthogonal { gain: a.number("gain", 1.0)? })),
    ("sparse", &["sparsity", "std"], |a| {
        Ok(Init::Sparse { sparsity: a.required("sparsity")?, std: a.number("std", 0.01)? })
    }),
];

const KAIMING: &[&str] = &["a", "mode", "nonlinearity"];

fn kaiming(a: &Arguments<'_>) -> Result<Kaiming, String> {
    let default = Kaiming::default();
    let mode = a.unquoted("mode").unwrap_or(default.mode.name());
    let modes = [FanMode::FanIn, FanMode::FanOut];
    let known = modes.into_iter().find(|known| known.name() == mode.to_lowercase());
    Ok(Kaiming {
        a: a.number("a", default.a)?,
        mode: known
            .ok_or_else(|| format!("Mode {mode} not supported, please use one of ['fan_in', 'fan_out']"))?,
        nonlinearity: a.word("nonlinearity")?.unwrap_or(default.nonlinearity),
    })
}

fn parse(text: &str) -> Result<Init, String> {
    let text = text.trim();
    let (name, arguments) = match text.split_once('(') {
        None => (text, ""),
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(arguments) => (name.trim_end(), arguments),
            None => return Err("the closing parenthesis is missing at its end".into()),
        },
    };
    match name.split_once("::") {
        None | Some(("torch", _)) => {
            let name = name.strip_prefix("torch::").unwrap_or(name);
            match TORCH.iter().find(|(n, ..)| *n == name) {
                Some((_, parameters, build)) => build(&Arguments::split(name, parameters, arguments)?),
                None => Err(unknown(name)),
            }
        }
        Some((framework, function)) => scaling(name, Framework::parse(framework)?, function, arguments),
    }
}

fn unknown(name: &str) -> String {
    let torch: Vec<_> = TORCH.iter().map(|(n, ..)| *n).collect();
    let both: Vec<_> = NAMED.iter().map(|(n, ..)| *n).collect();
    format!(
        "the initialiser {name:?} is unknown; there are {}, and after jax:: or keras:: variance_scaling, {}",
        torch.join(", "),
        both.join(", ")
    )
}

/// A member of JAX's and Keras's family. Keras's have no axes to choose.
fn scaling(name: &str, framework: Framework, function: &str, arguments: &str) -> Result<Init, String> {
    const OWN: &[&str] = &["scale", "mode", "distribution"];
    const AXES: &[&str] = &["in_axis", "out_axis", "batch_axis"];
    let axes = if framework == Framework::Jax { AXES } else { &[] };
    let alias = ALIASES.iter().find(|(alias, _)| framework == Framework::Jax && *alias == function);
    let function = alias.map_or(function, |(_, function)| function);
    let named = NAMED.iter().find(|(n, ..)| *n == function);
    let parameters = match (function, named) {
        ("variance_scaling", _) => [OWN, axes].concat(),
        (_, Some(_)) => axes.to_vec(),
        _ => return Err(unknown(name)),
    };
    let a = Arguments::split(name, &parameters, arguments)?;
    let distribution = |text| ScaledDistribution::parse(text, framework);
    let (scale, mode, distribution) = match (named, framework) {
        (Some((_, scale, mode, distribution)), _) => (*scale, *mode, *distribution),
        // JAX has no defaults for these three, Keras has.
        (None, Framework::Jax) => (
            a.required("scale")?,
            a.word("mode")?.ok_or_else(|| a.needs("mode"))?,
            distribution(a.unquoted("distribution").ok_or_else(|| a.needs("distribution"))?)?,
        ),
        (None, Framework::Keras) => (
            a.number("scale", 1.0)?,
            a.word("mode")?.unwrap_or_default(),
            distribution(a.unquoted("distribution").unwrap_or("truncated_normal"))?,
        ),
    };
    Ok(Init::VarianceScaling(VarianceScaling {
        in_axis: a.axes("in_axis")?.unwrap_or(IN_AXIS),
        out_axis: a.axes("out_axis")?.unwrap_or(OUT_AXIS),
        batch_axis: a.axes("batch_axis")?.unwrap_or(Axes::NONE),
        ..VarianceScaling::new(framework, scale, mode, distribution)
    }))
}

/// What stands between the parentheses, by parameter.
struct Arguments<'a> {
    name: &'a str,
    parameters: &'a [&'a str],
    given: Vec<Option<&'a str>>,
}

impl<'a> Arguments<'a> {
    fn split(name: &'a str, parameters: &'a [&'a str], text: &'a str) -> Result<Self, String> {
        let mut given = vec![None; parameters.len()];
        let mut by_name = false;
        let takes = || match parameters {
            [] => "it takes none".into(),
            _ => format!("it takes {}", parameters.join(", ")),
        };
        let mut arguments = at_commas(text);
        // None at all, or Python's comma at the end.
        if arguments.last().is_some_and(|last| last.trim().is_empty()) {
            arguments.pop();
        }
        for (position, argument) in arguments.into_iter().map(str::trim).enumerate() {
            let (slot, value) = match argument.split_once('=') {
                Some((key, value)) => {
                    by_name = true;
                    let key = key.trim();
                    let slot = parameters.iter().position(|p| *p == key);
                    (
                        slot.ok_or_else(|| format!("{name} has no argument {key:?}; {}", takes()))?,
                        value.trim(),
                    )
                }
                None if by_name => {
                    return Err(format!("{argument:?} has no name but follows an argument that has one"));
                }
                None => (position, argument),
            };
            match given.get_mut(slot) {
                None => return Err(format!("{name} got too many arguments; {}", takes())),
                Some(Some(_)) => return Err(format!("{:?} is given twice", parameters[slot])),
                Some(empty) => *empty = Some(value),
            }
        }
        Ok(Self { name, parameters, given })
    }

    fn get(&self, parameter: &str) -> Option<&'a str> {
        let slot = self.parameters.iter().position(|p| *p == parameter)?;
        self.given[slot]
    }

    fn needs(&self, parameter: &str) -> String {
        format!("{} needs {parameter:?}", self.name)
    }

    /// A number of some kind, if it was given.
    fn parsed<T: FromStr>(&self, parameter: &str, kind: &str) -> Result<Option<T>, String> {
        let parse = |text: &str| text.parse().map_err(|_| format!("{text:?} is not a {kind}"));
        self.get(parameter).map(parse).transpose()
    }

    fn float(&self, parameter: &str) -> Result<Option<f64>, String> {
        let number: Option<f64> = self.parsed(parameter, "number")?;
        match self.get(parameter) {
            // Infinity is a word, not what is too large for f64.
            Some(text)
                if number.is_some_and(f64::is_infinite) && text.contains(|c: char| c.is_ascii_digit()) =>
            {
                Err(format!("{text} is too large"))
            }
            _ => Ok(number),
        }
    }

    fn number(&self, parameter: &str, default: f64) -> Result<f64, String> {
        Ok(self.float(parameter)?.unwrap_or(default))
    }

    fn required(&self, parameter: &str) -> Result<f64, String> {
        self.float(parameter)?.ok_or_else(|| self.needs(parameter))
    }

    /// In Python's quotes, or without.
    fn unquoted(&self, parameter: &str) -> Option<&'a str> {
        let text = self.get(parameter)?;
        let inside = |quote| text.strip_prefix(quote).and_then(|t: &str| t.strip_suffix(quote));
        Some(inside('\'').or_else(|| inside('"')).unwrap_or(text))
    }

    fn word<T: FromStr<Err = Error>>(&self, parameter: &str) -> Result<Option<T>, String> {
        self.unquoted(parameter)
            .map(|text| text.parse().map_err(|error: Error| error.to_string()))
            .transpose()
    }

    /// An axis, or several in parentheses or brackets.
    fn axes(&self, parameter: &str) -> Result<Option<Axes>, String> {
        let Some(text) = self.get(parameter) else { return Ok(None) };
        let pair = |open, close| text.strip_prefix(open).and_then(|t: &str| t.strip_suffix(close));
        let inside = pair('(', ')').or_else(|| pair('[', ']')).unwrap_or(text);
        let parts = inside.split(',').map(str::trim).filter(|part| !part.is_empty());
        let axes: Option<Vec<i64>> = parts.map(|part| part.parse().ok()).collect();
        axes.and_then(|axes| Axes::new(&axes)).map(Some).ok_or_else(|| {
            format!("{text:?} is no axis and no list of up to {} axes, such as -2 or (0,1)", Axes::MAX)
        })
    }
}

/// At the commas that stand in no parentheses.
fn at_commas(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|c| {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::gain::Nonlinearity;

    #[test]
    fn round_trips() {
        let wide = VarianceScaling {
            in_axis: Axes::from([0, 1]),
            batch_axis: Axes::from(2),
            ..VarianceScaling::new(Framework::Jax, 0.3, FanMode::FanGeoAvg, ScaledDistribution::Normal)
        };
        let kaiming = Kaiming { a: 0.2, mode: FanMode::FanOut, nonlinearity: Nonlinearity::Selu };
        let keras = VarianceScaling::new(Framework::Keras, 2.0, FanMode::FanOut, ScaledDistribution::Normal);
        for init in [
            Init::constant(0.01),
            Init::constant(-0.0),
            Init::constant(f64::NEG_INFINITY),
            Init::constant(5e-324),
            Init::Zeros,
            Init::Ones,
            Init::uniform(-0.1, 1.0 / 3.0),
            Init::normal(-1.5, 1.0 / 3.0),
            Init::trunc_normal(0.0, 0.02, f64::NEG_INFINITY, 2.0),
            Init::Eye,
            Init::Dirac { groups: 3 },
            Init::XavierUniform { gain: 0.1 },
            Init::XavierNormal { gain: 2f64.sqrt() },
            Init::kaiming_uniform(),
            Init::KaimingNormal(kaiming),
            Init::orthogonal(),
            Init::Sparse { sparsity: 0.9, std: 0.1 },
            Init::VarianceScaling(VarianceScaling::jax_he_normal()),
            Init::VarianceScaling(VarianceScaling::keras_glorot_uniform()),
            Init::VarianceScaling(wide),
            Init::VarianceScaling(keras),
        ] {
            assert_eq!(init.to_string().parse(), Ok(init), "{init}");
        }
    }

    #[test]
    fn reads_as_python_would() {
        let kaiming =
            Kaiming { mode: FanMode::FanOut, nonlinearity: Nonlinearity::Relu, ..Kaiming::default() };
        let scaled = VarianceScaling::new(Framework::Jax, 1.5, FanMode::FanAvg, ScaledDistribution::Uniform);
        let keras_default =
            VarianceScaling::new(Framework::Keras, 1.0, FanMode::FanIn, ScaledDistribution::TruncatedNormal);
        for (text, init) in [
            ("zeros", Init::Zeros),
            (" ones ( ) ", Init::Ones),
            ("constant(val=3)", Init::constant(3.0)),
            ("normal", Init::normal(0.0, 1.0)),
            ("normal(1)", Init::normal(1.0, 1.0)),
            ("normal(1, std=2)", Init::normal(1.0, 2.0)),
            ("normal(std=2e-2)", Init::normal(0.0, 0.02)),
            ("normal(0, 0.02,)", Init::normal(0.0, 0.02)),
            ("jax::kaiming_normal", Init::VarianceScaling(VarianceScaling::jax_he_normal())),
            ("jax::xavier_uniform()", Init::VarianceScaling(VarianceScaling::jax_glorot_uniform())),
            ("keras::variance_scaling(distribution='Normal')", Init::VarianceScaling(keras_default)),
            ("torch::xavier_normal()", Init::xavier_normal()),
            ("uniform", Init::uniform(0.0, 1.0)),
            ("trunc_normal(std=0.02)", Init::trunc_normal(0.0, 0.02, -2.0, 2.0)),
            ("trunc_normal(0,1,-inf,3)", Init::trunc_normal(0.0, 1.0, f64::NEG_INFINITY, 3.0)),
            ("dirac(2)", Init::Dirac { groups: 2 }),
            ("sparse(0.1)", Init::sparse(0.1)),
            ("kaiming_normal(mode='fan_out', nonlinearity=\"relu\")", Init::KaimingNormal(kaiming)),
            ("kaiming_uniform(0, FAN_OUT, relu)", Init::KaimingUniform(kaiming)),
            ("jax::variance_scaling(1.5, 'fan_avg', 'uniform')", Init::VarianceScaling(scaled)),
            (
                "jax::variance_scaling(1.5,fan_avg,uniform,in_axis=(-2,),out_axis=[-1],batch_axis=())",
                Init::VarianceScaling(scaled),
            ),
            ("keras::variance_scaling", Init::VarianceScaling(keras_default)),
            ("keras::lecun_normal()", Init::VarianceScaling(keras_default)),
        ] {
            assert_eq!(text.parse(), Ok(init), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, message) in [
            ("xavier_norml()", "there are constant, zeros, ones, uniform, normal, trunc_normal"),
            ("", "the initialiser \"\" is unknown"),
            ("normal(0", "closing parenthesis"),
            ("normal(0)x", "closing parenthesis"),
            ("constant()", "constant needs \"val\""),
            ("constant(1,2)", "too many arguments; it takes val"),
            ("zeros(1)", "it takes none"),
            ("normal(avg=1)", "no argument \"avg\"; it takes mean, std"),
            ("normal(0,mean=1)", "\"mean\" is given twice"),
            ("normal(mean=0,1)", "\"1\" has no name"),
            ("normal(0,,)", "\"\" is not a number"),
            ("constant(1e400)", "1e400 is too large"),
            ("torch::torch::ones", "the initialiser \"torch::ones\" is unknown"),
            ("normal(,0)", "\"\" is not a number"),
            ("normal(zero)", "\"zero\" is not a number"),
            ("dirac(1.5)", "\"1.5\" is not a whole number"),
            ("sparse()", "sparse needs \"sparsity\""),
            ("kaiming_normal(mode=fan)", "Mode fan not supported, please use one of ['fan_in', 'fan_out']"),
            ("kaiming_normal(nonlinearity=gelu)", "Unsupported nonlinearity gelu"),
            ("glorot_normal()", "after jax:: or keras:: variance_scaling, glorot_normal"),
            ("flax::glorot_normal()", "the framework \"flax\" is unknown"),
            ("jax::xavier()", "the initialiser \"jax::xavier\" is unknown"),
            ("jax::glorot_normal(scale=2)", "no argument \"scale\"; it takes in_axis, out_axis, batch_axis"),
            ("jax::variance_scaling(1)", "jax::variance_scaling needs \"mode\""),
            (
                "jax::variance_scaling(1,fan_in,cauchy)",
                "invalid distribution for variance scaling initializer",
            ),
            ("jax::glorot_normal(in_axis=x)", "\"x\" is no axis"),
            ("jax::glorot_normal(in_axis=(0,1,2,3,4,5,6,7,8))", "up to 8 axes"),
            ("keras::glorot_normal(in_axis=0)", "it takes none"),
        ] {
            let error = text.parse::<Init>().unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
