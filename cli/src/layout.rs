//! Layouts: tensors -> the files of a folder, and the rank that makes each. Pure arithmetic, which every rank repeats.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use anyhow::Result;
use clap::ValueEnum;
use seedbed_model::{Content, Run, Source, Tensor};

/// The values of `--layout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Hugging Face's: whole tensors, and an index. The folder does not depend on the number of ranks
    Hf,
    /// torch.distributed.checkpoint's (HuggingFaceStorageReader): the rows of large tensors are cut over the ranks
    Dcp,
}

/// The file of a model that needs one file.
pub const SINGLE: &str = "model.safetensors";

/// The smallest piece of a tensor that is cut, in bytes. A reader opens every file that has a piece, so smaller pieces
/// cost more time than a better balance saves.
const MIN_PIECE: u64 = 64 << 10;

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The name.
    pub name: String,
    /// The rank that makes the file.
    pub rank: u64,
    /// The tensors of the file, whole or cut, in their order.
    pub pieces: Vec<Piece>,
}

/// A tensor in a file, or rows of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The index of the tensor.
    pub tensor: usize,
    /// The rows that the file has, or `None` for the whole tensor.
    pub rows: Option<Range<u64>>,
}

impl Piece {
    /// The piece as a tensor.
    pub fn of(&self, tensors: &[Tensor]) -> Tensor {
        let whole = &tensors[self.tensor];
        self.rows.clone().and_then(|range| rows(whole, range)).unwrap_or_else(|| whole.clone())
    }

    fn bytes(&self, tensors: &[Tensor]) -> Result<u64> {
        let tensor = &tensors[self.tensor];
        let all = tensor.bytes()?;
        Ok(match (&self.rows, tensor.shape.first()) {
            (Some(rows), Some(&count)) if count > 0 => all / count * (rows.end - rows.start),
            _ => all,
        })
    }
}

/// The files of a layout, for a number of ranks. `max` is the largest size of a file of several tensors, in bytes.
pub fn files(layout: Layout, tensors: &[Tensor], max: u64, ranks: u64) -> Result<Vec<File>> {
    match layout {
        Layout::Hf => hf(tensors, max, ranks),
        Layout::Dcp => dcp(tensors, max, ranks),
    }
}

/// The files of `--layout hf`, which hold whole tensors.
fn hf(tensors: &[Tensor], max: u64, ranks: u64) -> Result<Vec<File>> {
    let all = (0..tensors.len()).map(|tensor| Piece { tensor, rows: None }).collect();
    let groups = groups(all, tensors, max)?;
    let count = groups.len();
    let sizes = groups.iter().map(|(size, _)| *size).collect::<Vec<_>>();
    let name = |number: usize| match count {
        1 => SINGLE.to_owned(),
        _ => format!("model-{number:05}-of-{count:05}.safetensors"),
    };
    let dealt = (1..).zip(groups).zip(deal(&sizes, ranks));
    Ok(dealt.map(|((number, (_, pieces)), rank)| File { name: name(number), rank, pieces }).collect())
}

/// The files of `--layout dcp`, with the names that HuggingFaceStorageWriter gives with `save_distributed=True`. A rank
/// without data has no file, as in PyTorch.
fn dcp(tensors: &[Tensor], max: u64, ranks: u64) -> Result<Vec<File>> {
    let mut by_rank = Vec::new();
    for (rank, pieces) in (0..).zip(cut(tensors, ranks)?) {
        if !pieces.is_empty() || (tensors.is_empty() && rank == 0) {
            by_rank.push((rank, groups(pieces, tensors, max)?));
        }
    }
    let count = by_rank.iter().map(|(_, groups)| groups.len()).max().unwrap_or(0);
    let mut files = Vec::new();
    for (rank, groups) in by_rank {
        for (number, (_, pieces)) in (1..).zip(groups) {
            let name = format!("shard-{:05}-model-{number:05}-of-{count:05}.safetensors", rank + 1);
            files.push(File { name, rank, pieces });
        }
    }
    Ok(files)
}

/// Groups pieces, in their order, into files of at most `max` bytes, or of one piece. There is at least one group.
fn groups(pieces: Vec<Piece>, tensors: &[Tensor], max: u64) -> Result<Vec<(u64, Vec<Piece>)>> {
    let mut groups = vec![(0_u64, Vec::new())];
    for piece in pieces {
        let bytes = piece.bytes(tensors)?;
        if groups.last().is_some_and(|(size, group)| size.saturating_add(bytes) > max && !group.is_empty()) {
            groups.push((0, Vec::new()));
        }
        if let Some((size, group)) = groups.last_mut() {
            *size = size.saturating_add(bytes);
            group.push(piece);
        }
    }
    Ok(groups)
}

