//! Cases of destinations: fills that go to parts of buffers. A simulation says, byte by byte, what the
//! buffers hold afterwards; its values come from the host's fill of the whole tensor.

use std::ops::Range;

use seedbed::program::Placement;
use seedbed::wgpu::{Buffer, BufferUsages, CommandEncoder};
use seedbed::{DType, Error, Fill, FillRecorder, Init, Key, Region, TensorView, host};

use super::assertions::{assert_same_halves, assert_same_words, collect};
use super::engines::{Device, Engine, SENTINEL};
use super::ranges::{self, Lists};
use super::shards::Shard;

/// The part of a tensor that is filled.
#[derive(Clone, Debug)]
pub enum Part {
    Whole,
    Elements(Range<u64>),
    Shard(Shard),
    Ranges(Lists),
}

/// A fill and its destination. With the type u32 it is a fill of raw words.
#[derive(Clone, Debug)]
pub struct Job {
    pub shape: Vec<u64>,
    pub part: Part,
    pub dtype: DType,
    pub init: Init,
    /// The tensor's key, or the model's key if the tensor has a name.
    pub key: Key,
    pub name: Option<String>,
    /// The index of the buffer.
    pub buffer: usize,
    pub offset: u64,
    /// The row pitch in bytes.
    pub pitch: Option<u64>,
}

impl Job {
    pub fn region(&self) -> Region<'_> {
        let whole = Region::from(&self.shape);
        match &self.part {
            Part::Whole => whole,
            Part::Elements(elements) => whole.elements(elements.clone()),
            Part::Shard(Shard { start, shape }) => whole.shard(start, shape),
            Part::Ranges(lists) => whole.ranges(lists.clone()),
        }
    }

    /// The place in the buffer.
    pub fn placement(&self) -> Placement<'_> {
        let Self { offset, pitch, .. } = *self;
        Placement { offset, row_pitch: pitch, ..Placement::new(self.dtype, self.region()) }
    }

    fn tensor<'a>(&'a self, buffers: &'a [Buffer]) -> TensorView<'a> {
        TensorView::from_placement(&buffers[self.buffer], self.placement())
    }

    pub fn stream(&self) -> Key {
        match &self.name {
            Some(name) => self.key.named(name),
            None => self.key,
        }
    }

    pub fn to_fill<'a>(&'a self, buffers: &'a [Buffer]) -> Fill<'a> {
        match &self.name {
            Some(name) => Fill::named(name, self.tensor(buffers), self.init, self.key),
            None => Fill::new(self.tensor(buffers), self.init, self.key),
        }
    }

    pub fn record(
        &self,
        device: &Device,
        encoder: &mut CommandEncoder,
        buffers: &[Buffer],
    ) -> Result<(), Error> {
        self.record_by(&device.recorder, encoder, buffers)
    }

    pub fn record_by(
        &self,
        recorder: &FillRecorder,
        encoder: &mut CommandEncoder,
        buffers: &[Buffer],
    ) -> Result<(), Error> {
        let tensor = self.tensor(buffers);
        match self.dtype {
            DType::U32 => recorder.fill_words(encoder, &tensor, self.stream()),
            _ => recorder.fill(encoder, &tensor, &self.init, self.stream()),
        }
    }

    /// The elements of the whole tensor.
    pub fn whole(&self) -> Vec<u8> {
        bytes_of(&Engine::Host, self.dtype, Region::from(&self.shape), &self.init, self.stream())
    }

    /// The job's part of the whole tensor's elements.
    pub fn take(&self, whole: &[u8]) -> Vec<u8> {
        let size = self.dtype.size();
        match &self.part {
            Part::Whole => whole.to_vec(),
            Part::Elements(range) => {
                whole[(range.start * size) as usize..(range.end * size) as usize].to_vec()
            }
            Part::Shard(shard) => shard.take(whole, size, &self.shape),
            Part::Ranges(lists) => ranges::take(lists, whole, size, &self.shape),
        }
    }

    /// Writes the job's elements to their bytes of the buffer.
    pub fn put(&self, values: &[u8], bytes: &mut [u8]) {
        let region = self.region();
        let row = region.local_shape().last().copied().unwrap_or(1) * self.dtype.size();
        if row == 0 {
            return;
        }
        let pitch = self.pitch.unwrap_or(row);
        for (i, values) in values.chunks(row as usize).enumerate() {
            bytes[(self.offset + i as u64 * pitch) as usize..][..values.len()].copy_from_slice(values);
        }
    }
}

