//! `seedbed init` and `seedbed fill`: check everything, open the engine, make and write.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::{Context, Result};
use seedbed::{CONTRACT_VERSION, DType, Key};
use seedbed_model::{Keys, Maker, Model, Record, Source, Tensor, describe, float, in_file, unit_size};

use crate::args::{Common, FillArgs, InitArgs};
use crate::engine::{Engine, Job};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Format, Output};
use crate::planned::Planned;
use crate::report::{Row, progress, summary};
use crate::shards::{Shard, Target};
use crate::stats::Stats;
use crate::values::AdapterChoice;
use crate::{header, select, stdout};

/// Runs `seedbed init`.
pub fn init(args: &InitArgs) -> Result<(), Failure> {
    let common = &args.common;
    let job = || {
        let target = Target::of(&common.output, args.max_shard_size)?;
        let planned = Planned::new(&args.model, &mut |text| note(common, text))?;
        planned.plan.check().with_context(|| args.model.model.display().to_string())?;
        target.check(&mut planned.inputs(), args.in_place)?;
        let mut tensors: Vec<Tensor> = planned.plan.tensors().cloned().collect();
        let number = planned.plan.entries.len();
        if tensors.len() < number {
            let skipped = number - tensors.len();
            note(common, &format!("note: the output is without {skipped} of {number} parameters"));
        }
        if tensors.is_empty() && number > 0 {
            note(common, "warning: every parameter is skipped, so the output has none");
        }
        // PyTorch views a tensor's bytes in place, so a tensor must begin on a multiple of its element's size.
        tensors.sort_by_key(|tensor| std::cmp::Reverse(unit_size(tensor.dtype)));
        let shards = target.shards(tensors)?;
        let mut files = Vec::new();
        for shard in shards {
            let metadata = provenance(&planned, common, &shard);
            let header = header::safetensors(&shard.tensors, &metadata)
                .with_context(|| args.model.model.display().to_string())?;
            files.push((shard, header));
        }
        let descriptions = planned.plan.entries.iter();
        let descriptions = descriptions.map(|entry| (entry.parameter.name.clone(), entry.description()));
        Ok((target, files, descriptions.collect(), planned))
    };
    let (target, files, descriptions, planned): (_, _, HashMap<String, String>, _) =
        job().map_err(Failure::Input)?;
    let keys = Keys::Named(Key::new(common.seed));
    run(&Work { target, files, keys, source: planned.source(), descriptions }, common)
}

/// Runs `seedbed fill`.
pub fn fill(args: &FillArgs) -> Result<(), Failure> {
    let common = &args.common;
    let job = || {
        let format = Format::of(&common.output)?;
        let key = Key { seed: common.seed, offset: args.offset };
        let key = args.fold_in.iter().fold(key, |key, &data| key.fold_in(data));
        let (name, shape) = (args.name.clone(), args.shape.0.clone());
        let dtype = in_file(DType::from(args.dtype)).context("an element type of files")?;
        let place = || format!("{} of shape {shape:?}", args.init);
        let content = seedbed_model::content(&args.init, &shape, dtype, &name).with_context(place)?;
        if let Some(Source::Init { init, .. }) = content.single()
            && let Some(warning) = init.warning(&shape)
        {
            note(common, &format!("warning: {}: {warning}", place()));
        }
        let tensor = Tensor { name, shape: shape.clone(), dtype, content };
        tensor.check().with_context(place)?;
        let description = describe(&tensor);
        let header = match format {
            Format::Npy => header::npy(&tensor)?,
            Format::Safetensors => {
                let entries = [
                    // PyTorch's tools look for this entry.
                    ("format", "pt".into()),
                    ("seedbed", env!("CARGO_PKG_VERSION").into()),
                    ("seedbed.contract", CONTRACT_VERSION.to_string()),
                    ("seedbed.seed", common.seed.to_string()),
                    ("seedbed.offset", args.offset.to_string()),
                    ("seedbed.fold_in", format!("{:?}", args.fold_in)),
                    ("seedbed.init", description.clone()),
                ];
                let metadata = entries.map(|(key, value)| (key.to_owned(), value));
                header::safetensors(std::slice::from_ref(&tensor), &metadata)?
            }
        };
        let descriptions = HashMap::from([(args.name.clone(), description)]);
        let target = Target::File(common.output.clone());
        let shard = Shard { path: common.output.clone(), tensors: vec![tensor] };
        Ok(Work { target, files: vec![(shard, header)], keys: Keys::Only(key), source: None, descriptions })
    };
    run(&job().map_err(Failure::Input)?, common)
}

/// The file's metadata: those of the model's files, and how this file was made. The adapter is left out, because it changes
/// no byte.
fn provenance(planned: &Planned, common: &Common, shard: &Shard) -> Vec<(String, String)> {
    let kept = planned.model.metadata.iter().filter(|(key, _)| !Record::is_own(key));
    let mut metadata: Vec<_> = kept.cloned().collect();
    if metadata.iter().all(|(key, _)| key != "format") {
        // PyTorch's tools look for this entry.
        metadata.insert(0, ("format".into(), "pt".into()));
    }
    metadata.push(("seedbed".into(), env!("CARGO_PKG_VERSION").into()));
    metadata.push(("seedbed.rules".into(), format!("sha256 {}", planned.rules.digest())));
    metadata.extend(Record::new(common.seed, &shard.tensors).metadata());
    metadata
}