/// The rank of each file: the largest file goes to the rank with the fewest bytes, then the next one.
fn deal(sizes: &[u64], ranks: u64) -> Vec<u64> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&index| Reverse(sizes[index]));
    let mut loads = Loads::new(vec![0; usize::try_from(ranks).unwrap_or(1)]);
    let mut dealt = vec![0; sizes.len()];
    for index in order {
        dealt[index] = loads.take(1, sizes[index])[0];
    }
    dealt
}

/// The bytes that each rank makes so far.
struct Loads(BinaryHeap<Reverse<(u64, u64)>>);

impl Loads {
    fn new(bytes: Vec<u64>) -> Self {
        Self(bytes.into_iter().zip(0..).map(Reverse).collect())
    }

    /// Gives `bytes` to each of the `count` ranks that have the fewest. The ranks are in order.
    fn take(&mut self, count: usize, bytes: u64) -> Vec<u64> {
        let taken: Vec<_> = (0..count.max(1)).filter_map(|_| self.0.pop()).collect();
        let mut ranks = Vec::new();
        for Reverse((load, rank)) in taken {
            self.0.push(Reverse((load.saturating_add(bytes), rank)));
            ranks.push(rank);
        }
        ranks.sort_unstable();
        ranks
    }
}

/// The pieces of each rank, in the order of the tensors.
///
/// A tensor with enough rows is cut over all ranks, in their order, so that a reader that shards the first dimension finds
/// most of its rows in the file of its own rank. Tensors that are cut into fewer pieces, or not at all, then go to the
/// ranks with the fewest bytes.
fn cut(tensors: &[Tensor], ranks: u64) -> Result<Vec<Vec<Piece>>> {
    let mut by_rank: Vec<Vec<Piece>> = vec![Vec::new(); usize::try_from(ranks).unwrap_or(1)];
    let mut loads = vec![0_u64; by_rank.len()];
    let mut rest = Vec::new();
    for (index, tensor) in tensors.iter().enumerate() {
        let bytes = tensor.bytes()?;
        let pieces = match tensor.shape.first() {
            Some(&rows) if is_cut(tensor) => ranks.min(rows).min(bytes / MIN_PIECE).max(1),
            _ => 1,
        };
        if pieces < ranks || ranks == 1 {
            rest.push((bytes / pieces, index, pieces));
            continue;
        }
        for (rank, rows) in (0..).zip(even(tensor.shape[0], pieces)) {
            let piece = Piece { tensor: index, rows: Some(rows) };
            loads[rank] += piece.bytes(tensors)?;
            by_rank[rank].push(piece);
        }
    }
    let mut loads = Loads::new(loads);
    rest.sort_by_key(|&(bytes, ..)| Reverse(bytes));
    for (bytes, tensor, pieces) in rest {
        let count = usize::try_from(pieces).unwrap_or(1);
        let mut ranges = even(tensors[tensor].shape.first().copied().unwrap_or(1), pieces);
        for rank in loads.take(count, bytes) {
            let rows = ranges.next().filter(|_| count > 1);
            by_rank[rank as usize].push(Piece { tensor, rows });
        }
    }
    for pieces in &mut by_rank {
        pieces.sort_by_key(|piece| piece.tensor);
    }
    Ok(by_rank)
}

/// Cuts rows into ranges whose lengths differ by one at most. Where `pieces` divides `rows`, torch.chunk cuts the same.
fn even(rows: u64, pieces: u64) -> impl Iterator<Item = Range<u64>> {
    let bound = move |piece: u64| (u128::from(rows) * u128::from(piece) / u128::from(pieces.max(1))) as u64;
    (0..pieces).map(move |piece| bound(piece)..bound(piece + 1))
}

/// Whether some rows of the tensor can be made without the others.
fn is_cut(tensor: &Tensor) -> bool {
    tensor.shape.first().is_some_and(|&rows| rows > 1) && rows(tensor, 0..1).is_some()
}

