//! The error of every function: one line that says where, what, and what to do.

use std::fmt;

/// A mistake of the input: a file that is no model, a rule that contradicts itself, a parameter that can't be made.
///
/// The text is one line: the place (a file, a rule, a parameter), the mistake with the value, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The places, outermost first.
    places: Vec<String>,
    message: String,
    hint: Option<String>,
}

/// A result with the crate's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error without a place.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { places: Vec::new(), message: one_line(message), hint: None }
    }

    /// The same error with a place around those that it has.
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.places.insert(0, one_line(place));
        self
    }

    /// The same error with lines to paste.
    pub(crate) fn with_hint(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Lines to paste as a remedy, such as a rule. The text of the error does not have them.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The text without its places.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The text in one line. Names and texts of files may hold line breaks, and characters that command a terminal.
pub(crate) fn one_line(text: impl fmt::Display) -> String {
    let text = text.to_string();
    if !text.contains(char::is_control) {
        return text;
    }
    let mut line = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => line.push(' '),
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in &self.places {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// `at` for results.
pub(crate) trait At<T> {
    /// The same result, whose error has this place around it.
    fn at<P: fmt::Display>(self, place: impl FnOnce() -> P) -> Result<T>;
}

impl<T, E: Into<Error>> At<T> for std::result::Result<T, E> {
    fn at<P: fmt::Display>(self, place: impl FnOnce() -> P) -> Result<T> {
        self.map_err(|error| error.into().at(place()))
    }
}

impl From<seedbed::Error> for Error {
    fn from(error: seedbed::Error) -> Self {
        Self::new(error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new(error)
    }
}

/// Returns an error with a formatted message.
macro_rules! bail {
    ($($argument:tt)*) => { return Err($crate::error::Error::new(format_args!($($argument)*))) };
}

/// Returns an error with a formatted message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($argument:tt)*) => { if !$condition { $crate::error::bail!($($argument)*) } };
}

pub(crate) use {bail, ensure};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line() {
        let error = Error::new("a\nb\u{1b}[31m").at("two\r\nlines");
        assert_eq!(error.to_string(), "two  lines: a b\\u{1b}[31m");
    }
}
