//! Endless streams of words, for other programs' tests of randomness.
//!
//! A stream is written in pieces. A piece consists of rows of equal length, each a part of one key's words: one row,
//! a row for each name, or a row for each number that is folded in. The rows are computed one after the other in
//! memory, by the host or by an adapter, and then arranged.

use std::io::{ErrorKind, Write};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use pollster::block_on;
use rayon::prelude::*;
use seedbed::gpu::{Gpu, Readback, pick};
use seedbed::host::{self, PhiloxRng};
use seedbed::program::{Content, Destination, FillSpec, Placement};
use seedbed::rand_core::Rng;
use seedbed::{DType, FillRecorder, Key, Region, wgpu};

/// The arguments of `seedbed-proof words`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Which words
    #[arg(long, value_enum)]
    stream: Stream,
    /// The seed of the key
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// `host`, or an adapter whose name contains this text, in any case
    #[arg(long, default_value = "host")]
    adapter: String,
    /// The words of the stream that are left out before the first: a multiple of 2^22
    #[arg(long, default_value_t = 0)]
    skip: u64,
    /// The number of words that are written at least; without it the stream has no end
    #[arg(long)]
    count: Option<u64>,
    /// Makes the words bad, to show that tests notice: Philox of fewer than ten rounds. Zero rounds give counters
    #[arg(long, value_name = "ROUNDS", hide = true)]
    control: Option<u32>,
}

/// A stream of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stream {
    /// The words of one key
    One,
    /// The words of 4,096 keys, named `layer.0.weight` and so on: the first word of each, the second of each, …
    Named,
    /// Four words, which are one block, of each key that folding in 0, 1, 2, … gives
    FoldIn,
    /// The low halves of the words of one key, two to a word
    Halves,
}

/// The number of names of [`Stream::Named`].
const NAMES: u64 = 4096;
/// The words of each key of [`Stream::FoldIn`].
const FOLDED: u64 = 4;
/// The words of one piece on an adapter, before they are arranged. The sizes of pieces change no word of a stream.
const ADAPTER_PIECE: u64 = 1 << 22;
/// The same on the host: few enough for a cache.
const HOST_PIECE: u64 = 1 << 16;
/// The same on the host for many rows, which several threads compute.
const HOST_ROWS_PIECE: u64 = 1 << 20;
/// The length of a key's stream, as far as regions reach.
const STREAM: u64 = 1 << 60;

/// Writes the stream until nobody reads it.
///
/// # Errors
/// No adapter, a failure of an adapter, or a failure to write that is not a closed pipe.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { stream, seed, skip, count, control, .. } = *arguments;
    let on_host = arguments.adapter == "host";
    ensure!(
        on_host || stream != Stream::FoldIn,
        "a plan of so many fills is too large: the host alone folds in"
    );
    ensure!(on_host || control.is_none(), "the host alone makes bad words");
    ensure!(control.is_none_or(|rounds| rounds <= 10), "--control takes 0 to 10 rounds");
    let rows = match (on_host, stream) {
        (false, _) => Rows::new(stream, seed, ADAPTER_PIECE),
        (true, Stream::One | Stream::Halves) => Rows::new(stream, seed, HOST_PIECE),
        (true, Stream::Named | Stream::FoldIn) => Rows::new(stream, seed, HOST_ROWS_PIECE),
    };
    ensure!(
        skip.is_multiple_of(ADAPTER_PIECE) && skip < STREAM / 4,
        "--skip takes a multiple of 2^22 below 2^58"
    );
    let first = skip / rows.written();
    let pieces = match count {
        Some(count) => first..first + count.div_ceil(rows.written()),
        None => first..u64::MAX,
    };
    let mut arranged = Vec::new();
    let mut output = std::io::stdout().lock();
    let mut write = |words: &[u32]| match output.write_all(rows.arranged(words, &mut arranged)) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(anyhow::Error::from(error)),
        Ok(()) => Ok(true),
    };
    if !on_host {
        return Adapter::open(&arguments.adapter, &rows)?.each(pieces, write);
    }
    let mut words = vec![0; rows.words() as usize];
    for piece in pieces {
        match control {
            Some(rounds) => rows.bad(piece, rounds, &mut words),
            None => rows.fill(piece, &mut words)?,
        }
        if !write(&words)? {
            break;
        }
    }
    Ok(())
}

/// The rows of a stream's pieces.
struct Rows {
    stream: Stream,
    key: Key,
    /// The key of each row, if all pieces have the same.
    keys: Vec<Key>,
    count: u64,
    len: u64,
}

