//! Changes of texts, at the level of bytes and of tokens.

use rand::rngs::SmallRng;
use rand::{Rng, RngExt};

/// Numbers that programs get wrong.
pub const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "-1",
    "-2",
    "7",
    "0.5",
    "-0.0",
    "1e-320",
    "1e308",
    "-1e308",
    "1e999",
    "inf",
    "-inf",
    "nan",
    "65536",
    "65537",
    "4294967295",
    "4294967296",
    "-2147483649",
    "9007199254740993",
    "1152921504606846976",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1.5",
    "0.02",
    "0.014142135623730951",
    "1000000",
];

/// Texts that mean something to one of the parsers.
const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    "\"",
    "'",
    "\\",
    ",",
    ".",
    "..",
    "*",
    "**",
    "?",
    "=",
    "\n",
    "\t",
    "\u{0}",
    "\u{1b}[31m",
    "é",
    "\u{e000}",
    "\u{2028}",
    "😀",
    "null",
    "true",
    "<layer>",
    "<i>",
    "{a,b}",
    "[!a-z]",
    "[[rule]]\n",
    "#",
    "::",
    "((((((((((",
    "))))))))))",
    "[[[[[[[[[[",
    "{{{{{{{{{{",
    "}}}}}}}}}}",
    "^",
    "-",
    "--",
    "+",
    "/",
    "e",
    "u",
    "n",
    "i0",
    "d0",
    "fan_in",
    "rank",
    "inf",
    "nan",
    "\"\"\"",
    "__metadata__",
    "\\u0000",
    "\\ud800",
];

/// The largest boundary of a character up to a place, which may lie outside of the text.
pub fn boundary(text: &str, place: usize) -> usize {
    (0..=place.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// An element of a list.
pub fn pick<'a, T: ?Sized>(random: &mut SmallRng, list: &[&'a T]) -> &'a T {
    list[random.random_range(0..list.len())]
}

/// The text after some changes of its bytes. The result need not be UTF-8.
pub fn bytes(random: &mut SmallRng, text: &str, other: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..changes(random) {
        let at = random.random_range(0..=bytes.len());
        let end = (at + random.random_range(0..20)).min(bytes.len());
        match random.random_range(0..8) {
            0 if at < bytes.len() => bytes[at] = random.next_u32() as u8,
            1 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copied = bytes[at..end].to_vec();
                bytes.splice(at..at, copied);
            }
            4 => bytes.truncate(at.max(1)),
            5 => {
                let from = random.random_range(0..=other.len());
                let to = (from + random.random_range(0..200)).min(other.len());
                bytes.splice(at..end, other.as_bytes()[from..to].iter().copied());
            }
            _ => {
                let token = pick(random, TOKENS);
                bytes.splice(at..at, token.bytes());
            }
        }
    }
    bytes
}

/// The text after some changes of its tokens: numbers, words, and texts in quotes are replaced by others, lines are dropped,
/// doubled, moved, or come from the other text.
pub fn tokens(random: &mut SmallRng, text: &str, other: &str, words: &[String]) -> String {
    let mut text = text.to_owned();
    for _ in 0..changes(random) {
        match random.random_range(0..10) {
            0..4 => replace(random, &mut text, |c| c.is_ascii_digit(), "+-.e", words),
            4..6 => {
                replace(random, &mut text, |c| c.is_ascii_alphabetic() || c == '_', "0123456789_.:", words)
            }
            6 => quoted(random, &mut text, words),
            _ => lines(random, &mut text, other),
        }
    }
    text
}

fn changes(random: &mut SmallRng) -> u32 {
    // Half of all cases have one change.
    1 + random.next_u32().trailing_zeros().min(6)
}

/// Replaces a token that begins with such a character by a number, a word, or nothing.
fn replace(
    random: &mut SmallRng,
    text: &mut String,
    is_start: impl Fn(char) -> bool,
    more: &str,
    words: &[String],
) {
    let from = boundary(text, random.random_range(0..=text.len()));
    let Some(start) = text[from..].find(&is_start).map(|at| from + at) else { return };
    let is_inside = |c: char| is_start(c) || more.contains(c);
    let end = text[start..].find(|c| !is_inside(c)).map_or(text.len(), |at| start + at);
    let new = match random.random_range(0..8) {
        0..4 => pick(random, NUMBERS),
        4..6 if !words.is_empty() => &words[random.random_range(0..words.len())],
        6 => "",
        _ => pick(random, TOKENS),
    };
    text.replace_range(start..end, new);
}

/// Replaces a text in quotes by another one.
fn quoted(random: &mut SmallRng, text: &mut String, words: &[String]) {
    let from = boundary(text, random.random_range(0..=text.len()));
    let Some(start) = text[from..].find('"').map(|at| from + at + 1) else { return };
    let Some(end) = text[start..].find('"').map(|at| start + at) else { return };
    if !words.is_empty() {
        text.replace_range(start..end, &words[random.random_range(0..words.len())]);
    }
}

fn lines(random: &mut SmallRng, text: &mut String, other: &str) {
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return;
    }
    let at = random.random_range(0..lines.len());
    match random.random_range(0..4) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[random.random_range(0..lines.len())]),
        2 => {
            let to = random.random_range(0..lines.len());
            lines.swap(at, to);
        }
        _ => {
            let others: Vec<&str> = other.lines().collect();
            if !others.is_empty() {
                let from = random.random_range(0..others.len());
                let to = (from + random.random_range(1..6)).min(others.len());
                lines.splice(at..at, others[from..to].iter().copied());
            }
        }
    }
    *text = lines.join("\n");
}
