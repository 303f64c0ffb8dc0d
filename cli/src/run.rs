//! `seedbed init` and `seedbed fill`: check everything, open the engine, make and write.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use seedbed::{CONTRACT_VERSION, DType, Key};
use seedbed_model::{Keys, Maker, Model, Parts, Record, Source, Tensor, describe, float, in_file, unit_size};

use crate::args::{Common, FillArgs, InitArgs};
use crate::engine::{Engine, Job};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::layout::Layout;
use crate::output::{Format, Output, folder_of, not_created};
use crate::partial::{Folder, Index, Partial, Promised};
use crate::planned::Planned;
use crate::ranks::{Part, Rank};
use crate::report::{self, Row, progress, summary};
use crate::shards::{Shard, Target};
use crate::stats::Stats;
use crate::temporary::{Whose, remove_dead};
use crate::values::AdapterChoice;
use crate::{header, layout, partial, ranks, select, shards, stdout};

/// Runs `seedbed init`.
pub fn init(args: &InitArgs) -> Result<(), Failure> {
    let common = &args.common;
    let rank = args.part.map(|choice| Rank::new(choice, &ranks::environment)).transpose();
    let rank = rank.map_err(Failure::Input)?;
    let part = rank.map(|rank| rank.part);
    run_init(args, rank).map_err(|failure| match (failure, part) {
        (Failure::Input(error), Some(part)) => Failure::Input(error.context(part)),
        (Failure::Run(error), Some(part)) => Failure::Run(error.context(part)),
        (failure, _) => failure,
    })?;
    if let Some(part) = part.filter(|part| part.rank == 0) {
        let folder = common.output.display();
        let ranks =
            if part.size == 1 { "the rank is".into() } else { format!("all {} ranks are", part.size) };
        note(common, &format!("note: when {ranks} done, `seedbed index {folder}` completes the folder"));
    }
    Ok(())
}

fn run_init(args: &InitArgs, rank: Option<Rank>) -> Result<(), Failure> {
    let common = &args.common;
    if let Some(rank) = &rank {
        ranks::share_cores(rank);
    } else if let Some(warning) = ranks::unused(&ranks::environment) {
        note(common, &warning);
    }
    // What all ranks would say, the first one says.
    let is_first = rank.is_none_or(|rank| rank.part.rank == 0);
    let note = |text: &str| {
        if is_first {
            note(common, text);
        }
    };
    let place = || args.model.model.display().to_string();
    let job = || {
        let target = Target::of(&common.output)?;
        if let Target::File(path) = &target {
            let option = if rank.is_some() { "--part" } else { "--layout" };
            ensure!(
                rank.is_none() && args.layout.is_none(),
                "{option} writes a folder, and {} is a file; give -o a folder, whose name ends with a slash",
                path.display()
            );
        }
        let planned = Planned::new(&args.model, &mut |text| note(text))?;
        planned.plan.check().with_context(place)?;
        target.check(&mut planned.inputs(), args.in_place)?;
        let mut tensors: Vec<Tensor> = planned.plan.tensors().cloned().collect();
        let number = planned.plan.entries.len();
        if tensors.len() < number {
            let skipped = number - tensors.len();
            note(&format!("note: the output is without {skipped} of {number} parameters"));
        }
        if tensors.is_empty() && number > 0 {
            note("warning: every parameter is skipped, so the output has none");
        }
        // PyTorch views a tensor's bytes in place, so a tensor must begin on a multiple of its element's size.
        tensors.sort_by_key(|tensor| std::cmp::Reverse(unit_size(tensor.dtype)));
        let (folder, files) = match target {
            Target::File(path) => {
                let metadata = provenance(&planned, common, Vec::new(), &tensors);
                let header = header::safetensors(&tensors, &metadata).with_context(place)?;
                (None, vec![(Shard::whole(path, tensors), header)])
            }
            Target::Folder(path) => {
                let (folder, files) = in_folder(args, path, rank.map(|rank| rank.part), &planned, &tensors)?;
                (Some(folder), files)
            }
        };
        let descriptions = planned.plan.entries.iter();
        let descriptions = descriptions.map(|entry| (entry.parameter.name.clone(), entry.description()));
        Ok((folder, files, descriptions.collect(), planned))
    };
    let (folder, files, descriptions, planned): (_, _, HashMap<String, String>, _) =
        job().map_err(Failure::Input)?;
    if let (Some(folder), Some(rank)) = (&folder, rank) {
        let makers: HashSet<u64> = folder.partial.files.iter().map(|file| file.rank).collect();
        if (makers.len() as u64) < rank.part.size {
            note(&format!(
                "note: {} of {} ranks have a file to make; a smaller --max-shard-size gives more files",
                makers.len(),
                rank.part.size
            ));
        }
    }
    let keys = Keys::Named(Key::new(common.seed));
    run(&Work { folder, rank, files, keys, source: planned.source(), descriptions }, common)
}

