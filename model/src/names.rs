//! Names of parameters: modules, relative names, prefixes that wrappers add.

use crate::error::{Result, bail, ensure};

/// The name of another parameter. A name that begins with a dot is relative, as in Python's imports: `.weight` is in the
/// module of `of`, and each further dot is one module up. Of `attn.qkv.weight`, `..q.weight` is `attn.q.weight`. Modules
/// are separated by dots, or by slashes where the name of `of` has slashes and no dots.
///
/// `<capture>` stands for the number of that capture.
pub(crate) fn resolve(name: &str, of: &str, capture: &dyn Fn(&str) -> Option<u64>) -> Result<String> {
    let name = with_captures(name, capture)?;
    let dots = name.bytes().take_while(|&b| b == b'.').count();
    if dots == 0 {
        return Ok(name);
    }
    let separator = if of.contains('/') && !of.contains('.') { '/' } else { '.' };
    let mut module = of;
    for _ in 0..dots {
        module = match module.rsplit_once(separator) {
            Some((module, _)) => module,
            None if module.is_empty() => {
                bail!("{name:?} has more dots than {of:?} has modules")
            }
            None => "",
        };
    }
    let last = name[dots..].replace('.', separator.encode_utf8(&mut [0; 4]));
    ensure!(!last.is_empty(), "{name:?} names no parameter: nothing follows its dots");
    Ok(if module.is_empty() { last } else { format!("{module}{separator}{last}") })
}

/// The text with the number of each `<capture>`.
fn with_captures(text: &str, capture: &dyn Fn(&str) -> Option<u64>) -> Result<String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        let Some((name, after)) = after.split_once('>') else { bail!("{text:?}: < without >") };
        let Some(value) = capture(name) else {
            bail!("{text:?}: the rule's match makes no capture <{name}>")
        };
        result += before;
        result += &value.to_string();
        rest = after;
    }
    result += rest;
    Ok(result)
}

/// The captures that the text uses.
pub(crate) fn captures(text: &str) -> impl Iterator<Item = &str> {
    text.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(name, _)| name))
}

/// The name without the prefixes, in any order and number. A name that would be empty stays.
pub(crate) fn strip<'a>(mut name: &'a str, prefixes: &[String]) -> &'a str {
    let prefixes = || prefixes.iter().filter(|prefix| !prefix.is_empty());
    while let Some(rest) = prefixes().find_map(|prefix| name.strip_prefix(prefix.as_str())) {
        if rest.is_empty() {
            break;
        }
        name = rest;
    }
    name
}

/// The names among `all` that look most like `name`, for an error.
pub(crate) fn nearest<'a>(name: &str, all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let common = |other: &str| {
        let start = name.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        let end = name.bytes().rev().zip(other.bytes().rev()).take_while(|(a, b)| a == b).count();
        start.max(end)
    };
    let best = all.map(|other| (common(other), other)).max_by_key(|(common, _)| *common);
    best.filter(|(common, _)| *common >= 3).map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relative(name: &str, of: &str) -> Result<String> {
        resolve(name, of, &|capture| (capture == "i").then_some(7))
    }

    #[test]
    fn dots_lead_out_of_modules() {
        for (name, of, expected) in [
            (".weight", "fc1.bias", "fc1.weight"),
            ("..q.weight", "attn.qkv.weight", "attn.q.weight"),
            (".q_proj.weight", "attn.in_proj_weight", "attn.q_proj.weight"),
            (".<i>.w1.weight", "moe.w1", "moe.7.w1.weight"),
            (".bias", "weight", "bias"),
            ("..x", "a.weight", "x"),
            ("wte.weight", "lm_head.weight", "wte.weight"),
            (".kernel", "dense/bias", "dense/kernel"),
            ("..q.kernel", "attention/key/bias", "attention/q/kernel"),
        ] {
            assert_eq!(relative(name, of).unwrap(), expected, "{name} of {of}");
        }
        for (name, of, message) in [
            ("...x", "a.weight", "more dots than"),
            ("..", "a.b.weight", "names no parameter"),
            (".<j>.x", "a.b", "no capture <j>"),
            (".<i.x", "a.b", "< without >"),
        ] {
            assert!(relative(name, of).unwrap_err().to_string().contains(message), "{name}");
        }
    }

    #[test]
    fn prefixes_come_off_in_any_order() {
        let prefixes = ["module.".to_owned(), "_orig_mod.".to_owned(), String::new()];
        assert_eq!(strip("module._orig_mod.module.fc.weight", &prefixes), "fc.weight");
        assert_eq!(strip("module.", &prefixes), "module.");
        assert_eq!(strip("fc.module.weight", &prefixes), "fc.module.weight");
    }
}