/// The bytes of a filled region. With the type u32 they are raw words.
pub fn bytes_of(engine: &Engine, dtype: DType, region: Region<'_>, init: &Init, key: Key) -> Vec<u8> {
    match dtype {
        DType::U32 => bytemuck::pod_collect_to_vec(&engine.words(region, key)),
        _ => engine.fill_bytes(dtype, region, init, key),
    }
}

/// The size of a buffer in bytes, a multiple of 4, and its usages.
pub type BufferSpec = (u64, BufferUsages);

pub fn buffers(device: &Device, specs: &[BufferSpec]) -> Vec<Buffer> {
    specs.iter().map(|&(size, usage)| device.sentinel_buffer(size, usage)).collect()
}

/// The bytes of the buffers after all jobs, done one after the other.
pub fn simulate(specs: &[BufferSpec], jobs: &[Job], values: impl Fn(&Job) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut bytes: Vec<_> = specs.iter().map(|&(size, _)| vec![SENTINEL; size as usize]).collect();
    for job in jobs {
        job.put(&values(job), &mut bytes[job.buffer]);
    }
    bytes
}

pub fn assert_buffers(device: &Device, buffers: &[Buffer], expected: &[Vec<u8>], what: impl std::fmt::Debug) {
    for (number, (buffer, expected)) in buffers.iter().zip(expected).enumerate() {
        let actual = device.read(buffer);
        if actual == *expected {
            continue;
        }
        let what = (&what, "buffer", number);
        // If one half of a word is right, a message about halves says more than one about words.
        let half = |words: &(&u32, &u32)| (words.0 ^ words.1) & 0xFFFF == 0 || (words.0 ^ words.1) >> 16 == 0;
        let [actual_words, expected_words] = [&actual, expected].map(|bytes| collect::<u32>(bytes));
        if actual_words.iter().zip(&expected_words).filter(|(a, e)| a != e).any(|pair| half(&pair)) {
            assert_same_halves(&collect(&actual), &collect(expected), what);
        }
        assert_same_words(&actual_words, &expected_words, what);
    }
}

/// Records the jobs one after the other, and then all of them as one list. Either way the buffers hold what
/// the host says, and the sentinel in all other bytes; so does memory that the same list fills on the host. A
/// list can not fill raw words, so jobs with raw words are only recorded one after the other.
pub fn check(device: &Device, specs: &[BufferSpec], jobs: &[Job], values: impl Fn(&Job) -> Vec<u8>) {
    let expected = simulate(specs, jobs, values);
    let one_by_one = buffers(device, specs);
    device
        .submit(|encoder| jobs.iter().try_for_each(|job| job.record(device, encoder, &one_by_one)))
        .expect("fills that are right");
    assert_buffers(device, &one_by_one, &expected, "one by one");
    if jobs.iter().all(|job| job.dtype != DType::U32) {
        let at_once = buffers(device, specs);
        let fills: Vec<Fill<'_>> = jobs.iter().map(|job| job.to_fill(&at_once)).collect();
        device.submit(|encoder| device.recorder.fill_all(encoder, &fills)).expect("fills that are right");
        assert_buffers(device, &at_once, &expected, "all at once");
        let mut memory: Vec<_> = specs.iter().map(|&(size, _)| vec![SENTINEL; size as usize]).collect();
        for fill in &fills {
            let number = at_once.iter().position(|buffer| buffer == fill.tensor().buffer());
            let bytes = &mut memory[number.expect("one of the buffers")];
            host::fill_buffer(bytes, fill.tensor().placement(), fill.init(), fill.key())
                .expect("a right fill");
        }
        assert!(memory == expected, "the host's memory differs: {jobs:?}");
    }
}