/// Some rows of a tensor, as a tensor. `None` where a part costs as much as the whole, and where rows are no runs of
/// elements.
pub fn rows(tensor: &Tensor, rows: Range<u64>) -> Option<Tensor> {
    let (&count, inner) = tensor.shape.split_first()?;
    let Content { sources, outer, runs } = &tensor.content;
    if rows.start > rows.end || rows.end > count || tensor.dtype.bitsize() < 8 || tensor.elements().ok()? == 0
    {
        return None;
    }
    if sources.iter().any(Source::is_whole) {
        return None;
    }
    let row: u64 = inner.iter().product();
    let (start, end) = (rows.start * row, rows.end * row);
    let mut cut = Vec::new();
    let mut repetitions = 1;
    if *outer == 1 {
        let mut at = 0;
        for run in runs {
            let (from, to) = (start.max(at), end.min(at + run.len));
            if from < to {
                cut.push(Run { first: run.first + (from - at), len: to - from, ..*run });
            }
            at += run.len;
        }
    } else {
        let period: u64 = runs.iter().map(|run| run.len).sum();
        if period == 0 || !row.is_multiple_of(period) {
            return None;
        }
        repetitions = (end - start) / period;
        cut.extend(runs.iter().map(|run| Run { first: run.first + start / period * run.stride, ..*run }));
    }
    // Only the sources that the rows need, because a stack of experts has many.
    let mut places = vec![None; sources.len()];
    let mut used = Vec::new();
    for run in &mut cut {
        let place = places.get_mut(run.source)?;
        run.source = *place.get_or_insert_with(|| {
            used.push(sources[run.source].clone());
            used.len() - 1
        });
    }
    let content = Content { sources: used, outer: repetitions, runs: cut };
    let shape = [&[rows.end - rows.start], inner].concat();
    Some(Tensor { name: tensor.name.clone(), shape, dtype: tensor.dtype, content })
}

#[cfg(test)]
mod tests {
    use seedbed::Init;
    use seedbed_model::{Dtype, Maker};

    use super::*;

    fn source(shape: &[u64], init: Init) -> Source {
        Source::Init { init, shape: shape.into(), stream: "w".into() }
    }

    fn tensor(shape: &[u64], init: Init) -> Tensor {
        let content = Content::whole(source(shape, init)).unwrap();
        Tensor { name: format!("{shape:?}"), shape: shape.into(), dtype: Dtype::F32, content }
    }

    fn bytes(tensor: &Tensor) -> Vec<u8> {
        let mut maker = Maker::new(7, None);
        let mut all = Vec::new();
        for segment in tensor.content.segments() {
            let mut bytes = vec![0; 4 * (segment.elements.end - segment.elements.start) as usize];
            maker.make(tensor, segment.source, segment.elements, &mut bytes).unwrap();
            all.extend(bytes);
        }
        all
    }

    /// Side by side along the columns; one after the other along the rows; with a row of its own.
    fn composed() -> Vec<Tensor> {
        let normal = Init::normal(0.0, 1.0);
        let run = |source, first, stride, len| Run { source, first, stride, len };
        let content = |sources, outer, runs| Content { sources, outer, runs };
        let parts = [[7, 3], [7, 2]].map(|shape| source(&shape, normal)).to_vec();
        let columns = content(parts, 7, vec![run(0, 0, 3, 3), run(1, 0, 2, 2)]);
        let parts = [[3, 5], [4, 5]].map(|shape| source(&shape, normal)).to_vec();
        let stacked = content(parts, 1, vec![run(0, 0, 0, 15), run(1, 0, 0, 20)]);
        let parts = [&[7, 5][..], &[5]].map(|shape| source(shape, normal)).to_vec();
        let replaced = content(parts, 1, vec![run(0, 0, 0, 10), run(1, 0, 0, 5), run(0, 15, 0, 20)]);
        let name = |name: &str, content| {
            let tensor = Tensor { name: name.into(), shape: vec![7, 5], dtype: Dtype::F32, content };
            tensor.check().unwrap();
            tensor
        };
        let mut deep = name("deep", columns.clone());
        deep.shape = vec![7, 1, 5];
        vec![
            name("columns", columns),
            name("stacked", stacked),
            name("replaced", replaced),
            tensor(&[7, 5], normal),
            tensor(&[7, 5], Init::sparse(0.4)),
            deep,
        ]
    }

    #[test]
    fn rows_are_those_of_the_whole() {
        for tensor in composed() {
            let whole = bytes(&tensor);
            for start in 0..=7 {
                for end in start..=7 {
                    let part = rows(&tensor, start..end).unwrap();
                    assert_eq!(part.shape[0], end - start);
                    assert_eq!(
                        bytes(&part),
                        whole[20 * start as usize..20 * end as usize],
                        "{}",
                        tensor.name
                    );
                }
            }
            assert_eq!(rows(&tensor, 3..8), None);
        }
        for whole in
            [tensor(&[7, 5], Init::orthogonal()), tensor(&[], Init::Ones), tensor(&[0, 5], Init::Ones)]
        {
            assert_eq!(rows(&whole, 0..0), None, "{}", whole.name);
        }
    }

