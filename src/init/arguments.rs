//! The arguments of an initialiser in the textual form: the text between the parentheses.

use std::str::FromStr;

use crate::error::Error;
use crate::init::axes::Axes;

/// An argument that an initialiser takes in the textual form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Argument {
    /// The framework's name of the argument, such as `std`.
    pub name: &'static str,
    /// The value if none is given, such as `0.02`; `None` if the argument has to be given.
    pub default: Option<&'static str>,
}

impl Argument {
    pub(super) const fn required(name: &'static str) -> Self {
        Self { name, default: None }
    }

    pub(super) const fn optional(name: &'static str, default: &'static str) -> Self {
        Self { name, default: Some(default) }
    }
}

/// The values that the text gives, by argument.
pub(super) struct Arguments<'a> {
    /// The initialiser's name, for errors.
    name: &'a str,
    arguments: &'static [Argument],
    given: Vec<Option<&'a str>>,
}

impl<'a> Arguments<'a> {
    /// Finds the argument of each value, as Python does: by position, then by name.
    pub(super) fn split(
        name: &'a str,
        arguments: &'static [Argument],
        text: &'a str,
    ) -> Result<Self, String> {
        let mut given = vec![None; arguments.len()];
        let mut by_name = false;
        let takes = || match arguments {
            [] => "it takes none".into(),
            _ => format!("it takes {}", arguments.iter().map(|a| a.name).collect::<Vec<_>>().join(", ")),
        };
        let mut values = at_commas(text);
        // The parentheses are empty, or end with a comma as in Python.
        if values.last().is_some_and(|last| last.trim().is_empty()) {
            values.pop();
        }
        for (position, value) in values.into_iter().map(str::trim).enumerate() {
            let (slot, value) = match value.split_once('=') {
                Some((key, value)) => {
                    by_name = true;
                    let key = key.trim();
                    let slot = arguments.iter().position(|a| a.name == key);
                    (
                        slot.ok_or_else(|| format!("{name} has no argument {key:?}; {}", takes()))?,
                        value.trim(),
                    )
                }
                None if by_name => {
                    return Err(format!("{value:?} has no name but follows an argument that has one"));
                }
                None => (position, value),
            };
            match given.get_mut(slot) {
                None => return Err(format!("{name} got too many arguments; {}", takes())),
                Some(Some(_)) => return Err(format!("{:?} is given twice", arguments[slot].name)),
                Some(empty) => *empty = Some(value),
            }
        }
        Ok(Self { name, arguments, given })
    }

    /// The value of an argument, or its default.
    pub(super) fn read<T>(
        &self,
        argument: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut slots = self.arguments.iter().zip(&self.given);
        let slot = slots.find(|(a, _)| a.name == argument);
        match slot.and_then(|(a, given)| given.or(a.default)) {
            Some(text) => read(text),
            None => Err(format!("{} needs {argument:?}", self.name)),
        }
    }
}

/// Splits at the commas that stand in no parentheses.
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

pub(super) fn number(text: &str) -> Result<f64, String> {
    #[cfg(not(target_arch = "wasm32"))]
    let number = text.parse::<f64>().ok();
    #[cfg(target_arch = "wasm32")]
    let number = super::decimal::parse(text);
    let number = number.ok_or_else(|| format!("{text:?} is not a number"))?;
    // Rust reads a number that is too large as infinity. A user writes infinity as a word.
    if number.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) {
        return Err(format!("{text} is too large"));
    }
    Ok(number)
}

pub(super) fn whole_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is not a whole number"))
}

/// A value with a name, in Python's quotes or without.
pub(super) fn word<T: FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    unquoted(text).parse().map_err(|error: Error| error.to_string())
}

/// The text without Python's quotes around it.
pub(super) fn unquoted(text: &str) -> &str {
    let inside = |quote| text.strip_prefix(quote).and_then(|t: &str| t.strip_suffix(quote));
    inside('\'').or_else(|| inside('"')).unwrap_or(text)
}

/// An axis, or several in parentheses or brackets.
pub(super) fn axes(text: &str) -> Result<Axes, String> {
    let pair = |open, close| text.strip_prefix(open).and_then(|t: &str| t.strip_suffix(close));
    let inside = pair('(', ')').or_else(|| pair('[', ']')).unwrap_or(text);
    let parts = inside.split(',').map(str::trim).filter(|part| !part.is_empty());
    let axes: Option<Vec<i64>> = parts.map(|part| part.parse().ok()).collect();
    axes.and_then(|axes| Axes::new(&axes)).ok_or_else(|| {
        format!("{text:?} is no axis and no list of up to {} axes, such as -2 or (0,1)", Axes::MAX)
    })
}
