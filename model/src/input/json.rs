//! Models in JSON: a manifest, its inner object alone, or the index of a sharded checkpoint.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::marker::PhantomData;

use safetensors::tensor::Dtype;
use serde::Deserialize;
use serde::de::value::{Error as TextError, StrDeserializer};
use serde::de::{Deserializer, Error as _, IgnoredAny, IntoDeserializer, MapAccess, Visitor};

use crate::error::{At, Error, Result, bail};
use crate::parameter::{Parameter, check_rank};

/// What a model in JSON looks like, for error messages.
const EXAMPLE: &str = "a model in JSON is {\"parameters\": {NAME: {\"shape\": [2, 3], \"dtype\": \"F32\"}}}, the inner \
                       object alone, or an index {\"weight_map\": {NAME: FILE}}";

/// The content of a JSON file.
pub(crate) enum Manifest {
    /// The parameters, in the order of the text.
    Parameters(Vec<Parameter>),
    /// The file of each parameter of a sharded checkpoint (`model.safetensors.index.json`).
    Index(Vec<(String, String)>),
}

impl Manifest {
    /// Reads the text of a file. Errors have the line and the column.
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        // A reader that ignores values does not look at their characters.
        let text = str::from_utf8(text).map_err(|error| {
            Error::new(format_args!("byte {}: this is no UTF-8 text, as JSON is", error.valid_up_to()))
        })?;
        let keys: UniqueMap<IgnoredAny> = read(text).map_err(|error| {
            // A reader that ignores values says less about a mistake in one.
            read::<serde_json::Value>(text).err().unwrap_or(error)
        })?;
        let has = |name: &str| keys.0.iter().any(|(key, _)| key == name);
        if has("parameters") {
            let Wrapped { parameters } = read(text)?;
            return Ok(Self::Parameters(parameters.into_parameters()?));
        }
        if has("weight_map") {
            let Index { weight_map } = read(text)?;
            return Ok(Self::Index(weight_map.0));
        }
        if has("model_type") || has("architectures") {
            bail!(
                "this is a model's configuration, which has no shapes; give the .safetensors file or its index"
            );
        }
        if keys.0.is_empty() {
            bail!("the object is empty; {EXAMPLE}");
        }
        let flat: UniqueMap<Entry> =
            read(text).map_err(|error| Error::new(format_args!("{error}; {EXAMPLE}")))?;
        Ok(Self::Parameters(flat.into_parameters()?))
    }
}

