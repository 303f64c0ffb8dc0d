//! `seedbed init` and `seedbed fill`: check everything, open the engine, make and write.

use std::time::Instant;

use anyhow::{Context, bail};
use seedbed::{CONTRACT_VERSION, DType, Key};

use crate::args::{Common, FillArgs, InitArgs, ModelArgs};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::fill::Fill;
use crate::interrupt::Interrupt;
use crate::output::{Format, Output};
use crate::parameter::Parameter;
use crate::rules::Rules;
use crate::stats::Stats;
use crate::values::AdapterChoice;
use crate::{header, model, report, select, stdout};

/// Runs `seedbed init`.
pub fn init(args: &InitArgs) -> Result<(), Failure> {
    let common = &args.common;
    let job = || {
        if Format::of(&common.output)? != Format::Safetensors {
            bail!("{}: a model goes into a .safetensors file", common.output.display());
        }
        let rules = Rules::load(args.model.rules.as_deref())?.stripping(&args.model.strip_prefix);
        let parameters = model::read(&args.model.model)?;
        let fills = fills(&args.model, &rules, parameters, common.seed, &mut |text| note(common, text))?;
        let mut metadata = provenance(common);
        metadata.push(("seedbed.rules", rules.to_string()));
        let header =
            header::safetensors(&fills, &metadata).with_context(|| args.model.model.display().to_string())?;
        Ok(Job { fills, header })
    };
    run(job().map_err(Failure::Input)?, common)
}

/// The checked fills of the parameters that are not skipped, in the order of the file. `note` takes lines for the
/// user.
pub fn fills(
    args: &ModelArgs,
    rules: &Rules,
    all: Vec<Parameter>,
    seed: u64,
    note: &mut dyn FnMut(&str),
) -> anyhow::Result<Vec<Fill>> {
    for prefix in rules.unused_prefixes(&all) {
        note(&format!("warning: no parameter's name has the prefix {prefix:?}"));
    }
    for (number, glob) in rules.without_effect(&all) {
        note(&format!("warning: rule {number} (match = {glob:?}) matches no parameter"));
    }
    let number = all.len();
    let mut parameters: Vec<_> = all.into_iter().filter(|parameter| !rules.skips(parameter)).collect();
    if parameters.len() < number {
        note(&format!("note: the output is without {} of {number} parameters", number - parameters.len()));
    }
    model::supported(&parameters, args.dtype.chosen()).with_context(|| args.model.display().to_string())?;
    // PyTorch views a tensor's bytes in place, so a tensor must begin on a multiple of its element's
    // size.
    parameters.sort_by_key(|parameter| {
        std::cmp::Reverse(parameter.element_type(args.dtype.chosen()).map(DType::size))
    });
    rules.check_streams(&parameters).with_context(|| args.model.display().to_string())?;
    let inits = rules.assign(&parameters).with_context(|| args.model.display().to_string())?;
    let key = Key::new(seed);
    let fills = parameters.into_iter().zip(inits).map(|(parameter, init)| {
        let key = key.named(rules.stream_name(&parameter.name));
        let place = format!("{}: parameter {:?}: {init}", args.model.display(), parameter.name);
        let dtype = parameter.element_type(args.dtype.chosen()).context("an element type")?;
        if let Some(warning) = init.warning(&parameter.shape) {
            note(&format!("warning: {place}: {warning}"));
        }
        Fill::new(parameter.name, parameter.shape, dtype, init, key).context(place)
    });
    fills.collect()
}

/// Runs `seedbed fill`.
pub fn fill(args: &FillArgs) -> Result<(), Failure> {
    let common = &args.common;
    let job = || {
        let format = Format::of(&common.output)?;
        let key = Key { seed: common.seed, offset: args.offset };
        let key = args.fold_in.iter().fold(key, |key, &data| key.fold_in(data));
        let place = format!("{} of shape {:?}", args.init, args.shape.0);
        if let Some(warning) = args.init.warning(&args.shape.0) {
            note(common, &format!("warning: {place}: {warning}"));
        }
        let (name, shape) = (args.name.clone(), args.shape.0.clone());
        let fill = Fill::new(name, shape, args.dtype.into(), args.init, key).context(place)?;
        let header = match format {
            Format::Npy => header::npy(&fill)?,
            Format::Safetensors => {
                let mut metadata = provenance(common);
                metadata.push(("seedbed.offset", args.offset.to_string()));
                metadata.push(("seedbed.fold_in", format!("{:?}", args.fold_in)));
                metadata.push(("seedbed.init", args.init.to_string()));
                header::safetensors(std::slice::from_ref(&fill), &metadata)?
            }
        };
        Ok(Job { fills: vec![fill], header })
    };
    run(job().map_err(Failure::Input)?, common)
}

/// The file's metadata, which say how the file was made. The adapter is left out, because it changes no byte.
fn provenance(common: &Common) -> Vec<(&'static str, String)> {
    vec![
        // PyTorch's tools look for this entry.
        ("format", "pt".into()),
        ("seedbed", env!("CARGO_PKG_VERSION").into()),
        ("seedbed.contract", CONTRACT_VERSION.to_string()),
        ("seedbed.seed", common.seed.to_string()),
    ]
}

/// A checked file, ready to be made.
struct Job {
    fills: Vec<Fill>,
    header: Vec<u8>,
}

fn run(job: Job, common: &Common) -> Result<(), Failure> {
    let started = Instant::now();
    let interrupt = Interrupt::watch()?;
    let Job { fills, header } = job;
    let mut output = Output::create(&common.output).map_err(Failure::Input)?;
    let mut engine = select::engine(&common.adapter, &mut |text| note(common, &text))?;
    match (engine.check(&fills), &engine, &common.adapter) {
        (Ok(()), ..) => {}
        (Err(error), Engine::Gpu(_), AdapterChoice::Auto) => {
            note(common, &format!("note: {error:#}; computing on the host (the bits are the same)"));
            engine = Engine::Host;
            engine.check(&fills).map_err(Failure::Input)?;
        }
        (Err(error), Engine::Gpu(_), _) => {
            return Err(Failure::Input(error.context("this takes --adapter host, or a larger device")));
        }
        (Err(error), Engine::Host, _) => return Err(Failure::Input(error)),
    }

    let mut stats = vec![Stats::default(); fills.len()];
    let progress = report::progress(fills.iter().map(Fill::bytes).sum(), common.quiet);
    let write = || {
        output.write(&header)?;
        engine.run(&fills, &mut |piece, bytes| {
            interrupt.check()?;
            if !common.quiet {
                stats[piece.fill].add(fills[piece.fill].dtype, bytes)?;
            }
            output.write(bytes)?;
            progress.inc(bytes.len() as u64);
            Ok(())
        })?;
        // This is the last chance: after the renaming an interruption is too late.
        interrupt.check()?;
        output.finish()
    };
    let written = write();
    progress.finish_and_clear();
    written.map_err(Failure::run)?;

    if common.quiet {
        return Ok(());
    }
    stdout::print(&report::summary(&fills, &stats, engine.name(), started.elapsed(), &common.output))
}

fn note(common: &Common, text: &str) {
    if !common.quiet {
        eprintln!("{text}");
    }
}
