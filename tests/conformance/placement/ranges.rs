//! Fills of ranges of indices write their own bytes and no others, with and without gaps between rows.

use proptest::prelude::*;
use seedbed::{DType, Init, Key};

use super::shards::{check, size_of};
use crate::Check;
use crate::harness::cases::initialisers_of;
use crate::harness::destinations::{self, Job, Part};
use crate::harness::engines::{Device, USAGE};
use crate::harness::random;
use crate::harness::ranges::{Lists, every, some_ranges};
use crate::harness::shards::TYPES;

pub const CHECKS: &[Check] = &[
    Check::device("memory::random_ranges", random_ranges),
    Check::device("memory::ranges_at_every_offset", every_offset),
    Check::device("memory::ranges_at_once", at_once),
];

const KEY: Key = Key { seed: 0x5A4D_ED00, offset: u64::MAX - 700 };
const NORMAL: Init = Init::normal(0.0, 0.02);

fn ranges_of(shape: &[u64], lists: Lists, dtype: DType, init: Init) -> Job {
    let (shape, part) = (shape.to_vec(), Part::Ranges(lists));
    Job { shape, part, dtype, init, key: KEY, name: None, buffer: 0, offset: 0, pitch: None }
}

fn random_ranges(device: &Device) {
    let destination = (0..70_u64, prop::option::of(0..12_u64));
    let ranges = some_ranges(9000, initialisers_of);
    random::cases(60, (ranges, destination), |((shape, lists, dtype, init, key), (offset, padding))| {
        let mut job = Job { key, offset: offset * dtype.size(), ..ranges_of(&shape, lists, dtype, init) };
        let row = job.region().local_shape().last().copied().unwrap_or(1);
        job.pitch = padding.map(|padding| (row + padding) * dtype.size());
        check(device, job);
    });
}

/// Rows and runs begin at any index in a block and at any offset in the buffer; two of 16 bits share a word.
fn every_offset(device: &Device) {
    for (i, dtype) in (0..).zip(TYPES) {
        for offset in [0, 1, 2, 3, 4, 5, 7, 8] {
            for (j, list) in
                [vec![0..1, 2..5, 9..10], every(4, i, 3, 23), vec![8..16, 0..4, 4..7], vec![3..6; 4]]
                    .into_iter()
                    .enumerate()
            {
                let mut job = ranges_of(&[9, 23], vec![vec![0..2, 7..8, 3..5], list], dtype, NORMAL);
                job.offset = offset * dtype.size();
                check(device, job.clone());
                let row = job.region().local_shape()[1];
                job.pitch = Some((row + [1, 2, 9, 0][j]) * dtype.size());
                check(device, job);
            }
        }
    }
}

/// Several parts of one tensor in one list: ranges that none of them shares with another, by the tensor's name.
fn at_once(device: &Device) {
    let shape = [1200, 36];
    for dtype in TYPES {
        for init in [NORMAL, Init::Zeros, Init::orthogonal()] {
            let mut end = 3;
            let jobs: Vec<Job> = (0..3)
                .flat_map(|rank| [(rank, every(2, 0, 1, 36)), (rank, every(2, 1, 1, 36))])
                .map(|(rank, columns)| {
                    let mut job = ranges_of(&shape, vec![every(12, 4 * rank, 4, 1200), columns], dtype, init);
                    job.name = (dtype != DType::U32).then(|| "weight".into());
                    job.offset = u64::next_multiple_of(end, dtype.size());
                    end = size_of(&job) - 15;
                    job
                })
                .collect();
            let whole = jobs[0].whole();
            let spec = [(end.next_multiple_of(4) + 16, USAGE)];
            destinations::check(device, &spec, &jobs, |job| job.take(&whole));
        }
    }
}