#[derive(Deserialize)]
struct Wrapped {
    parameters: UniqueMap<Entry>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: UniqueMap<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with shape and dtype")]
struct Entry {
    shape: Vec<u64>,
    #[serde(deserialize_with = "element_type")]
    dtype: Dtype,
}

impl UniqueMap<Entry> {
    fn into_parameters(self) -> Result<Vec<Parameter>> {
        let parameter = |(name, Entry { shape, dtype })| {
            check_rank(&shape).at(|| format!("{name:?}"))?;
            Ok(Parameter { name, shape, dtype })
        };
        self.0.into_iter().map(parameter).collect()
    }
}

/// The element type by its name in safetensors (`BF16`) or in PyTorch (`bfloat16`, `torch.bfloat16`).
fn element_type<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Dtype, D::Error> {
    let text = String::deserialize(deserializer)?;
    let lower = text.to_ascii_lowercase();
    let name = match lower.strip_prefix("torch.").unwrap_or(&lower) {
        "float32" | "float" => "F32",
        "float16" | "half" => "F16",
        "bfloat16" => "BF16",
        "float64" | "double" => "F64",
        "float8_e4m3fn" => "F8_E4M3",
        "float8_e5m2" => "F8_E5M2",
        "float8_e8m0fnu" => "F8_E8M0",
        "complex64" => "C64",
        "int64" | "long" => "I64",
        "int32" | "int" => "I32",
        "int16" | "short" => "I16",
        "int8" => "I8",
        "uint64" => "U64",
        "uint32" => "U32",
        "uint16" => "U16",
        "uint8" => "U8",
        "bool" => "BOOL",
        _ => &text.to_ascii_uppercase(),
    };
    let dtype: StrDeserializer<'_, TextError> = name.into_deserializer();
    Dtype::deserialize(dtype).map_err(|_| {
        D::Error::custom(format_args!(
            "the element type {text:?} is unknown; types are those of safetensors (F32, F16, BF16, I64, …) and of \
             PyTorch (float32, torch.bfloat16, …)"
        ))
    })
}

fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T> {
    serde_json::from_str(text).map_err(json_error)
}

/// The error with line and column first; serde_json puts them last.
pub(crate) fn json_error(error: serde_json::Error) -> Error {
    let (line, column, text) = (error.line(), error.column(), error.to_string());
    match text.strip_suffix(&format!(" at line {line} column {column}")) {
        Some(what) => Error::new(format_args!("line {line} column {column}: {what}")),
        None => Error::new(text),
    }
}

/// A JSON object in the order of its text, without duplicate names.
pub(crate) struct UniqueMap<V>(pub(crate) Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = UniqueMap<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one entry per parameter")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
                let (mut entries, mut seen) = (Vec::new(), HashSet::new());
                let hashes = RandomState::new();
                while let Some(name) = map.next_key::<String>()? {
                    // Hashes rather than names, which are many; names decide where hashes are the same.
                    if !seen.insert(hashes.hash_one(&name)) && entries.iter().any(|(other, _)| *other == name)
                    {
                        return Err(A::Error::custom(format_args!("the name {name:?} comes twice")));
                    }
                    entries.push((name, map.next_value()?));
                }
                Ok(UniqueMap(entries))
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(text: &str) -> Vec<Parameter> {
        match Manifest::parse(text.as_bytes()).unwrap() {
            Manifest::Parameters(parameters) => parameters,
            Manifest::Index(_) => panic!("an index"),
        }
    }

    #[test]
    fn a_manifest_and_its_inner_object_are_the_same() {
        let inner =
            r#"{"b": {"shape": [2, 3], "dtype": "F32"}, "a": {"dtype": "torch.bfloat16", "shape": []}}"#;
        let expected = [
            Parameter { name: "b".into(), shape: vec![2, 3], dtype: Dtype::F32 },
            Parameter { name: "a".into(), shape: vec![], dtype: Dtype::BF16 },
        ];
        assert_eq!(parameters(inner), expected);
        assert_eq!(parameters(&format!(r#"{{"name": "x", "parameters": {inner}}}"#)), expected);
    }

    #[test]
    fn element_types_have_the_names_of_both_libraries() {
        for (names, dtype) in [
            (&["F32", "f32", "float32", "torch.float32", "torch.float"][..], Dtype::F32),
            (&["F16", "half", "torch.float16"], Dtype::F16),
            (&["F64", "torch.double"], Dtype::F64),
            (&["I64", "int64", "torch.long"], Dtype::I64),
            (&["BOOL", "bool", "torch.bool"], Dtype::BOOL),
            (&["F8_E4M3", "torch.float8_e4m3fn"], Dtype::F8_E4M3),
        ] {
            for name in names {
                let text = format!(r#"{{"a": {{"shape": [], "dtype": "{name}"}}}}"#);
                assert_eq!(parameters(&text)[0].dtype, dtype, "{name}");
            }
        }
    }

    #[test]
    fn an_index_names_the_file_of_each_parameter() {
        let text =
            r#"{"metadata": {"total_size": 8}, "weight_map": {"b": "2.safetensors", "a": "1.safetensors"}}"#;
        let Manifest::Index(files) = Manifest::parse(text.as_bytes()).unwrap() else { panic!("no index") };
        assert_eq!(files, [("b".into(), "2.safetensors".into()), ("a".into(), "1.safetensors".into())]);
    }

    #[test]
    fn shapes_have_as_many_dimensions_as_frameworks_know() {
        let parse = |rank: usize| {
            let shape = vec!["1"; rank].join(",");
            Manifest::parse(format!("{{\"a\":{{\"shape\":[{shape}],\"dtype\":\"F32\"}}}}").as_bytes())
        };
        assert!(parse(254).is_ok());
        let error = parse(255).err().unwrap().to_string();
        assert_eq!(error, "\"a\": a shape of 255 dimensions; up to 254 are possible");
    }

    #[test]
    fn what_is_no_utf_8_is_an_error_in_ignored_values_too() {
        for text in [
            &b"{\"name\":\"\xA9\",\"parameters\":{\"a\":{\"shape\":[0],\"dtype\":\"F32\"}}}"[..],
            b"{\"metadata\":{\"\xF4otal_size\":32},\"weight_map\":{\"w\":\"1.safetensors\"}}",
        ] {
            let error = Manifest::parse(text).err().unwrap().to_string();
            assert!(
                error.starts_with("byte ") && error.ends_with("this is no UTF-8 text, as JSON is"),
                "{error}"
            );
        }
    }

    #[test]
    fn mistakes_have_a_place() {
        for (text, message) in [
            ("", "line 1 column 0: EOF while parsing a value"),
            ("{\"parameters\":\n {\"a\": 1}}", "line 2 column 8: invalid type: integer `1`"),
            ("{\"name\": \"x\"}", "line 1 column 12: invalid type: string \"x\""),
            ("{\"name\": \"x\"}", "; a model in JSON is {\"parameters\": "),
            ("{}", "the object is empty; a model in JSON is "),
            (
                "{\"model_type\": \"gpt2\", \"n_embd\": 768}",
                "this is a model's configuration, which has no shapes",
            ),
            ("{\"weight_map\": {\"a\": 1}}", "line 1 column 22: invalid type: integer `1`"),
            ("{\"parameters\":{\"a\":{\"shape\":[-1],\"dtype\":\"F32\"}}}", "invalid value: integer `-1`"),
            (
                "{\"parameters\":{\"a\":{\"shape\":[1],\"dtype\":\"F33\"}}}",
                "line 1 column 46: the element type \"F33\" is unknown; types are those of safetensors",
            ),
            ("{\"parameters\":{\"a\":{\"shape\":[1],\"dtyp\":\"F32\"}}}", "unknown field `dtyp`"),
            (
                "{\"parameters\":{\"a\":{\"shape\":[1],\"dtype\":\"F32\"},\n\"a\":{\"shape\":[1],\"dtype\":\"F32\"}}}",
                "line 2 column 3: the name \"a\" comes twice",
            ),
        ] {
            let error = format!("{:#}", Manifest::parse(text.as_bytes()).err().unwrap());
            assert!(error.contains(message) && !error.contains('\n'), "{text}: {error}");
        }
    }
}
