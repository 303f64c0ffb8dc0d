//! `seedbed verify`: a file against the record of its own making.

use std::collections::HashSet;

use anyhow::{Context, Result, bail, ensure};
use seedbed::half::{bf16, f16};
use seedbed_model::{Chunk, Data, Dtype, Maker, Model, Parameter, Parts, Record, Source, Tensor, unit_size};

use crate::args::VerifyArgs;
use crate::dcp;
use crate::failure::Failure;
use crate::partial::PARTIAL;
use crate::report::table;
use crate::{layout, stdout};

/// The bytes that are compared at a time.
const CHUNK: u64 = 8 << 20;

/// What a tensor turned out to be.
#[derive(Debug, PartialEq)]
enum Verdict {
    AsInitialised,
    /// As initialised, apart from this many elements that were copied.
    PartlyCopied(u64),
    Copied,
    /// The first element that differs, and its values in the record and in the file.
    Differs(String),
    /// The record can't say, and why.
    Unknown(String),
}

/// Compares all tensors and prints what they are.
pub fn print(args: &VerifyArgs) -> Result<(), Failure> {
    let job = || {
        let unfinished = args.model.join(PARTIAL);
        ensure!(
            !unfinished.exists(),
            "{}: the ranks' files are not complete; `seedbed index {}` completes the folder",
            unfinished.display(),
            args.model.display()
        );
        let models = dcp::read(&args.model)?;
        let like = args.like.as_deref().map(dcp::read).transpose().context("--like")?;
        let records = records(&models, like.as_deref(), args)?;
        let parts = Parts::read(&models)?;
        Ok((models, records, parts))
    };
    let (models, records, mut parts) = job().map_err(Failure::Input)?;
    let mut table = table(["parameter", "shape", "type", "verdict"]);
    let mut counts = [0_u64; 4];
    // The number of the record of the first file of each model.
    let mut first = 0;
    for (number, model) in models.iter().enumerate() {
        let files: Vec<usize> = model.files().collect();
        let mut data = model.data();
        for (index, parameter) in model.parameters.iter().enumerate() {
            let record = match &records[..] {
                [only] => only,
                all => &all[first + files[index]],
            };
            let part = parts.as_ref().map(|parts| (parts, &parts.files[number][index]));
            let verdict = compare(record, model, index, part, &mut data)
                .with_context(|| format!("parameter {:?}", parameter.name));
            let verdict = verdict.map_err(Failure::Run)?;
            let (slot, text) = match verdict {
                Verdict::AsInitialised => (0, "as initialised".into()),
                Verdict::PartlyCopied(elements) => (0, format!("as initialised, {elements} elements copied")),
                Verdict::Copied => (1, "copied".into()),
                Verdict::Differs(what) => (2, format!("differs: {what}")),
                Verdict::Unknown(why) => (3, format!("unknown: {why}")),
            };
            counts[slot] += 1;
            if !args.quiet || slot == 2 {
                let name = parameter.name.escape_debug().to_string();
                let shape = match part {
                    Some((_, part)) if part.offsets.iter().any(|&offset| offset > 0) => {
                        format!("{:?} at {:?}", parameter.shape, part.offsets)
                    }
                    _ => format!("{:?}", parameter.shape),
                };
                table.add_row([name, shape, parameter.dtype.to_string(), text]);
            }
        }
        first += model.file_metadata().count();
    }
    let mut missing: Vec<&str> = Vec::new();
    for record in &records {
        missing
            .extend(record.names().filter(|name| models.iter().all(|model| model.position(name).is_none())));
    }
    // Several files of a checkpoint that is cut may have the record of one tensor.
    let mut seen = HashSet::new();
    missing.retain(|name| seen.insert(*name));
    let mut text = if table.row_count() == 0 { String::new() } else { table.trim_fmt() + "\n\n" };
    for name in &missing {
        text += &format!("{}: in the record, and not in the file\n", name.escape_debug());
    }
    // A file alone has its own part.
    let gaps = parts.as_mut().filter(|_| args.model.is_dir()).map(Parts::gaps).unwrap_or_default();
    for gap in &gaps {
        text += &format!("{}\n", gap.escape_debug());
    }
    let [same, copied, differ, unknown] = counts;
    let path = args.model.display();
    text += &format!("{path}: {same} as initialised, {differ} differ, {copied} copied, {unknown} unknown\n");
    stdout::print(&text)?;
    if differ > 0 || !missing.is_empty() || !gaps.is_empty() { Err(Failure::Differs) } else { Ok(()) }
}

/// The record of each file, or the one record of `--like`.
fn records(models: &[Model], like: Option<&[Model]>, args: &VerifyArgs) -> Result<Vec<Record>> {
    let (from, path) = match like {
        Some(like) => (like, args.like.as_deref().unwrap_or(&args.model)),
        None => (models, &*args.model),
    };
    let none = || {
        format!(
            "{}: has no record of seedbed, as a file has that `seedbed init` wrote; where another program saved the file \
             since, --like names the file that `seedbed init` wrote",
            path.display()
        )
    };
    let mut records = Vec::new();
    for metadata in from.iter().flat_map(Model::file_metadata) {
        records.push(Record::read(metadata).with_context(|| path.display().to_string())?.with_context(none)?);
    }
    if records.is_empty() {
        bail!("{}", none());
    }
    if like.is_none() || records.len() < 2 {
        return Ok(records);
    }
    Ok(vec![Record::merge(records)?])
}

