//! The presets: rules that initialise a model as its framework does. Each is a file in `model/rules/`, to which the project's folder `rules` links.

use crate::error::{Result, bail};

/// A preset.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Preset {
    /// Its name for `--preset` and `preset = "…"`.
    pub name: &'static str,
    /// The text of its rules.
    pub text: &'static str,
    /// The values of `model_type` in Hugging Face's config.json that choose it.
    pub model_types: &'static [&'static str],
}

macro_rules! preset {
    ($name:literal, $($model_type:literal),*) => {
        Preset {
            name: $name,
            text: include_str!(concat!("../../rules/", $name, ".toml")),
            model_types: &[$($model_type),*],
        }
    };
}

/// All presets, the built-in rules (`default`) first.
pub const PRESETS: &[Preset] = &[
    preset!("default",),
    preset!("pytorch",),
    preset!("keras",),
    preset!("bert", "bert"),
    preset!("convnext", "convnext"),
    preset!("gpt2", "gpt2"),
    preset!("llama", "llama", "mistral", "qwen2", "qwen3"),
    preset!("mamba", "mamba", "mamba2"),
    preset!("mixtral", "mixtral", "qwen2_moe", "qwen3_moe"),
    preset!("resnet", "resnet"),
    preset!("t5", "t5", "mt5"),
    preset!("vit", "vit"),
];

impl Preset {
    /// The preset of this name.
    ///
    /// # Errors
    /// A name that is no preset's, with those that are.
    pub fn find(name: &str) -> Result<&'static Self> {
        match PRESETS.iter().find(|preset| preset.name == name) {
            Some(preset) => Ok(preset),
            None => {
                let names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
                bail!("there is no preset {name:?}; there are {}", names.join(", "))
            }
        }
    }

    /// The preset of a family of Hugging Face's models.
    pub fn of_model_type(model_type: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.model_types.contains(&model_type))
    }
}