/// Checked files, ready to be made.
struct Work<'a> {
    target: Target,
    /// The files with their headers.
    files: Vec<(Shard, Vec<u8>)>,
    keys: Keys,
    source: Option<&'a Model>,
    /// What each tensor holds, by name.
    descriptions: HashMap<String, String>,
}

impl Work<'_> {
    /// The files that are not there yet. A single file is always made.
    fn unfinished(&self) -> Result<Vec<bool>> {
        let is_folder = matches!(self.target, Target::Folder(..));
        let finished = |(shard, header): &(Shard, Vec<u8>)| {
            anyhow::Ok(!(is_folder && shard.is_finished(header, self.source)?))
        };
        self.files.iter().map(finished).collect()
    }

    fn job<'b>(&'b self, shard: &'b Shard) -> Job<'b> {
        Job { tensors: &shard.tensors, keys: self.keys, source: self.source }
    }
}

fn run(work: &Work<'_>, common: &Common) -> Result<(), Failure> {
    let started = Instant::now();
    let interrupt = Interrupt::watch()?;
    let unfinished = work.unfinished().map_err(Failure::Input)?;
    let to_make =
        || work.files.iter().zip(&unfinished).filter(|(_, unfinished)| **unfinished).map(|(file, _)| file);
    work.target.create().map_err(Failure::Input)?;
    // Success shows whether the folder can hold a new file, before any work is done.
    let mut first = match to_make().next() {
        Some((shard, _)) => Some(Output::create(&shard.path).map_err(Failure::Input)?),
        None => None,
    };
    let is_filled =
        |tensor: &Tensor| (0..tensor.content.sources.len()).any(|source| Maker::is_fill(tensor, source));
    let mut engine = match &common.adapter {
        // A device has nothing to do where everything is copied or computed.
        AdapterChoice::Auto if !to_make().any(|(shard, _)| shard.tensors.iter().any(is_filled)) => {
            Engine::Host
        }
        choice => select::engine(choice, !common.no_selftest, &mut |text| note(common, &text))?,
    };
    let check = |engine: &Engine| to_make().try_for_each(|(shard, _)| engine.check(&shard.tensors));
    match (check(&engine), &engine, &common.adapter) {
        (Ok(()), ..) => {}
        (Err(error), Engine::Gpu(_), AdapterChoice::Auto) => {
            note(common, &format!("note: {error:#}; computing on the host (the bits are the same)"));
            engine = Engine::Host;
            check(&engine).map_err(Failure::Input)?;
        }
        (Err(error), Engine::Gpu(_), _) => {
            return Err(Failure::Input(error.context("this takes --adapter host, or a larger device")));
        }
        (Err(error), Engine::Host, _) => return Err(Failure::Input(error)),
    }

    let mut stats: Vec<Vec<Stats>> =
        work.files.iter().map(|(shard, _)| vec![Stats::default(); shard.tensors.len()]).collect();
    let mut total = 0_u64;
    for (shard, _) in to_make() {
        total = total.saturating_add(shard.bytes().map_err(Failure::Input)?);
    }
    let kept = unfinished.iter().filter(|unfinished| !**unfinished).count();
    if kept > 0 {
        note(common, &format!("note: {kept} of {} files are finished already", work.files.len()));
    }
    let progress = progress(total, common.quiet);
    let mut complete = 0;
    let shards: Vec<_> = work.files.iter().map(|(shard, _)| shard.clone()).collect();
    let mut write = || {
        if first.is_some() {
            work.target.remove_index()?;
        }
        for (((shard, header), unfinished), stats) in work.files.iter().zip(&unfinished).zip(&mut stats) {
            if !unfinished {
                continue;
            }
            let mut output = match first.take() {
                Some(output) => output,
                None => Output::create(&shard.path)?,
            };
            output.write(header)?;
            engine.run(work.job(shard), &mut |piece, bytes| {
                interrupt.check()?;
                if let Some(dtype) = float(shard.tensors[piece.tensor].dtype).filter(|_| !common.quiet) {
                    stats[piece.tensor].add(dtype, bytes)?;
                }
                output.write(bytes)?;
                progress.inc(bytes.len() as u64);
                Ok(())
            })?;
            // This is the last chance: after the renaming an interruption is too late.
            interrupt.check()?;
            output.finish()?;
            complete += 1;
        }
        work.target.write_index(&shards)
    };
    let written = write();
    progress.finish_and_clear();
    written.map_err(|error| match Failure::run(error) {
        Failure::Interrupted(_) => Failure::Interrupted(complete),
        failure => {
            if complete > 0 {
                note(common, "note: the files that are complete stay, and the same command makes the others");
            }
            failure
        }
    })?;

    let strangers = work.target.strangers(&shards);
    if let Some(first) = strangers.first() {
        let what = "files in the folder are no part of this model, such as";
        note(common, &format!("warning: {} {what} {first}; no index names them", strangers.len()));
    }
    if common.quiet {
        return Ok(());
    }
    let mut rows = Vec::new();
    for ((shard, _), stats) in work.files.iter().zip(&stats) {
        for (tensor, stats) in shard.tensors.iter().zip(stats) {
            let content = work.descriptions.get(&tensor.name).map_or("", String::as_str);
            rows.push(Row { tensor, content, stats });
        }
    }
    stdout::print(&summary(&rows, engine.name(), started.elapsed(), &common.output))
}

fn note(common: &Common, text: &str) {
    if !common.quiet {
        eprintln!("{text}");
    }
}