    #[test]
    fn pieces_make_up_each_tensor_on_different_ranks() {
        let normal = Init::normal(0.0, 1.0);
        let mut tensors = composed();
        for shape in
            [&[1 << 20, 3][..], &[50_257, 64], &[3, 1 << 20], &[1 << 15], &[9, 1 << 18], &[], &[0, 5]]
        {
            tensors.push(tensor(shape, normal));
        }
        tensors.push(tensor(&[2000, 2000], Init::orthogonal()));
        for ranks in [1, 2, 3, 4, 7, 64] {
            let files = dcp(&tensors, u64::MAX, ranks).unwrap();
            let mut loads = vec![0; ranks as usize];
            let mut next = vec![0; tensors.len()];
            for file in &files {
                let mut names = std::collections::HashSet::new();
                for piece in &file.pieces {
                    let whole = &tensors[piece.tensor];
                    assert!(names.insert(piece.tensor), "twice in one file");
                    loads[file.rank as usize] += piece.bytes(&tensors).unwrap();
                    let part = piece.of(&tensors);
                    assert_eq!(part.bytes().unwrap(), piece.bytes(&tensors).unwrap());
                    match &piece.rows {
                        Some(rows) => {
                            assert_eq!(rows.start, next[piece.tensor], "{}", whole.name);
                            assert!(part.bytes().unwrap() >= MIN_PIECE);
                            next[piece.tensor] = rows.end;
                        }
                        None => next[piece.tensor] += whole.shape.first().copied().unwrap_or(1),
                    }
                }
            }
            for (tensor, next) in tensors.iter().zip(next) {
                assert_eq!(next, tensor.shape.first().copied().unwrap_or(1), "{} {ranks}", tensor.name);
            }
            let last = tensors.len() - 1;
            let whole = |piece: &Piece| piece.tensor == last && piece.rows.is_none();
            assert_eq!(files.iter().flat_map(|file| &file.pieces).filter(|piece| whole(piece)).count(), 1);
            let (all, largest) = (loads.iter().sum::<u64>(), 16_000_000);
            // A rank may have the largest tensor that is not cut, in addition to the average.
            let bound = all / ranks + largest;
            assert!(*loads.iter().max().unwrap() <= bound, "{ranks}: {loads:?}");
        }
    }

    #[test]
    fn files_of_a_folder_do_not_depend_on_the_ranks() {
        let tensors: Vec<_> = [3, 50, 7, 20, 20, 1].map(|rows| tensor(&[rows, 10], Init::Ones)).into();
        let all = |ranks| hf(&tensors, 1000, ranks).unwrap();
        let names =
            |files: Vec<File>| files.into_iter().map(|file| (file.name, file.pieces)).collect::<Vec<_>>();
        let ranks_of = |ranks| all(ranks).iter().map(|file| file.rank).collect::<Vec<_>>();
        assert_eq!(names(all(1)), names(all(3)));
        assert_eq!(ranks_of(1), [0; 5]);
        // 120, 2000, 280 + 800 > 1000: 280, 800, 800 + 40.
        assert_eq!(all(1).len(), 5);
        assert_eq!(ranks_of(2), [1, 0, 1, 1, 1]);
        assert_eq!(ranks_of(8), [4, 0, 3, 2, 1]);
    }

    #[test]
    fn a_size_limits_the_files_of_each_rank() {
        let tensors: Vec<_> = (0..4).map(|_| tensor(&[64, 1 << 12], Init::Ones)).collect();
        let files = dcp(&tensors, 600_000, 2).unwrap();
        let names: Vec<_> = files.iter().map(|file| (&*file.name, file.rank, file.pieces.len())).collect();
        assert_eq!(names.len(), 8);
        assert_eq!(names[0], ("shard-00001-model-00001-of-00004.safetensors", 0, 1));
        assert_eq!(names[7], ("shard-00002-model-00004-of-00004.safetensors", 1, 1));
        let empty = dcp(&[], 1, 3).unwrap();
        assert_eq!(empty[0].name, "shard-00001-model-00001-of-00001.safetensors");
        assert_eq!(empty.len(), 1);
    }
}
