//! `seedbed plan`: what each parameter of a model would get. Nothing is made or written.

use comfy_table::CellAlignment;
use seedbed::{DType, Fans, Init};
use serde::Serialize;

use crate::args::PlanArgs;
use crate::failure::Failure;
use crate::parameter::Parameter;
use crate::report::{number, table};
use crate::rules::{Outcome, Rules};
use crate::{model, run, stdout};

/// A row of the plan.
#[derive(Serialize)]
struct Row {
    name: String,
    shape: Vec<u64>,
    /// The element type that would be made, or that of the model where none can be.
    dtype: String,
    /// The number of the rule, counted from 1, and its glob. `None`: no rule matches.
    rule: Option<usize>,
    r#match: Option<String>,
    /// `init`, `skip`, or `error`.
    outcome: &'static str,
    init: Option<String>,
    /// The fans by PyTorch's rule, of two dimensions or more.
    fan_in: Option<f64>,
    fan_out: Option<f64>,
    mean: Option<f64>,
    std: Option<f64>,
    /// The name that the stream comes from.
    stream: String,
    /// The reason why the parameter can't be made.
    error: Option<String>,
}

impl Row {
    fn of(parameter: &Parameter, rules: &Rules, chosen: Option<DType>) -> Self {
        let Parameter { name, shape, dtype } = parameter;
        let made = parameter.element_type(chosen);
        let decision = rules.decide(parameter);
        let rule = decision.as_ref().map(|(number, glob, _)| (*number, (*glob).to_owned()));
        let checked = |init: &Init| -> Result<(f64, f64), String> {
            let dtype = made.ok_or_else(|| format!("the type {dtype} is not supported"))?;
            seedbed::host::check(init, dtype, shape).map_err(|error| error.to_string())?;
            let moment = |moment: Result<f64, seedbed::Error>| moment.map_err(|error| error.to_string());
            Ok((moment(init.mean(shape))?, moment(init.std(shape))?))
        };
        let (outcome, init, moments) = match decision.map(|(.., outcome)| outcome) {
            Some(Outcome::Skip) => ("skip", None, Ok(None)),
            Some(Outcome::Init(init)) => match checked(init) {
                Ok(moments) => ("init", Some(init), Ok(Some(moments))),
                Err(error) => ("error", Some(init), Err(error)),
            },
            Some(Outcome::Refuse(reason)) => ("error", None, Err(reason.clone())),
            None => ("error", None, Err("no rule matches".to_owned())),
        };
        let fans = Fans::of(shape).ok();
        let moment = moments.clone().ok().flatten();
        Self {
            name: name.clone(),
            shape: shape.clone(),
            dtype: made.map_or_else(|| dtype.to_string(), |dtype| dtype.to_string().to_uppercase()),
            rule: rule.as_ref().map(|(number, _)| *number),
            r#match: rule.map(|(_, glob)| glob),
            outcome,
            init: init.map(Init::to_string),
            fan_in: fans.map(|fans| fans.fan_in),
            fan_out: fans.map(|fans| fans.fan_out),
            mean: moment.map(|(mean, _)| mean),
            std: moment.map(|(_, std)| std),
            stream: rules.stream_name(name).to_owned(),
            error: moments.err(),
        }
    }

    /// What the parameter gets, for a person.
    fn initialiser(&self) -> String {
        match (&self.error, &self.init) {
            (Some(error), Some(init)) => format!("{init}: {error}"),
            (Some(error), None) => error.clone(),
            (None, Some(init)) => init.clone(),
            (None, None) => "skipped".into(),
        }
    }
}

/// Prints the plan. A parameter that can't be made is in the plan with the reason, and makes the run fail as `init`
/// does.
pub fn print(args: &PlanArgs) -> Result<(), Failure> {
    let rules = Rules::load(args.model.rules.as_deref()).map_err(Failure::Input)?;
    let rules = rules.stripping(&args.model.strip_prefix);
    let parameters = model::read(&args.model.model).map_err(Failure::Input)?;
    let chosen = args.model.dtype.chosen();
    let rows: Vec<Row> = parameters.iter().map(|parameter| Row::of(parameter, &rules, chosen)).collect();
    let text = match args.json {
        true => serde_json::to_string_pretty(&rows).map_err(Failure::run)? + "\n",
        false => describe(&rows),
    };
    stdout::print(&text)?;
    let note = &mut |text: &str| eprintln!("{text}");
    run::fills(&args.model, &rules, parameters, 0, note).map(drop).map_err(Failure::Input)
}

fn describe(rows: &[Row]) -> String {
    let mut table =
        table(["parameter", "shape", "type", "rule", "initialiser", "fan_in", "fan_out", "mean", "std"]);
    for row in rows {
        table.add_row([
            // A name from a file must not send control characters to the terminal.
            row.name.escape_debug().to_string(),
            format!("{:?}", row.shape),
            row.dtype.clone(),
            row.rule.map_or_else(|| "-".into(), |number| number.to_string()),
            row.initialiser(),
            number(row.fan_in),
            number(row.fan_out),
            number(row.mean),
            number(row.std),
        ]);
    }
    for column in table.column_iter_mut().skip(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt() + "\n"
}
