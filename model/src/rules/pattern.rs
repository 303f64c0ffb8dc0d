//! Globs with captures: `h.<layer>.*.weight`.

use std::sync::Arc;

use globset::GlobBuilder;
use regex::bytes::Regex;

use crate::error::{Error, Result, bail, ensure};
use crate::expression::is_reserved;

/// The first of the characters that stand for captures while the glob is translated. They are for private use.
const PLACEHOLDER: u32 = 0xE000;

/// The longest glob, in bytes.
const MAX_TEXT: usize = 10_000;
/// The deepest nesting of alternatives. The crate globset recurs.
const MAX_DEPTH: usize = 20;
/// The most captures.
const MAX_CAPTURES: usize = 100;

/// A glob on a whole name.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: Arc<str>,
    /// The regular expression.
    regex: String,
    /// Compiled where there are captures.
    compiled: Option<Regex>,
    captures: Vec<String>,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        ensure!(
            !text.chars().any(|c| (PLACEHOLDER..PLACEHOLDER + 0x1900).contains(&u32::from(c))),
            "{text:?} has a character for private use"
        );
        ensure!(text.len() <= MAX_TEXT, "a glob of {} bytes; up to {MAX_TEXT} are possible", text.len());
        let mut depth = 0_usize;
        for byte in text.bytes() {
            match byte {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            ensure!(depth <= MAX_DEPTH, "{text:?}: more than {MAX_DEPTH} braces are open at once");
        }
        let (mut glob, mut captures) = (String::new(), Vec::new());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            let Some((name, after)) = after.split_once('>') else { bail!("{text:?}: < without >") };
            let mut letters = name.bytes();
            let is_name = letters.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
                && letters.all(|b| b.is_ascii_alphanumeric() || b == b'_');
            ensure!(is_name, "{text:?}: the capture <{name}> needs a name of letters, digits and _");
            ensure!(
                !is_reserved(name),
                "{text:?}: {name} already means something in expressions; rename <{name}>"
            );
            ensure!(captures.len() < MAX_CAPTURES, "{text:?} has more than {MAX_CAPTURES} captures");
            ensure!(!captures.iter().any(|other| other == name), "{text:?}: <{name}> comes twice");
            glob += before;
            let stand_in = char::from_u32(PLACEHOLDER + captures.len() as u32);
            glob.push(stand_in.ok_or_else(|| Error::new("too many captures"))?);
            captures.push(name.to_owned());
            rest = after;
        }
        glob += rest;
        // A backslash escapes on every system.
        let glob = GlobBuilder::new(&glob)
            .backslash_escape(true)
            .empty_alternates(true)
            .build()
            .map_err(|error| Error::new(format_args!("error parsing glob {text:?}: {}", error.kind())))?;
        // globset gives this flag to its own builder: a star is a line break, too.
        let mut regex = format!("(?s){}", glob.regex());
        for number in 0..captures.len() {
            let character = char::from_u32(PLACEHOLDER + number as u32).unwrap_or_default();
            let escaped: String =
                character.encode_utf8(&mut [0; 4]).bytes().map(|b| format!("\\x{b:02X}")).collect();
            let group = format!("(?P<c{number}>[0-9]+)");
            regex = regex.replace(&escaped, &group).replace(&escaped.to_lowercase(), &group);
        }
        let compiled = Regex::new(&regex).map_err(|error| {
            let what = error.to_string();
            Error::new(format_args!("{text:?}: {}", what.lines().last().unwrap_or_default()))
        })?;
        let compiled = (!captures.is_empty()).then_some(compiled);
        Ok(Self { text: text.into(), regex, compiled, captures })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text, for those who keep it.
    pub(crate) fn shared_text(&self) -> Arc<str> {
        self.text.clone()
    }

    pub(crate) fn regex(&self) -> &str {
        &self.regex
    }

    /// The names of the captures.
    pub(crate) fn captures(&self) -> &[String] {
        &self.captures
    }

    /// The numbers of the captures in a name that matches. A number past 64 bits is the largest one.
    pub(crate) fn capture(&self, name: &str) -> Vec<(&str, u64)> {
        let groups = self.compiled.as_ref().and_then(|regex| regex.captures(name.as_bytes()));
        let Some(groups) = groups else { return Vec::new() };
        let number = |(index, capture): (usize, &'_ String)| {
            let digits = groups.name(&format!("c{index}"))?;
            let digits = std::str::from_utf8(digits.as_bytes()).ok()?;
            Some((self.captures[index].as_str(), digits.parse().unwrap_or(u64::MAX)))
                .filter(|_| !capture.is_empty())
        };
        self.captures.iter().enumerate().filter_map(number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_numbers() {
        let pattern = Pattern::parse("*h.<layer>.mlp.<part_2>{,.x}.weight").unwrap();
        assert_eq!(pattern.captures(), ["layer", "part_2"]);
        assert_eq!(pattern.capture("transformer.h.11.mlp.3.weight"), [("layer", 11), ("part_2", 3)]);
        assert_eq!(pattern.capture("h.0.mlp.3.x.weight"), [("layer", 0), ("part_2", 3)]);
        assert_eq!(pattern.capture("h.a.mlp.3.weight"), []);
        assert_eq!(pattern.capture("h.0.mlp.3.y.weight"), []);
        assert_eq!(pattern.capture("a\nb.h.0.mlp.3.weight").len(), 2);
    }

    #[test]
    fn mistakes_are_errors() {
        for (text, message) in [
            ("h.<layer.x", "< without >"),
            ("h.<1>.x", "needs a name"),
            ("h.<>.x", "needs a name"),
            ("h.<d0>.x", "already means something"),
            ("h.<i>.x", "already means something"),
            ("h.<a>.<a>", "comes twice"),
            ("h.[a", "error parsing glob"),
            ("h.{a", "error parsing glob"),
            (&"{".repeat(30), "braces"),
            (&("{".repeat(5_000) + &"}".repeat(5_000)), "braces"),
            (&"*".repeat(10_001), "bytes"),
            (&(0..101).map(|i| format!("<a{i}>")).collect::<String>(), "captures"),
        ] {
            let error = Pattern::parse(text).unwrap_err().to_string();
            assert!(error.contains(message) && !error.contains('\n'), "{text}: {error}");
        }
    }
}