impl Rows {
    fn new(stream: Stream, seed: u64, words: u64) -> Self {
        let key = Key::new(seed);
        let (keys, count) = match stream {
            Stream::One | Stream::Halves => (vec![key], 1),
            Stream::Named => ((0..NAMES).map(|i| key.named(&format!("layer.{i}.weight"))).collect(), NAMES),
            Stream::FoldIn => (Vec::new(), words / FOLDED),
        };
        Self { stream, key, keys, count, len: words / count }
    }

    /// The words of a piece before they are arranged.
    fn words(&self) -> u64 {
        self.count * self.len
    }

    /// The words of a piece that are written.
    fn written(&self) -> u64 {
        if self.stream == Stream::Halves { self.words() / 2 } else { self.words() }
    }

    /// The key of a row, and the row's first word in that key's stream.
    fn row(&self, piece: u64, row: u64) -> (Key, u64) {
        match self.keys.get(row as usize) {
            Some(key) => (*key, piece * self.len),
            None => (self.key.fold_in(piece * self.count + row), 0),
        }
    }

    /// The part of a key's stream that begins at this word.
    fn region(&self, first: u64) -> Region<'static> {
        Region::new([STREAM]).elements(first..first + self.len)
    }

    /// Computes the rows of a piece on the host.
    fn fill(&self, piece: u64, words: &mut [u32]) -> Result<(), seedbed::Error> {
        let fill = |(row, words): (usize, &mut [u32])| {
            let (key, first) = self.row(piece, row as u64);
            if self.stream == Stream::FoldIn {
                // A fill takes longer to begin than one block takes.
                let mut rng = PhiloxRng::new(key);
                words.fill_with(|| rng.next_u32());
                return Ok(());
            }
            host::fill_words(words, self.region(first), key)
        };
        if self.count == 1 {
            return fill((0, words));
        }
        words.par_chunks_mut(self.len as usize).enumerate().with_min_len(64).try_for_each(fill)
    }

    /// Computes the rows of a piece by Philox of too few rounds.
    fn bad(&self, piece: u64, rounds: u32, words: &mut [u32]) {
        let block = |key: Key, block: u64| philox(rounds, key.offset.wrapping_add(block), key.seed);
        for (row, words) in words.chunks_exact_mut(self.len as usize).enumerate() {
            let (mut key, first) = self.row(piece, row as u64);
            if self.stream == Stream::FoldIn {
                let [a, b, c, d] = block(self.key, piece * self.count + row as u64).map(u64::from);
                key = Key { seed: a | b << 32, offset: c | d << 32 };
            }
            for (i, words) in words.chunks_exact_mut(4).enumerate() {
                words.copy_from_slice(&block(key, first / 4 + i as u64));
            }
        }
    }

    /// The bytes that the stream has for the words of a piece.
    fn arranged<'a>(&self, words: &'a [u32], arranged: &'a mut Vec<u32>) -> &'a [u8] {
        arranged.clear();
        match self.stream {
            Stream::One | Stream::FoldIn if cfg!(target_endian = "little") => {
                return bytemuck::cast_slice(words);
            }
            Stream::One | Stream::FoldIn => arranged.extend_from_slice(words),
            Stream::Halves => {
                arranged.extend(words.chunks_exact(2).map(|pair| pair[0] & 0xFFFF | pair[1] << 16));
            }
            Stream::Named => transpose(words, self.len as usize, arranged),
        }
        arranged.iter_mut().for_each(|word| *word = word.to_le());
        bytemuck::cast_slice(arranged)
    }
}

/// Writes the columns of the rows of this length one after the other. The number of rows is a multiple of 64.
fn transpose(words: &[u32], len: usize, columns: &mut Vec<u32>) {
    let count = words.len() / len;
    columns.resize(words.len(), 0);
    // Tiles, whose lines stay in the cache.
    for rows in (0..count).step_by(64) {
        for column in 0..len {
            let to = &mut columns[column * count + rows..][..64];
            for (row, to) in to.iter_mut().enumerate() {
                *to = words[(rows + row) * len + column];
            }
        }
    }
}

/// Philox4x32 of any number of rounds.
fn philox(rounds: u32, counter: u64, key: u64) -> [u32; 4] {
    let mut x = [counter as u32, (counter >> 32) as u32, 0, 0];
    let mut k = [key as u32, (key >> 32) as u32];
    for _ in 0..rounds {
        let a = u64::from(x[0]) * 0xD251_1F53;
        let b = u64::from(x[2]) * 0xCD9E_8D57;
        x = [(b >> 32) as u32 ^ x[1] ^ k[0], b as u32, (a >> 32) as u32 ^ x[3] ^ k[1], a as u32];
        k = [k[0].wrapping_add(0x9E37_79B9), k[1].wrapping_add(0xBB67_AE85)];
    }
    x
}