/// A file and its header.
type WithHeader = (Shard, Vec<u8>);

/// The files that this process makes in a folder.
fn in_folder(
    args: &InitArgs,
    path: PathBuf,
    part: Option<Part>,
    planned: &Planned,
    tensors: &[Tensor],
) -> Result<(Folder, Vec<WithHeader>)> {
    let common = &args.common;
    let layout = args.layout.unwrap_or(Layout::Hf);
    let Part { rank, size } = part.unwrap_or(Part::WHOLE);
    let all = layout::files(layout, tensors, args.max_shard_size, size)?;
    let (mut files, mut promised) = (Vec::new(), Vec::new());
    for file in &all {
        let shard = Shard::of(&path, file, tensors);
        let sharding = match layout {
            Layout::Hf => Vec::new(),
            Layout::Dcp => Parts::metadata(shard.parts()),
        };
        let wholes = file.pieces.iter().map(|piece| &tensors[piece.tensor]);
        let metadata = provenance(planned, common, sharding, wholes);
        let header = header::safetensors(&shard.tensors, &metadata)
            .with_context(|| args.model.model.display().to_string())?;
        promised.push(Promised {
            name: file.name.clone(),
            rank: file.rank,
            bytes: (header.len() as u64).saturating_add(shard.bytes()?),
            header_sha256: partial::digest(&header),
        });
        // The headers of a thousand ranks would take more memory than the windows.
        if file.rank == rank {
            files.push((shard, header));
        }
    }
    let index = Index::new(layout, &all, tensors)?;
    let partial = Partial {
        layout,
        ranks: size,
        seed: common.seed,
        command: partial::command(),
        files: promised,
        index,
    };
    let folder = Folder { path, partial, part };
    folder.check()?;
    for (shard, _) in &files {
        shard.check()?;
    }
    Ok((folder, files))
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
        let shard = Shard::whole(common.output.clone(), vec![tensor]);
        let (files, keys) = (vec![(shard, header)], Keys::Only(key));
        Ok(Work { folder: None, rank: None, files, keys, source: None, descriptions })
    };
    run(&job().map_err(Failure::Input)?, common)
}

/// The file's metadata: those of the model's files, and how this file was made. The adapter is left out, because it changes
/// no byte. `sharding` are the entries of a layout that cuts tensors, and `tensors` the whole tensors of the file.
fn provenance<'a>(
    planned: &Planned,
    common: &Common,
    sharding: Vec<(String, String)>,
    tensors: impl IntoIterator<Item = &'a Tensor>,
) -> Vec<(String, String)> {
    let kept = planned.model.metadata.iter();
    let kept = kept.filter(|(key, _)| !Record::is_own(key) && !Parts::is_own(key));
    let mut metadata: Vec<_> = kept.cloned().collect();
    if metadata.iter().all(|(key, _)| key != "format") {
        // PyTorch's tools look for this entry.
        metadata.insert(0, ("format".into(), "pt".into()));
    }
    metadata.extend(sharding);
    metadata.push(("seedbed".into(), env!("CARGO_PKG_VERSION").into()));
    metadata.push(("seedbed.rules".into(), format!("sha256 {}", planned.rules.digest())));
    metadata.extend(Record::new(common.seed, tensors).metadata());
    metadata
}

/// Checked files, ready to be made.
struct Work<'a> {
    /// The folder of the files, if the output is one.
    folder: Option<Folder>,
    /// The rank of this process, where the user asked for a part.
    rank: Option<Rank>,
    /// The files that this process makes, with their headers.
    files: Vec<WithHeader>,
    keys: Keys,
    source: Option<&'a Model>,
    /// What each tensor holds, by name.
    descriptions: HashMap<String, String>,
}

