//! Hugging Face's config.json: the family of a model, and numbers that its initialisation takes.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::error::{At, Result, ensure};

/// The largest config.json, in bytes.
const MAX_TEXT: u64 = 16 << 20;

/// The configuration of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    entries: serde_json::Map<String, Value>,
}

impl Config {
    /// The config.json of a folder, if it has one.
    pub(super) fn beside(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join("config.json");
        if !path.exists() {
            return Ok(None);
        }
        let read = || {
            let (file, len) = super::open(&path)?;
            ensure!(len <= MAX_TEXT, "{len} bytes are too many for a configuration; the limit is {MAX_TEXT}");
            let mut text = Vec::new();
            file.take(MAX_TEXT).read_to_end(&mut text)?;
            Self::parse(&text)
        };
        read().at(|| path.display()).map(Some)
    }

    /// Reads the text of a config.json.
    ///
    /// # Errors
    /// A text that is no JSON object, with line and column.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let entries = serde_json::from_slice(text).map_err(super::json::json_error)?;
        Ok(Self { entries })
    }

    /// The family, such as `gpt2`.
    pub fn model_type(&self) -> Option<&str> {
        self.entries.get("model_type")?.as_str()
    }

    /// The number of an entry; true is 1 and false is 0. Dots lead into objects: `text_config.initializer_range`.
    pub fn number(&self, key: &str) -> Option<f64> {
        let value = self.value(key)?;
        value.as_f64().or_else(|| value.as_bool().map(|truth| f64::from(u8::from(truth))))
    }

    /// The value of an entry that is there and not null.
    pub fn value(&self, key: &str) -> Option<&Value> {
        let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
        let mut value = self.entries.get(first)?;
        for key in rest.into_iter().flat_map(|rest| rest.split('.')) {
            value = value.get(key)?;
        }
        (!value.is_null()).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_their_names() {
        let config = Config::parse(
            br#"{"model_type": "gpt2", "initializer_range": 0.02, "tie": true, "text": {"n": 3}, "s": "x"}"#,
        )
        .unwrap();
        assert_eq!(config.model_type(), Some("gpt2"));
        assert_eq!(config.number("initializer_range"), Some(0.02));
        assert_eq!(config.number("tie"), Some(1.0));
        assert_eq!(config.number("text.n"), Some(3.0));
        assert_eq!(config.number("s"), None);
        assert_eq!(config.number("absent"), None);
        assert!(Config::parse(b"[]").is_err());
    }

    #[test]
    fn what_is_no_text_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Config::beside(folder.path()), Ok(None));
        let file = std::fs::File::create(folder.path().join("config.json")).unwrap();
        file.set_len(MAX_TEXT + 1).unwrap();
        assert!(Config::beside(folder.path()).unwrap_err().to_string().contains("too many"));
        #[cfg(target_os = "linux")]
        {
            // A file without an end.
            let endless = folder.path().join("endless");
            std::fs::create_dir(&endless).unwrap();
            std::os::unix::fs::symlink("/dev/zero", endless.join("config.json")).unwrap();
            assert!(Config::beside(&endless).unwrap_err().to_string().contains("not a regular file"));
        }
    }
}
