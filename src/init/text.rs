//! The textual form of the initialisers: `name(argument=number,…)`.

use std::fmt;
use std::str::FromStr;

use super::Init;
use crate::Error;

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant { value } => write!(f, "constant({value})"),
            Self::Zeros => f.write_str("zeros()"),
            Self::Ones => f.write_str("ones()"),
            Self::Normal { mean, std } => write!(f, "normal(mean={mean},std={std})"),
            Self::XavierNormal { gain } => write!(f, "xavier_normal(gain={gain})"),
        }
    }
}

impl FromStr for Init {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).map_err(|reason| Error::Parse { text: text.to_owned(), reason })
    }
}

/// Names and signatures, in PyTorch's order of arguments. A default of `None` must be given.
type Signature = (&'static str, &'static [(&'static str, Option<f64>)], fn(&[f64]) -> Init);

const SIGNATURES: &[Signature] = &[
    ("constant", &[("val", None)], |a| Init::Constant { value: a[0] }),
    ("zeros", &[], |_| Init::Zeros),
    ("ones", &[], |_| Init::Ones),
    ("normal", &[("mean", Some(0.0)), ("std", Some(1.0))], |a| Init::Normal { mean: a[0], std: a[1] }),
    ("xavier_normal", &[("gain", Some(1.0))], |a| Init::XavierNormal { gain: a[0] }),
];

fn parse(text: &str) -> Result<Init, String> {
    let text = text.trim();
    let (name, arguments) = match text.split_once('(') {
        None => (text, ""),
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(arguments) => (name.trim_end(), arguments),
            None => return Err("the closing parenthesis is missing at its end".into()),
        },
    };
    let Some((_, parameters, build)) = SIGNATURES.iter().find(|(n, ..)| *n == name) else {
        let known: Vec<_> = SIGNATURES.iter().map(|(n, ..)| *n).collect();
        return Err(format!("the initialiser {name:?} is unknown; there are {}", known.join(", ")));
    };

    let mut values: Vec<Option<f64>> = vec![None; parameters.len()];
    let mut by_name = false;
    for (position, argument) in arguments.split(',').map(str::trim).enumerate() {
        if argument.is_empty() && arguments.trim().is_empty() {
            break;
        }
        let (slot, number) = match argument.split_once('=') {
            Some((key, number)) => {
                by_name = true;
                let key = key.trim();
                let slot = parameters
                    .iter()
                    .position(|(p, _)| *p == key)
                    .ok_or_else(|| format!("{name} has no argument {key:?}; {}", takes(parameters)))?;
                (slot, number.trim())
            }
            None if by_name => {
                return Err(format!("{argument:?} has no name but follows an argument that has one"));
            }
            None => (position, argument),
        };
        let value = number.parse().map_err(|_| format!("{number:?} is not a number"))?;
        match values.get_mut(slot) {
            None => return Err(format!("{name} got too many arguments; {}", takes(parameters))),
            Some(Some(_)) => return Err(format!("{:?} is given twice", parameters[slot].0)),
            Some(empty) => *empty = Some(value),
        }
    }

    let values: Vec<f64> = values
        .into_iter()
        .zip(*parameters)
        .map(|(given, (parameter, default))| {
            given.or(*default).ok_or_else(|| format!("{name} needs {parameter:?}"))
        })
        .collect::<Result<_, _>>()?;
    Ok(build(&values))
}

fn takes(parameters: &[(&str, Option<f64>)]) -> String {
    let names: Vec<_> = parameters.iter().map(|(p, _)| *p).collect();
    if names.is_empty() { "it takes none".into() } else { format!("it takes {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for init in [
            Init::constant(0.01),
            Init::constant(-0.0),
            Init::constant(f64::NEG_INFINITY),
            Init::constant(5e-324),
            Init::Zeros,
            Init::Ones,
            Init::normal(-1.5, 1.0 / 3.0),
            Init::XavierNormal { gain: 2f64.sqrt() },
        ] {
            assert_eq!(init.to_string().parse(), Ok(init), "{init}");
        }
    }

    #[test]
    fn reads_as_python_would() {
        for (text, init) in [
            ("zeros", Init::Zeros),
            (" ones ( ) ", Init::Ones),
            ("constant(val=3)", Init::constant(3.0)),
            ("normal", Init::normal(0.0, 1.0)),
            ("normal(1)", Init::normal(1.0, 1.0)),
            ("normal(1, std=2)", Init::normal(1.0, 2.0)),
            ("normal(std=2e-2)", Init::normal(0.0, 0.02)),
            ("xavier_normal()", Init::xavier_normal()),
        ] {
            assert_eq!(text.parse(), Ok(init), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, message) in [
            ("xavier_norml()", "there are constant, zeros, ones, normal, xavier_normal"),
            ("", "the initialiser \"\" is unknown"),
            ("normal(0", "closing parenthesis"),
            ("normal(0)x", "closing parenthesis"),
            ("constant()", "constant needs \"val\""),
            ("constant(1,2)", "too many arguments; it takes val"),
            ("zeros(1)", "it takes none"),
            ("normal(avg=1)", "no argument \"avg\"; it takes mean, std"),
            ("normal(0,mean=1)", "\"mean\" is given twice"),
            ("normal(mean=0,1)", "\"1\" has no name"),
            ("normal(0,)", "\"\" is not a number"),
            ("normal(,0)", "\"\" is not a number"),
            ("normal(zero)", "\"zero\" is not a number"),
        ] {
            let error = text.parse::<Init>().unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
