//! `seedbed index`: completes a folder that several ranks wrote.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use anyhow::{Result, anyhow, bail};
use indicatif::HumanCount;
use seedbed_model::{LENGTH_BYTES, MAX_HEADER, Model, Parts, Record};

use crate::args::IndexArgs;
use crate::dcp;
use crate::failure::Failure;
use crate::layout::{Layout, SINGLE};
use crate::partial::{Folder, INDEX, PARTIAL, Partial, Promised, digest, names, remove_index};
use crate::stdout;
use crate::temporary::{Whose, is_temporary, remove_dead};

/// The files, and the ranks, that an error lists.
const MAX_LISTED: usize = 16;

/// Completes the folder, or says what is missing.
pub fn run(args: &IndexArgs) -> Result<(), Failure> {
    let path = &args.folder;
    if !path.is_dir() {
        return Err(Failure::Input(anyhow!("{}: no such folder", path.display())));
    }
    let Some(partial) = Partial::read(path).map_err(Failure::Input)? else {
        let text = complete_already(path).map_err(Failure::Input)?;
        return if args.quiet { Ok(()) } else { stdout::print(&text) };
    };
    check(&partial, path)?;
    let folder = Folder { path: path.clone(), partial, part: None };
    folder.check().map_err(Failure::Input)?;
    if let Some(first) = folder.strangers().first().filter(|_| !args.quiet) {
        eprintln!(
            "warning: files in the folder are no part of this model, such as {first}; no index names them"
        );
    }
    // All files are complete, so a temporary file is what a rank that was killed has left.
    remove_dead(path, Whose::All);
    folder.finish().map_err(Failure::Run)?;
    if args.quiet {
        return Ok(());
    }
    let Partial { files, index, layout, .. } = &folder.partial;
    let bytes = files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    let what = match (layout, index) {
        (Layout::Hf, Some(_)) => format!("{INDEX} names them"),
        (Layout::Hf, None) => "one file needs no index".into(),
        (Layout::Dcp, _) => "torch.distributed.checkpoint needs no index".into(),
    };
    let (count, is) =
        (HumanCount(files.len() as u64), if files.len() == 1 { "file is" } else { "files are" });
    stdout::print(&format!(
        "{}: {count} {is} complete, {} bytes; {what}\n",
        path.display(),
        HumanCount(bytes)
    ))
}

/// Checks that each file is there, with the header and the length that the file list has.
fn check(partial: &Partial, folder: &Path) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let mut ranks = BTreeSet::new();
    // A network file system may remember that a name was missing, until somebody lists the folder.
    let _ = temporaries(folder);
    for file in &partial.files {
        if let Some(problem) = problem(file, partial.seed, folder) {
            problems.push(format!("{} {problem}", file.name.escape_debug()));
            ranks.insert(file.rank);
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    // No index may name these files.
    remove_index(folder).map_err(Failure::Run)?;
    let mut text = format!(
        "error: {}: {} of {} files are not complete: ",
        folder.display(),
        problems.len(),
        partial.files.len()
    );
    let more = problems.len().saturating_sub(MAX_LISTED);
    problems.truncate(MAX_LISTED);
    text += &problems.join(", ");
    if more > 0 {
        text += &format!(", and {more} more");
    }
    if !temporaries(folder).is_empty() {
        text += "; there are temporary files, so a rank was killed or is still at work";
    }
    let mut hint =
        "Run the launcher's command again, which keeps the complete files, or only these:".to_owned();
    for &rank in ranks.iter().take(MAX_LISTED) {
        hint += &format!("\n  {}", partial.rerun(Some(rank)));
    }
    if ranks.len() > MAX_LISTED {
        let others: Vec<_> = ranks.iter().skip(MAX_LISTED).map(u64::to_string).collect();
        hint += &format!("\nand so on for the ranks {}", others.join(", "));
    }
    Err(Failure::Incomplete { text, hint })
}

/// What is wrong with a file, if anything is.
fn problem(file: &Promised, seed: u64, folder: &Path) -> Option<String> {
    let path = folder.join(&file.name);
    let metadata = match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Some("is missing".into()),
        Err(error) => return Some(format!("can't be read: {error}")),
        Ok(metadata) => metadata,
    };
    if !metadata.is_file() {
        return Some("is no regular file; remove it".into());
    }
    match header(&path) {
        Ok(header) if digest(&header) == file.header_sha256 => {
            let bytes = metadata.len();
            (bytes != file.bytes).then(|| format!("has {bytes} bytes instead of {}", file.bytes))
        }
        Ok(_) => Some(match Model::read(&path).and_then(|model| Record::read(&model.metadata)) {
            Ok(Some(record)) if record.seed != seed => {
                format!("is of the seed {} instead of {seed}", record.seed)
            }
            Ok(Some(_)) => "is of another model, or by other rules or options".into(),
            Ok(None) | Err(_) => "was not made by `seedbed init`; remove it".into(),
        }),
        Err(_) => Some("is no .safetensors file; remove it".into()),
    }
}

/// The bytes before the data.
fn header(path: &Path) -> Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut length = [0; LENGTH_BYTES as usize];
    file.read_exact(&mut length)?;
    let bytes = u64::from_le_bytes(length);
    if bytes > MAX_HEADER {
        bail!("no header");
    }
    let mut header = length.to_vec();
    file.take(bytes).read_to_end(&mut header)?;
    if header.len() as u64 != LENGTH_BYTES + bytes {
        bail!("no header");
    }
    Ok(header)
}

/// The names of the temporary files of a folder.
fn temporaries(folder: &Path) -> Vec<String> {
    names(folder).filter(|name| is_temporary(name)).collect()
}

/// The line about a folder without a file list.
fn complete_already(folder: &Path) -> Result<String> {
    let place = || folder.display().to_string();
    let files = if [SINGLE, INDEX].iter().any(|name| folder.join(name).exists()) {
        let model = Model::read(folder)?;
        if let Some(warning) = model.warnings.first() {
            bail!("{warning}");
        }
        model.paths().count()
    } else if let Some(models) = dcp::in_folder(folder)? {
        let gaps = Parts::read(&models)?.map(|mut parts| parts.gaps()).unwrap_or_default();
        if let Some(first) = gaps.first() {
            bail!("{}: the checkpoint is not complete, and {PARTIAL} is missing: {first}", folder.display());
        }
        models.len()
    } else {
        bail!("{}: `seedbed init --part` has written nothing here: there is no {PARTIAL}", folder.display());
    };
    Ok(format!(
        "{}: {} complete already\n",
        place(),
        if files == 1 { "1 file is".into() } else { format!("{files} files are") }
    ))
}
