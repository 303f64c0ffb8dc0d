//! The plan of a command's arguments: the model, the rules that its options choose, the source of copies.

use std::path::Path;

use anyhow::{Context, Result};
use seedbed_model::{Model, Parts, Plan, Preset, Rules};

use crate::args::ModelArgs;

/// A model with its plan.
pub struct Planned {
    pub model: Model,
    /// The source of copies, unless it is the model.
    from: Option<Model>,
    pub rules: Rules,
    pub plan: Plan,
}

impl Planned {
    /// Reads the model and plans it. `note` takes lines for the user.
    ///
    /// # Errors
    /// What is wrong with files, rules, and the model as a whole. Mistakes of single parameters are in the plan.
    pub fn new(args: &ModelArgs, note: &mut dyn FnMut(&str)) -> Result<Self> {
        let own = args.rules.as_deref().map(Rules::load).transpose()?;
        let preset = args.preset.as_deref().map(Rules::preset).transpose().context("--preset")?;
        let model = Model::read(&args.model)?;
        if Parts::is_part(&model) {
            note(
                "warning: the model is a file of torch.distributed.checkpoint, which may have only a part of each tensor; \
                 its shapes are taken as they are",
            );
        }
        let from = args.from.as_deref().map(Model::read).transpose().context("--from")?;
        let rules = match (own, preset) {
            (Some(own), Some(preset)) => own.then(preset),
            (Some(rules), None) | (None, Some(rules)) => rules,
            (None, None) => by_config(&model, note)?,
        };
        let rules = rules.stripping(&args.strip_prefix);
        let source = from.as_ref().or_else(|| model.has_data().then_some(&model));
        let plan = Plan::new(&model, source, &rules, args.dtype.chosen())
            .with_context(|| args.model.display().to_string())?;
        for warning in &plan.warnings {
            note(&format!("warning: {warning}"));
        }
        Ok(Self { model, from, rules, plan })
    }

    /// The model that parameters are copied from.
    pub fn source(&self) -> Option<&Model> {
        self.from.as_ref().or_else(|| self.model.has_data().then_some(&self.model))
    }

    /// The files that are read, apart from headers.
    pub fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.model.paths().chain(self.from.iter().flat_map(Model::paths))
    }
}

/// The rules for a model whose user names none: the preset of its config.json, or the built-in rules.
fn by_config(model: &Model, note: &mut dyn FnMut(&str)) -> Result<Rules> {
    let Some(model_type) = model.config.as_ref().and_then(|config| config.model_type()) else {
        return Ok(Rules::built_in()?);
    };
    match Preset::of_model_type(model_type) {
        Some(preset) => {
            note(&format!(
                "note: config.json says model_type {model_type:?}: the preset {} is used",
                preset.name
            ));
            Ok(Rules::preset(preset.name)?)
        }
        None => {
            note(&format!(
                "note: config.json says model_type {model_type:?}, which has no preset: the built-in rules are used"
            ));
            Ok(Rules::built_in()?)
        }
    }
}
