//! The textual form of the initialisers: `name(argument=value,…)`, with `jax::` or `keras::` before the
//! names of those frameworks.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::init::Init;
use crate::init::arguments::Arguments;
use crate::init::kaiming::Kaiming;
use crate::init::table::{Signature, written};
use crate::init::variance_scaling::{Framework, VarianceScaling};

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = written(*self);
        if let Some(framework) = written.framework {
            write!(f, "{framework}::")?;
        }
        // A single required argument needs no name.
        let is_plain = Signature::find(written.framework, written.name)
            .is_some_and(|row| row.arguments.len() == 1 && row.arguments[0].default.is_none());
        match &written.arguments[..] {
            [(_, value)] if is_plain => write!(f, "{}({value})", written.name),
            arguments => write!(f, "{}({})", written.name, by_name(arguments)),
        }
    }
}

impl fmt::Display for Kaiming {
    /// Writes the arguments of `kaiming_normal`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&by_name(&written(Init::KaimingNormal(*self)).arguments))
    }
}

impl fmt::Display for VarianceScaling {
    /// Writes the name of the member if the scaling is one, with the axes that are not the defaults.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Init::VarianceScaling(*self).fmt(f)
    }
}

fn by_name(arguments: &[(&str, String)]) -> String {
    arguments.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

impl FromStr for Init {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // Frameworks name a wrong word without quotes. A control character in the word could command a terminal.
        let reason = |reason: String| reason.replace(char::is_control, "\u{fffd}");
        parse(text).map_err(|error| Error::Parse { text: text.to_owned(), reason: reason(error) })
    }
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
    // Errors repeat the name as it was given, without PyTorch's prefix.
    let (framework, function, name) = match split_framework(name) {
        None => (None, name, name),
        Some(("torch", function)) => (None, function, function),
        Some((framework, function)) => (Some(Framework::parse(framework)?), function, name),
    };
    let row = Signature::find(framework, function).ok_or_else(|| unknown(name))?;
    row.build(&Arguments::split(name, row.arguments, arguments)?)
}

/// Splits a name at its first `::`. The search for a text in the standard library takes 2 kB, which a page would load.
fn split_framework(name: &str) -> Option<(&str, &str)> {
    let at = name.as_bytes().windows(2).position(|pair| pair == b"::")?;
    Some((&name[..at], &name[at + 2..]))
}

fn unknown(name: &str) -> String {
    let names = |framework| {
        let rows = Init::signatures().filter(|row| row.framework == framework);
        rows.map(|row| row.name).collect::<Vec<_>>().join(", ")
    };
    format!(
        "the initialiser {name:?} is unknown; there are {}, and after jax:: or keras:: {}",
        names(None),
        names(Some(Framework::Jax))
    )
}

#[cfg(feature = "serde")]
impl serde::Serialize for Init {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Init {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::axes::Axes;
    use crate::init::fan::FanMode;
    use crate::init::gain::Nonlinearity;
    use crate::init::variance_scaling::ScaledDistribution;

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

    #[cfg(feature = "serde")]
    #[test]
    fn serialises_as_text() {
        for row in Init::signatures() {
            let init: Init = row.example.parse().unwrap();
            let json = serde_json::to_string(&init).unwrap();
            assert_eq!(json, format!("\"{}\"", row.example));
            assert_eq!(serde_json::from_str::<Init>(&json).unwrap(), init);
        }
        let error = serde_json::from_str::<Init>(r#""normal(avg=1)""#).unwrap_err().to_string();
        assert!(error.starts_with(&"normal(avg=1)".parse::<Init>().unwrap_err().to_string()), "{error}");
        assert!(serde_json::from_str::<Init>("0.5").is_err());
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
            ("xavier_norml()", "there are constant, zeros, ones, uniform, normal, log_normal, trunc_normal"),
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

    #[test]
    fn an_error_is_one_line_and_commands_no_terminal() {
        for text in [
            "jax::variance_scaling(1.5,fan_avg,u\0\u{f}niform)",
            "kaiming_normal(mode=a\nb)",
            "kaiming_normal(nonlinearity=\u{1b}[31m)",
            "no\rrmal()",
        ] {
            let error = text.parse::<Init>().unwrap_err().to_string();
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    }
}
