//! The measurement of the host, on all cores.

use std::time::Instant;

use seedbed::{DType, host};

use super::cases::{Case, KEY, Work, bytes_of, shape};
use super::report::{EngineReport, Row};
use super::sample::{Seconds, repeat};

pub(super) fn measure(elements: u64, cases: &[Case]) -> anyhow::Result<EngineReport> {
    let (mut memory, threads) = (memory(elements)?, threads());
    let mut rows = Vec::new();
    let memset = Case { name: "memset", work: Work::Memset, dtype: DType::F32 };
    // The host has no other functions than the portable ones.
    let cases = cases.iter().filter(|case| !matches!(case.work, Work::Native(_)));
    for case in cases.chain([&memset]) {
        let times = repeat(|| {
            let start = Instant::now();
            once(&mut memory, case, elements, threads)?;
            Ok(start.elapsed().as_secs_f64())
        })?;
        rows.push(Row::new(case, elements, Seconds::of(times), None));
    }
    Ok(EngineReport::new("host".into(), format!("{threads} threads"), None, rows))
}

/// Allocates one word per element, and writes each once.
pub fn memory(elements: u64) -> anyhow::Result<Vec<u32>> {
    let bytes = bytes_of(elements, usize::MAX as u64 / 2, "memory")?;
    let mut memory = Vec::new();
    memory
        .try_reserve_exact(elements as usize)
        .map_err(|_| anyhow::anyhow!("no memory for {bytes} bytes; give fewer --elements"))?;
    memory.resize(elements as usize, 0);
    Ok(memory)
}

/// The number of threads that the host engine uses.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Sets all bytes, on as many threads as have something to do.
pub fn memset(memory: &mut [u32], byte: u8, threads: usize) {
    /// The words of a thread, at least: fewer are written sooner than a thread starts.
    const MIN: usize = 1 << 16;
    let part = memory.len().div_ceil(threads).max(MIN);
    let set = |part: &mut [u32]| bytemuck::cast_slice_mut::<_, u8>(part).fill(byte);
    if memory.len() <= part {
        return set(memory);
    }
    std::thread::scope(|scope| {
        for part in memory.chunks_mut(part) {
            scope.spawn(|| set(part));
        }
    });
}

fn once(memory: &mut [u32], case: &Case, elements: u64, threads: usize) -> Result<(), seedbed::Error> {
    let shape = shape(elements);
    match case.work {
        Work::Clear => {
            memset(memory, 0, threads);
            Ok(())
        }
        Work::Memset => {
            memset(memory, 0x3F, threads);
            Ok(())
        }
        Work::Words => host::fill_words(memory, shape, KEY),
        Work::Fill(init) | Work::Native(init) => {
            let bytes = &mut bytemuck::cast_slice_mut(memory)[..(elements * case.dtype.size()) as usize];
            host::fill_bytes(bytes, case.dtype, shape, &init, KEY)
        }
    }
}
