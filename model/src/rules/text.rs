//! A file of rules as it is written: the keys and their types.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RulesFile {
    pub(super) preset: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) names: Names,
    #[serde(default)]
    pub(super) r#let: BTreeMap<String, Spanned<Let>>,
    #[serde(default)]
    pub(super) rule: Vec<Spanned<Rule>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    #[serde(default)]
    pub(super) strip: Vec<String>,
}

/// A number, an expression, or an entry of config.json.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a number, an expression, or { config = \"…\", default = … }")]
pub(super) enum Let {
    Number(f64),
    Expression(String),
    Config(FromConfig),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FromConfig {
    pub(super) config: String,
    pub(super) default: Option<Number>,
}

/// A number or an expression.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a number, or an expression in quotes")]
pub(super) enum Number {
    Number(f64),
    Expression(String),
}

impl Number {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Number(value) => value.to_string(),
            Self::Expression(text) => text.clone(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a text, or a list of texts")]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn all(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "true, or the name of a parameter")]
pub(super) enum Copy {
    Same(bool),
    Of(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) r#match: Spanned<OneOrMany>,
    pub(super) rank: Option<u64>,
    pub(super) min_rank: Option<u64>,
    pub(super) max_rank: Option<u64>,
    pub(super) when: Option<Spanned<When>>,
    pub(super) of_rank: Option<u64>,
    pub(super) of_min_rank: Option<u64>,

    pub(super) init: Option<Spanned<OneOrMany>>,
    pub(super) copy: Option<Spanned<Copy>>,
    pub(super) tie: Option<Spanned<String>>,
    pub(super) refuse: Option<Spanned<String>>,
    pub(super) skip: Option<Spanned<bool>>,

    pub(super) grow: Option<Spanned<String>>,
    pub(super) rows: Option<Spanned<BTreeMap<String, String>>>,
    pub(super) of: Option<Spanned<String>>,
    pub(super) layout: Option<Spanned<Layout>>,
    pub(super) groups: Option<Spanned<Number>>,
    pub(super) fans: Option<Spanned<Fans>>,
    pub(super) split: Option<Spanned<Split>>,
    pub(super) unstack: Option<Spanned<i64>>,
    pub(super) names: Option<Spanned<OneOrMany>>,
}

/// A condition on config.json.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct When {
    /// The entry.
    pub(crate) config: String,
    /// Its value. Without it the entry is there and not null.
    pub(crate) is: Option<Is>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged, expecting = "a text, a number, true or false")]
pub(crate) enum Is {
    Truth(bool),
    Number(f64),
    Text(String),
}

/// How a shape names inputs and outputs.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) enum Layout {
    /// [out, in, k…], as PyTorch.
    #[serde(rename = "out_in")]
    OutIn,
    /// [k…, in, out], as Keras, JAX and Hugging Face's Conv1D.
    #[serde(rename = "in_out")]
    InOut,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fans {
    pub(super) r#in: Option<Number>,
    pub(super) out: Option<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Split {
    #[serde(default)]
    pub(super) axis: i64,
    pub(super) into: Option<u64>,
    pub(super) sizes: Option<Vec<Number>>,
}
