//! A trial: fills of one buffer, and what the host says about them.

use std::ops::Range;

use crate::dtype::DType;
use crate::error::Error;
use crate::host;
use crate::init::Init;
use crate::key::Key;
use crate::layout::placement::Placement;
use crate::layout::region::Region;
use crate::program::{Content, Destination, FillSpec};

/// The byte that fills a buffer before the fills.
pub(super) const SENTINEL: u8 = 0xA5;

/// The minimum number of sentinel bytes between two fills: two vectors.
const GAP: u64 = 32;
/// The alignment of fills that are not shifted, in bytes.
const ALIGNMENT: u64 = 16;
/// The upper bound of a buffer's size.
const MAX_BYTES: u64 = 1 << 40;

/// The source of elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    /// The raw words of the stream.
    Words,
    /// An initialiser.
    Init(Init),
}

/// A fill.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) placement: Placement<'static>,
    pub(super) source: Source,
    key: Key,
}

impl Job {
    pub(super) fn new(dtype: DType, region: impl Into<Region<'static>>, init: Init, key: Key) -> Self {
        Self::of(dtype, region.into(), Source::Init(init), key)
    }

    pub(super) fn words(region: impl Into<Region<'static>>, key: Key) -> Self {
        Self::of(DType::U32, region.into(), Source::Words, key)
    }

    // The list of trials calls this function a hundred times, and a page downloads the list.
    #[inline(never)]
    fn of(dtype: DType, region: Region<'static>, source: Source, key: Key) -> Self {
        Self { placement: Placement::new(dtype, region), source, key }
    }

    /// A fill of the same elements from this many bytes behind an aligned offset on.
    pub(super) fn shifted(mut self, bytes: u64) -> Self {
        self.placement.offset += bytes;
        self
    }

    /// A fill of the same elements in rows that begin this many bytes after each other.
    pub(super) fn pitched(mut self, bytes: u64) -> Self {
        self.placement.row_pitch = Some(bytes);
        self
    }

    /// The fill for a planner.
    fn spec(&self, size: u64) -> FillSpec<'_> {
        FillSpec {
            name: None,
            destination: Destination { buffer: 0, size, can_clear: true },
            placement: &self.placement,
            content: match &self.source {
                Source::Words => Content::Words,
                Source::Init(init) => Content::Init(init),
            },
            key: self.key,
        }
    }

    /// The bytes of each row in the buffer. Rows without padding are one row.
    pub(super) fn rows(&self) -> Result<impl Iterator<Item = Range<usize>>, Error> {
        let Placement { offset, row_pitch, ref region, dtype } = self.placement;
        let elements = region.element_count()?;
        let row = match row_pitch {
            Some(_) => region.local_shape().last().copied().unwrap_or(1),
            None => elements,
        };
        let (count, pitch) = (elements.checked_div(row).unwrap_or(0), row_pitch.unwrap_or(0));
        let start = move |number: u64| offset + number * pitch;
        Ok((0..count)
            .map(move |number| start(number) as usize..(start(number) + row * dtype.size()) as usize))
    }

    /// Writes what the device should write.
    fn write(&self, memory: &mut [u8]) -> Result<(), Error> {
        let region = &self.placement.region;
        match &self.source {
            Source::Init(init) => host::fill_buffer(memory, &self.placement, init, self.key),
            Source::Words => {
                let mut words = vec![0_u32; region.element_count()? as usize];
                host::fill_words(&mut words, region.clone(), self.key)?;
                let mut rest: &[u8] = bytemuck::cast_slice(&words);
                for row in self.rows()? {
                    let (bytes, after) = rest.split_at(row.len());
                    memory[row].copy_from_slice(bytes);
                    rest = after;
                }
                Ok(())
            }
        }
    }

    /// The fill as text.
    pub(super) fn description(&self) -> String {
        let Placement { ref region, dtype, .. } = self.placement;
        let source = match &self.source {
            Source::Words => "raw words".into(),
            Source::Init(init) => init.to_string(),
        };
        let (whole, local) = (region.shape(), region.local_shape());
        match region.is_part() {
            true => format!("{source} ({dtype}, a part {local:?} of {whole:?})"),
            false => format!("{source} ({dtype}, {whole:?})"),
        }
    }
}

/// The way in which a trial records its fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recording {
    /// Each fill alone, by kernels for a single work item.
    Apart,
    /// All fills in one list, by kernels for many work items.
    Together,
}

/// The single operation that a trial isolates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// Each element is a product, or a sum, rounded once.
    OneOperation,
    /// Each element is a product plus a constant, both rounded.
    TwoOperations,
}

/// A trial: fills of one buffer that do not overlap.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) name: String,
    pub(super) jobs: Vec<Job>,
    pub(super) recording: Recording,
    pub(super) probe: Option<Probe>,
    /// The number of elements that the fills write.
    pub(super) elements: u64,
    /// The first fill that was refused, and not added: a mistake in the list of trials.
    pub(super) error: Option<Error>,
    /// The end of the last fill, in bytes.
    end: u64,
}

impl Trial {
    pub(super) fn new(name: impl Into<String>, recording: Recording) -> Self {
        Self { name: name.into(), jobs: Vec::new(), recording, probe: None, elements: 0, error: None, end: 0 }
    }

    /// Adds a fill behind the others, after a gap.
    pub(super) fn add(&mut self, job: Job) {
        self.place((self.end + GAP).next_multiple_of(ALIGNMENT), job);
    }

    /// Adds a fill that begins where the last one ends.
    pub(super) fn add_next(&mut self, job: Job) {
        self.place(self.end, job);
    }

    // Not inlined, as `Job::of` is not.
    #[inline(never)]
    fn place(&mut self, offset: u64, mut job: Job) {
        job.placement.offset += offset;
        let placed = job.placement.bytes(MAX_BYTES).and_then(|bytes| {
            self.end = bytes.end;
            self.elements += job.placement.region.element_count()?;
            Ok(())
        });
        match placed {
            Ok(()) => self.jobs.push(job),
            Err(error) => drop(self.error.get_or_insert(error)),
        }
    }

    /// The size of the buffer.
    pub(super) fn bytes(&self) -> u64 {
        (self.end + GAP).next_multiple_of(ALIGNMENT)
    }

    /// Whether the fills write raw words.
    pub(super) fn is_of_words(&self) -> bool {
        self.jobs.iter().all(|job| job.source == Source::Words)
    }

    /// The lists of fills, each of which becomes a program.
    pub(super) fn lists(&self) -> Vec<Vec<FillSpec<'_>>> {
        let specs = self.jobs.iter().map(|job| job.spec(self.bytes()));
        match self.recording {
            Recording::Apart => specs.map(|spec| vec![spec]).collect(),
            Recording::Together => vec![specs.collect()],
        }
    }

    /// The bytes that the buffer should have.
    pub(super) fn expected(&self) -> Result<Vec<u8>, Error> {
        let mut memory = vec![SENTINEL; self.bytes() as usize];
        self.jobs.iter().try_for_each(|job| job.write(&mut memory))?;
        Ok(memory)
    }
}