/// The tensor that a file was made with, or rows of one.
fn recorded(
    record: &Record,
    parameter: &Parameter,
    part: Option<(&Parts, &Chunk)>,
) -> Result<Tensor, Verdict> {
    let whole = part.and_then(|(parts, _)| parts.shapes.get(&parameter.name)).unwrap_or(&parameter.shape);
    let whole = Parameter { shape: whole.clone(), ..parameter.clone() };
    let tensor = match record.tensor(&whole) {
        Ok(Some(tensor)) => tensor,
        Ok(None) => return Err(Verdict::Unknown("the record does not have it".into())),
        Err(error) => return Err(Verdict::Differs(format!("the record does not fit: {error}"))),
    };
    let Some((_, part)) = part.filter(|(_, part)| part.shape != whole.shape) else { return Ok(tensor) };
    if part.shape.iter().skip(1).ne(whole.shape.iter().skip(1)) {
        return Err(Verdict::Unknown("it is cut along another dimension than the first".into()));
    }
    let (start, count) = part.offsets.first().zip(part.shape.first()).unwrap_or((&0, &0));
    layout::rows(&tensor, *start..start + count)
        .ok_or_else(|| Verdict::Unknown("it is cut, and can only be made as a whole".into()))
}

fn compare(
    record: &Record,
    model: &Model,
    index: usize,
    part: Option<(&Parts, &Chunk)>,
    data: &mut Data<'_>,
) -> Result<Verdict> {
    let tensor = match recorded(record, &model.parameters[index], part) {
        Ok(tensor) => tensor,
        Err(verdict) => return Ok(verdict),
    };
    // A record of a few bytes could ask for the norms of a tensor that no machine makes in years.
    for source in &tensor.content.sources {
        let Source::Norm { of, .. } = source else { continue };
        let found = match part {
            Some((parts, _)) => parts.shape_of_present(&of.name),
            None => model.parameter(&of.name).map(|found| &found.shape),
        };
        if found != Some(&of.shape) {
            let what =
                format!("{:?} of shape {:?}, which its norm needs, is not in the file", of.name, of.shape);
            // A file of a checkpoint that is cut may be read alone.
            return Ok(if part.is_some() { Verdict::Unknown(what) } else { Verdict::Differs(what) });
        }
    }
    let mut maker = Maker::new(record.seed, None);
    let size = unit_size(tensor.dtype);
    let (mut at, mut copied, mut compared) = (0_u64, 0_u64, 0_u64);
    let (mut made, mut found) = (Vec::new(), Vec::new());
    for segment in tensor.content.segments() {
        let mut start = segment.elements.start;
        if tensor.content.sources[segment.source].is_copied() {
            copied += segment.elements.end - start;
            at += segment.elements.end - start;
            continue;
        }
        while start < segment.elements.end {
            let end = (start + CHUNK / size).min(segment.elements.end);
            let bytes = ((end - start) * size) as usize;
            made.resize(bytes, 0);
            found.resize(bytes, 0);
            maker.make(&tensor, segment.source, start..end, &mut made)?;
            data.read(index, at * size, &mut found)?;
            if made != found {
                let differs = |(a, b): (&[u8], &[u8])| a != b;
                let mut pairs = made.chunks(size as usize).zip(found.chunks(size as usize));
                let element = pairs.position(differs).unwrap_or(0);
                let byte = element * size as usize;
                let value = |bytes: &[u8]| value(tensor.dtype, &bytes[byte..byte + size as usize]);
                return Ok(Verdict::Differs(format!(
                    "element {:?} is {} instead of {}",
                    indices(at + element as u64, &tensor),
                    value(&found),
                    value(&made),
                )));
            }
            compared += end - start;
            at += end - start;
            start = end;
        }
    }
    Ok(match (copied, compared) {
        (0, _) => Verdict::AsInitialised,
        (_, 0) => Verdict::Copied,
        _ => Verdict::PartlyCopied(copied),
    })
}

/// The index of an element in each dimension.
fn indices(mut element: u64, tensor: &Tensor) -> Vec<u64> {
    let mut indices = vec![0; tensor.shape.len()];
    for (index, &size) in indices.iter_mut().zip(&tensor.shape).rev() {
        *index = element % size.max(1);
        element /= size.max(1);
    }
    indices
}

fn value(dtype: Dtype, bytes: &[u8]) -> String {
    match (dtype, bytes) {
        (Dtype::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]).to_string(),
        (Dtype::F16, &[a, b]) => f16::from_le_bytes([a, b]).to_string(),
        (Dtype::BF16, &[a, b]) => bf16::from_le_bytes([a, b]).to_string(),
        _ => format!("{bytes:02x?}"),
    }
}