impl Work<'_> {
    /// The files that are not there yet. A single file is always made.
    fn unfinished(&self) -> Result<Vec<bool>> {
        let finished = |(shard, header): &WithHeader| {
            anyhow::Ok(!(self.folder.is_some() && shard.is_finished(header, self.source)?))
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
    // What a killed run has left may take the space that this one needs.
    if let Some((shard, _)) = to_make().next() {
        remove_dead(folder_of(&shard.path), Whose::ThisHost);
    }
    if let Some(folder) = &work.folder {
        shards::create(&folder.path).map_err(Failure::Input)?;
        folder.begin(unfinished.contains(&true)).map_err(Failure::Input)?;
    }
    // Success shows whether the folder can hold a new file, before any work is done.
    let mut first = match to_make().next() {
        Some((shard, _)) => Some(Output::create(&shard.path).map_err(not_created)?),
        None => None,
    };
    let is_filled =
        |tensor: &Tensor| (0..tensor.content.sources.len()).any(|source| Maker::is_fill(tensor, source));
    let choice = common.adapter(work.rank.is_some());
    let mut engine = match &choice {
        // A device has nothing to do where everything is copied or computed.
        AdapterChoice::Auto if !to_make().any(|(shard, _)| shard.tensors.iter().any(is_filled)) => {
            Engine::Host
        }
        choice => {
            let local_rank = work.rank.map(|rank| rank.local_rank);
            select::engine(choice, local_rank, !common.no_selftest, &mut |text| note(common, &text))?
        }
    };
    let check = |engine: &Engine| to_make().try_for_each(|(shard, _)| engine.check(&shard.tensors));
    match (check(&engine), &engine, &choice) {
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
    // The bars of several ranks would overwrite each other.
    let is_first = work.rank.is_none_or(|rank| rank.part.rank == 0);
    let progress = progress(total, common.quiet || !is_first);
    let mut complete = 0;
    let mut write = || {
        if let Some(folder) = work.folder.as_ref().filter(|_| first.is_some()) {
            partial::remove_index(&folder.path)?;
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
            engine
                .run(work.job(shard), &mut |piece, bytes| {
                    interrupt.check()?;
                    if let Some(dtype) = float(shard.tensors[piece.tensor].dtype).filter(|_| !common.quiet) {
                        stats[piece.tensor].add(dtype, bytes)?;
                    }
                    output.write(bytes)?;
                    progress.inc(bytes.len() as u64);
                    Ok(())
                })
                .map_err(|error| of_device(error, shard))?;
            // This is the last chance: after the renaming an interruption is too late.
            interrupt.check()?;
            output.finish()?;
            complete += 1;
        }
        work.folder.as_ref().map_or(Ok(()), Folder::finish)
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

    let strangers = work.folder.as_ref().filter(|_| is_first).map(Folder::strangers).unwrap_or_default();
    if let Some(first) = strangers.first() {
        let what = "files in the folder are no part of this model, such as";
        note(common, &format!("warning: {} {what} {first}; no index names them", strangers.len()));
    }
    if common.quiet {
        return Ok(());
    }
    let mut rows = Vec::new();
    for ((shard, _), stats) in work.files.iter().zip(&stats) {
        for ((tensor, stats), of) in shard.tensors.iter().zip(stats).zip(&shard.rows) {
            let content = work.descriptions.get(&tensor.name).map_or("", String::as_str);
            rows.push(Row { tensor, content, rows: of.as_ref(), stats });
        }
    }
    // The tables of several ranks would mix on one terminal; `seedbed plan` prints them in one.
    let has_table = work.rank.is_none_or(|rank| rank.part.size == 1);
    let mut text = if has_table { report::rows(&rows) + "\n\n" } else { String::new() };
    text += &summary(&rows, engine.name(), started.elapsed(), &common.output);
    if let Some(rank) = &work.rank {
        let names = work.files.iter().filter_map(|(shard, _)| shard.path.file_name());
        let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
        let names = if names.is_empty() { "no file".into() } else { names.join(", ") };
        text += &format!("{}: {names}\n", rank.part);
    }
    stdout::print(&text)
}

/// A failure of the engine's device, with the file and a remedy. Other failures say both themselves.
fn of_device(error: anyhow::Error, shard: &Shard) -> anyhow::Error {
    match error.downcast_ref::<seedbed::Error>() {
        Some(seedbed::Error::Device { .. }) => anyhow!(
            "{}: nothing was written: {error:#}; --adapter host makes the same bits without the GPU",
            shard.path.display()
        ),
        _ => error,
    }
}

fn note(common: &Common, text: &str) {
    if !common.quiet {
        eprintln!("{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_device_is_told_with_its_file_and_a_remedy() {
        let shard = Shard::whole("o.safetensors".into(), Vec::new());
        let device = seedbed::Error::Device { reason: "the device was lost: gone".into() };
        let told = of_device(device.into(), &shard);
        let right = "o.safetensors: nothing was written: the GPU failed: the device was lost: gone; --adapter host \
                     makes the same bits without the GPU";
        assert_eq!(format!("{told:#}"), right);
        assert_eq!(format!("{:#}", of_device(anyhow!("a full disk"), &shard)), "a full disk");
        assert!(matches!(
            Failure::run(of_device(crate::failure::Interrupted.into(), &shard)),
            Failure::Interrupted(0)
        ));
    }
}