/// An adapter that computes pieces: one while the piece before it is written.
struct Adapter<'a> {
    rows: &'a Rows,
    gpu: Gpu,
    recorder: FillRecorder,
    buffer: wgpu::Buffer,
}

impl<'a> Adapter<'a> {
    fn open(name: &str, rows: &'a Rows) -> Result<Self> {
        let adapter = block_on(pick(&wgpu::Instance::default(), Some(name)))?;
        let gpu = block_on(Gpu::open(&adapter))?;
        let (recorder, buffer) = (FillRecorder::new(&gpu.device), gpu.storage_buffer(rows.words() * 4));
        Ok(Self { rows, gpu, recorder, buffer })
    }

    /// Calls `write` with the words of each piece, until it returns false.
    fn each(
        &self,
        pieces: impl Iterator<Item = u64>,
        mut write: impl FnMut(&[u32]) -> Result<bool>,
    ) -> Result<()> {
        let mut free = Readback::new(&self.gpu, self.buffer.size());
        let mut busy: Option<Readback> = None;
        for piece in pieces {
            self.begin(piece, &mut free)?;
            free = match busy.replace(free) {
                None => Readback::new(&self.gpu, self.buffer.size()),
                Some(mut last) => {
                    if !block_on(last.read(|bytes| write(bytemuck::cast_slice(bytes))))?? {
                        return Ok(());
                    }
                    last
                }
            };
        }
        if let Some(mut last) = busy {
            block_on(last.read(|bytes| write(bytemuck::cast_slice(bytes))))??;
        }
        Ok(())
    }

    /// Submits the fills of a piece, and the copy that the readback reads.
    fn begin(&self, piece: u64, readback: &mut Readback) -> Result<()> {
        let Self { rows, gpu, recorder, buffer } = self;
        let fills: Vec<_> = (0..rows.count)
            .map(|row| {
                let (key, first) = rows.row(piece, row);
                let offset = row * rows.len * 4;
                (key, Placement { offset, ..Placement::new(DType::U32, rows.region(first)) })
            })
            .collect();
        let destination = Destination { buffer: 0, size: buffer.size(), can_clear: true };
        let spec =
            |(key, placement)| FillSpec { name: None, destination, placement, content: Content::Words, key };
        let specs: Vec<_> = fills.iter().map(|(key, placement)| spec((*key, placement))).collect();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        recorder.replay(&mut encoder, &recorder.planner().plan(&specs)?, &[buffer])?;
        readback.record(&mut encoder, buffer, 0..buffer.size());
        gpu.queue.submit([encoder.finish()]);
        readback.map();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words that are written for pieces of this size.
    fn written(stream: Stream, piece: u64, pieces: u64) -> Vec<u32> {
        let rows = Rows::new(stream, 5, piece);
        let (mut words, mut arranged, mut all) = (vec![0; piece as usize], Vec::new(), Vec::new());
        for piece in 0..pieces {
            rows.fill(piece, &mut words).unwrap();
            all.extend_from_slice(bytemuck::cast_slice(rows.arranged(&words, &mut arranged)));
        }
        all
    }

    #[test]
    fn streams_are_the_words_of_their_keys_whatever_the_pieces_are() {
        let key = Key::new(5);
        let words = |key: Key, count: u64| {
            let mut words = vec![0; count as usize];
            host::fill_words(&mut words, [count], key).unwrap();
            words
        };
        let (large, pieces) = (1 << 15, 2);
        let all = large * pieces;
        let one = words(key, all);
        let expected = |stream| match stream {
            Stream::One => one.clone(),
            Stream::Halves => one.chunks(2).map(|pair| pair[0] & 0xFFFF | (pair[1] & 0xFFFF) << 16).collect(),
            Stream::FoldIn => key.split(all / 4).flat_map(|key| words(key, 4)).collect(),
            Stream::Named => {
                let names = (0..4096).map(|i| words(key.named(&format!("layer.{i}.weight")), all / 4096));
                let names: Vec<_> = names.collect();
                (0..all as usize).map(|i| names[i % 4096][i / 4096]).collect()
            }
        };
        for &stream in Stream::value_variants() {
            assert!(written(stream, large, pieces) == expected(stream), "{stream:?}");
            assert!(written(stream, large / 2, pieces * 2) == expected(stream), "{stream:?}");
        }
    }

    #[test]
    fn ten_rounds_are_good_words() {
        for stream in [Stream::One, Stream::FoldIn] {
            let rows = Rows::new(stream, 7, 1 << 12);
            let [mut good, mut bad, mut worse] = [(); 3].map(|()| vec![0; 1 << 12]);
            rows.fill(3, &mut good).unwrap();
            rows.bad(3, 10, &mut bad);
            rows.bad(3, 9, &mut worse);
            assert!(good == bad && good != worse);
        }
    }
}
