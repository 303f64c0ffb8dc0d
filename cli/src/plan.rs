//! `seedbed plan`: what each parameter of a model would get. Nothing is made or written.

use anyhow::Context;
use comfy_table::CellAlignment;
use seedbed_model::{Entry, Outcome, Plan, Source, Tensor};
use serde::Serialize;

use crate::args::PlanArgs;
use crate::failure::Failure;
use crate::planned::Planned;
use crate::report::{number, table};
use crate::stdout;

/// A row of the plan.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    shape: &'a [u64],
    /// The element type that would be made, or that of the model where none can be.
    dtype: String,
    /// The number of the rule in its file or preset, counted from 1, and its glob. `None`: no rule matches.
    rule: Option<usize>,
    r#match: Option<&'a str>,
    /// The preset of the rule, `default` for the built-in rules, or `own`.
    preset: Option<&'a str>,
    /// `init`, `copy`, `tie`, `skip`, or `error`.
    outcome: &'static str,
    init: Option<String>,
    /// The fans that initialisers and expressions see.
    fan_in: Option<f64>,
    fan_out: Option<f64>,
    mean: Option<f64>,
    std: Option<f64>,
    /// The name that the stream comes from.
    stream: &'a str,
    /// The parts, where there is more than one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part<'a>>,
    /// The reason why the parameter can't be made.
    error: Option<String>,
}

/// A part of a tensor.
#[derive(Serialize)]
struct Part<'a> {
    stream: Option<&'a str>,
    shape: &'a [u64],
    init: String,
    mean: Option<f64>,
    std: Option<f64>,
}

impl<'a> Row<'a> {
    fn of(entry: &'a Entry) -> Self {
        let tensor = entry.outcome.tensor();
        let moments = tensor.and_then(Tensor::moments);
        let (outcome, error) = match &entry.outcome {
            Outcome::Make(_) => ("init", None),
            Outcome::Copy(_) => ("copy", None),
            Outcome::Tie { .. } => ("tie", None),
            Outcome::Skip => ("skip", None),
            Outcome::Error(problem) => ("error", Some(problem.to_string())),
        };
        let rule = entry.rule.as_ref();
        Self {
            name: &entry.parameter.name,
            shape: &entry.parameter.shape,
            dtype: tensor.map_or(entry.parameter.dtype, |tensor| tensor.dtype).to_string(),
            rule: rule.map(|rule| rule.number),
            r#match: rule.map(|rule| &*rule.glob),
            preset: rule.map(|rule| if rule.is_preset { &*rule.origin } else { "own" }),
            outcome,
            init: tensor.map(|_| entry.description()),
            fan_in: entry.fans.map(|fans| fans.fan_in),
            fan_out: entry.fans.map(|fans| fans.fan_out),
            mean: moments.map(|(mean, _)| mean),
            std: moments.map(|(_, std)| std),
            stream: entry.stream(),
            parts: tensor.map_or_else(Vec::new, parts),
            error,
        }
    }

    /// What the parameter gets, for a person.
    fn initialiser(&self) -> String {
        match (&self.error, &self.init) {
            (Some(error), _) => error.clone(),
            (None, Some(init)) => init.clone(),
            (None, None) => "skipped".into(),
        }
    }

    /// The rule, for a person: its number, and the preset that it belongs to.
    fn rule(&self) -> String {
        match (self.rule, self.preset) {
            (Some(number), Some("own")) => number.to_string(),
            (Some(number), Some(preset)) => format!("{preset} {number}"),
            _ => "-".into(),
        }
    }
}

fn parts(tensor: &Tensor) -> Vec<Part<'_>> {
    let sources = &tensor.content.sources;
    if sources.len() < 2 {
        return Vec::new();
    }
    sources.iter().map(Part::of).collect()
}

impl<'a> Part<'a> {
    fn of(source: &'a Source) -> Self {
        let moments = source.moments();
        let (stream, shape, init): (_, &[u64], _) = match source {
            Source::Init { init, shape, stream } => (Some(stream.as_str()), shape, init.to_string()),
            Source::Copy { name, shape } => (None, shape, format!("copied from {name}")),
            Source::Formula { text, shape, stream, .. } => {
                (Some(stream.as_str()), shape, format!("formula({text:?})"))
            }
            Source::Norm { of, axis } => (None, &of.shape, format!("norm(of={},axis={axis})", of.name)),
        };
        Self { stream, shape, init, mean: moments.map(|(mean, _)| mean), std: moments.map(|(_, std)| std) }
    }
}

/// Prints the plan. A parameter that can't be made is in the plan with the reason, and makes the run fail as `init`
/// does.
pub fn print(args: &PlanArgs) -> Result<(), Failure> {
    let planned = Planned::new(&args.model, &mut |text| eprintln!("{text}")).map_err(Failure::Input)?;
    if args.json {
        print_json(&planned.plan)?;
    } else {
        let rows: Vec<Row<'_>> = planned.plan.entries.iter().map(Row::of).collect();
        stdout::print(&describe(&rows))?;
    }
    let checked = planned.plan.check().with_context(|| args.model.model.display().to_string());
    // The program ends here, and the system frees the memory of a large plan sooner than its destructors do.
    std::mem::forget(planned);
    checked.map_err(Failure::Input)
}

/// The bytes of JSON that are collected before they are printed.
const CHUNK: usize = 1 << 16;

/// Prints a JSON array with a row in each line. The rows of a large model are never all in memory.
fn print_json(plan: &Plan) -> Result<(), Failure> {
    let mut text = String::from("[");
    for (number, entry) in plan.entries.iter().enumerate() {
        text += if number == 0 { "\n" } else { ",\n" };
        text += &serde_json::to_string(&Row::of(entry)).map_err(Failure::run)?;
        if text.len() > CHUNK {
            stdout::print(&text)?;
            text.clear();
        }
    }
    stdout::print(&(text + "\n]\n"))
}

fn describe(rows: &[Row<'_>]) -> String {
    let mut table =
        table(["parameter", "shape", "type", "rule", "initialiser", "fan_in", "fan_out", "mean", "std"]);
    for row in rows {
        table.add_row([
            // A name from a file must not send control characters to the terminal.
            row.name.escape_debug().to_string(),
            format!("{:?}", row.shape),
            row.dtype.clone(),
            row.rule(),
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
