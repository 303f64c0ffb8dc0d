//! `seedbed verify`: a file against the record of its own making.

use anyhow::{Context, Result, bail};
use seedbed::half::{bf16, f16};
use seedbed_model::{Data, Dtype, Maker, Model, Record, Source, Tensor, unit_size};

use crate::args::VerifyArgs;
use crate::failure::Failure;
use crate::report::table;
use crate::stdout;

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
    /// The record does not have it.
    Unknown,
}

/// Compares all tensors and prints what they are.
pub fn print(args: &VerifyArgs) -> Result<(), Failure> {
    let job = || {
        let model = Model::read(&args.model)?;
        let like = args.like.as_deref().map(Model::read).transpose().context("--like")?;
        let records = records(&model, like.as_ref(), args)?;
        Ok((model, records))
    };
    let (model, records) = job().map_err(Failure::Input)?;
    let mut table = table(["parameter", "shape", "type", "verdict"]);
    let mut counts = [0_u64; 4];
    let files: Vec<usize> = model.files().collect();
    let mut data = model.data();
    for (index, parameter) in model.parameters.iter().enumerate() {
        let record = match &records[..] {
            [only] => only,
            all => &all[files[index]],
        };
        let verdict = compare(record, &model, index, &mut data)
            .with_context(|| format!("parameter {:?}", parameter.name));
        let verdict = verdict.map_err(Failure::Run)?;
        let (slot, text) = match verdict {
            Verdict::AsInitialised => (0, "as initialised".into()),
            Verdict::PartlyCopied(elements) => (0, format!("as initialised, {elements} elements copied")),
            Verdict::Copied => (1, "copied".into()),
            Verdict::Differs(what) => (2, format!("differs: {what}")),
            Verdict::Unknown => (3, "unknown: the record does not have it".into()),
        };
        counts[slot] += 1;
        if !args.quiet || slot == 2 {
            let name = parameter.name.escape_debug().to_string();
            table.add_row([name, format!("{:?}", parameter.shape), parameter.dtype.to_string(), text]);
        }
    }
    let mut missing = Vec::new();
    for record in &records {
        missing.extend(record.names().filter(|name| model.position(name).is_none()));
    }
    let mut text = if table.row_count() == 0 { String::new() } else { table.trim_fmt() + "\n\n" };
    for name in &missing {
        text += &format!("{}: in the record, and not in the file\n", name.escape_debug());
    }
    let [same, copied, differ, unknown] = counts;
    let path = args.model.display();
    text += &format!("{path}: {same} as initialised, {differ} differ, {copied} copied, {unknown} unknown\n");
    stdout::print(&text)?;
    if differ > 0 || !missing.is_empty() { Err(Failure::Differs) } else { Ok(()) }
}

/// The record of each file, or the one record of `--like`.
fn records(model: &Model, like: Option<&Model>, args: &VerifyArgs) -> Result<Vec<Record>> {
    let (from, path) = match like {
        Some(like) => (like, args.like.as_deref().unwrap_or(&args.model)),
        None => (model, &*args.model),
    };
    let none = || {
        format!(
            "{}: has no record of seedbed, as a file has that `seedbed init` wrote; where another program saved the file \
             since, --like names the file that `seedbed init` wrote",
            path.display()
        )
    };
    let mut records = Vec::new();
    for metadata in from.file_metadata() {
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

fn compare(record: &Record, model: &Model, index: usize, data: &mut Data<'_>) -> Result<Verdict> {
    let tensor = match record.tensor(&model.parameters[index]) {
        Ok(Some(tensor)) => tensor,
        Ok(None) => return Ok(Verdict::Unknown),
        Err(error) => return Ok(Verdict::Differs(format!("the record does not fit: {error}"))),
    };
    // A record of a few bytes could ask for the norms of a tensor that no machine makes in years.
    for source in &tensor.content.sources {
        let Source::Norm { of, .. } = source else { continue };
        if model.parameter(&of.name).is_none_or(|found| found.shape != of.shape) {
            let what =
                format!("{:?} of shape {:?}, which its norm needs, is not in the file", of.name, of.shape);
            return Ok(Verdict::Differs(what));
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
