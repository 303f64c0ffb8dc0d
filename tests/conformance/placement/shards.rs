//! Fills of shards write their own bytes and no others, with and without gaps between rows.

use proptest::prelude::*;
use seedbed::{DType, Init, Key};

use crate::Check;
use crate::harness::assertions::assert_only;
use crate::harness::cases::initialisers_of;
use crate::harness::destinations::{Job, Part};
use crate::harness::engines::{Device, USAGE};
use crate::harness::shards::{FAR, Shard, TYPES, cut_up, rows_of, rows_on_the_host};
use crate::harness::{destinations, random};
use crate::reference::half::ALL;

pub const CHECKS: &[Check] = &[
    Check::device("memory::random_shards", random_shards),
    Check::device("memory::shards_at_every_offset", every_offset),
    Check::device("memory::shards_without_elements", no_elements),
    Check::device("memory::row_pitch", row_pitch),
    Check::device("memory::far_shards_at_once", far_shards_at_once),
];

const KEY: Key = Key { seed: 0x5A4D_ED00, offset: u64::MAX - 700 };
const NORMAL: Init = Init::normal(0.0, 0.02);

/// Fills all shards of a tensor in one buffer, in any order. First the shards lie one after the other, with
/// or without gaps between rows; then they are sub-views of the whole tensor.
pub fn check_random_shards(device: &Device, count: u32, initialisers: fn(&[u64]) -> Vec<Init>) {
    let destination = (0..70_u64, prop::option::of(0..12_u64), any::<u64>());
    random::cases(
        count,
        (cut_up(initialisers), destination),
        |((mesh, dtype, init, key), (offset, padding, order))| {
            let size = dtype.size();
            let job = |shape: &[u64], shard, offset, pitch| Job {
                shape: shape.to_vec(),
                part: Part::Shard(shard),
                dtype,
                init,
                key,
                name: None,
                buffer: 0,
                offset,
                pitch,
            };
            let check = |mut jobs: Vec<Job>, end: u64| {
                let whole = jobs[0].whole();
                jobs.sort_by_cached_key(|job| Key::new(order).fold_in(job.offset).seed);
                // Shards without elements may begin after the end of all others.
                let end = jobs.iter().map(|job| job.offset).fold(end, u64::max);
                destinations::check(device, &[(end.next_multiple_of(4) + 8, USAGE)], &jobs, |job| {
                    job.take(&whole)
                });
            };

            let mut at = size * offset;
            let side_by_side = mesh.shards().into_iter().map(|shard| {
                let row = shard.shape.last().copied().unwrap_or(1);
                let rows = shard.shape.iter().rev().skip(1).product::<u64>();
                let pitch = row + padding.unwrap_or(0);
                let job = job(&mesh.shape, shard, at, padding.map(|_| size * pitch));
                if rows * row > 0 {
                    at += size * ((rows - 1) * pitch + row);
                }
                job
            });
            let side_by_side = side_by_side.collect();
            check(side_by_side, at);

            let mesh = mesh.of_rows_and_columns();
            let row = mesh.shape.last().copied().unwrap_or(1);
            let rows = mesh.shape.iter().rev().skip(1).product::<u64>();
            let pitch = row + padding.unwrap_or(0);
            let rows_of_an_index = mesh.shape.iter().skip(1).rev().skip(1).product::<u64>();
            let in_place = mesh.shards().into_iter().map(|shard| {
                let [first, .., column] = shard.start[..] else {
                    let column = shard.start.first().copied().unwrap_or(0);
                    return job(&mesh.shape, shard, size * (offset + column), Some(size * pitch));
                };
                let at = offset + first * rows_of_an_index * pitch + column;
                job(&mesh.shape, shard, size * at, Some(size * pitch))
            });
            check(in_place.collect(), size * (offset + rows * pitch));
        },
    );
}

fn random_shards(device: &Device) {
    check_random_shards(device, 90, initialisers_of);
}

/// Shards far from the beginning of their tensors lie side by side in one buffer, some with gaps between
/// rows.
fn far_shards_at_once(device: &Device) {
    let mut end = 2;
    let jobs: Vec<Job> = (0..2 * FAR.len())
        .map(|i| {
            let (shape, start, local) = FAR[i % FAR.len()];
            let dtype = TYPES[i % 5 % 3];
            let init = [NORMAL, Init::uniform(-1.0, 3.0), Init::Ones][i % 3];
            let mut job = shard_of(shape, start, local, dtype, init);
            job.key.offset = (rows_of(shape, start, local)[0].start / 4).wrapping_neg() - (i as u64 % 2);
            job.pitch = (i % 4 != 0).then(|| (local[local.len() - 1] + i as u64) * dtype.size());
            job.offset = u64::next_multiple_of(end, dtype.size());
            end = size_of(&job) - 16;
            job
        })
        .collect();
    destinations::check(device, &[(end + 16, USAGE)], &jobs, |job| {
        let Part::Shard(Shard { start, shape }) = &job.part else { unreachable!("all are shards") };
        let rows = rows_of(&job.shape, start, shape);
        rows_on_the_host(&job.shape, &rows, job.dtype, &job.init, job.key)
    });
}

pub fn shard_of(shape: &[u64], start: &[u64], local: &[u64], dtype: DType, init: Init) -> Job {
    let part = Part::Shard(Shard { start: start.to_vec(), shape: local.to_vec() });
    let shape = shape.to_vec();
    Job { shape, part, dtype, init, key: KEY, name: None, buffer: 0, offset: 0, pitch: None }
}

/// The size of a buffer that holds the job and a few words after it.
pub fn size_of(job: &Job) -> u64 {
    let region = job.region();
    let local = region.local_shape();
    let row = local.last().copied().unwrap_or(1) * job.dtype.size();
    let rows: u64 = local.iter().rev().skip(1).product();
    (job.offset + rows * row.max(job.pitch.unwrap_or(0))).next_multiple_of(4) + 16
}

pub fn check(device: &Device, job: Job) {
    destinations::check(device, &[(size_of(&job), USAGE)], &[job], |job| job.take(&job.whole()));
}

/// The first element of a row has any index in a block and any offset in the buffer. Gaps need not be whole
/// words.
fn every_offset(device: &Device) {
    for (i, dtype) in (0..).zip(TYPES) {
        for (j, offset) in [0, 1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 127].into_iter().enumerate() {
            for (k, start) in [0, 1, 2, 3, 5].into_iter().enumerate() {
                for (l, len) in [1, 2, 3, 4, 7, 16].into_iter().enumerate() {
                    if (i + j + 2 * k + l) % 5 != 0 {
                        continue;
                    }
                    let width = [23, 24][(j + l) % 2];
                    let mut job = shard_of(&[9, width], &[1, start], &[7, len], dtype, NORMAL);
                    job.offset = offset * dtype.size();
                    check(device, job.clone());
                    job.pitch = Some((len + [0, 1, 2, 9][(k + l) % 4]) * dtype.size());
                    check(device, job);
                }
            }
        }
    }
}

/// Whole tensors and contiguous parts have rows too: a part is one row, and a scalar is a row of one element.
/// No gap is needed after the last row.
fn row_pitch(device: &Device) {
    for dtype in ALL {
        for init in [NORMAL, Init::Zeros, Init::Ones, Init::uniform(0.0, 1.0)] {
            let size = dtype.size();
            let whole = |shape: &[u64], part| Job {
                part,
                offset: 3 * size,
                ..shard_of(shape, &[], &[], dtype, init)
            };
            for (mut job, pitch) in [
                (whole(&[64, 100], Part::Whole), 128),
                (whole(&[64, 100], Part::Whole), 101),
                (whole(&[64, 100], Part::Whole), 100),
                (whole(&[3, 5, 7], Part::Whole), 9),
                (whole(&[5, 1], Part::Whole), 5000),
                (whole(&[5], Part::Whole), 6),
                (whole(&[], Part::Whole), 3),
                (whole(&[20, 20], Part::Elements(7..300)), 293),
                (shard_of(&[2000, 3], &[1, 1], &[1999, 1], dtype, init), 2),
                (shard_of(&[4, 3000], &[1, 5], &[3, 2500], dtype, init), 2600),
            ] {
                job.pitch = Some(pitch * size);
                check(device, job.clone());
                // The buffer is just large enough. The pitch of a single row does not matter.
                let region = job.region();
                let rows: u64 = region.local_shape().iter().rev().skip(1).product();
                let row = region.local_shape().last().copied().unwrap_or(1);
                let end = job.offset + size * ((rows - 1) * pitch + row);
                let spec = (end.next_multiple_of(4), USAGE);
                destinations::check(device, &[spec], std::slice::from_ref(&job), |job| {
                    job.take(&job.whole())
                });
                if rows == 1 {
                    let job = Job { pitch: Some(1 << 62), ..job.clone() };
                    destinations::check(device, &[spec], &[job], |job| job.take(&job.whole()));
                }
            }
        }
    }
}

/// A shard without elements may begin at the end of its tensor, and lie at the end of its buffer.
fn no_elements(device: &Device) {
    let buffer = device.sentinel_buffer(64, USAGE);
    for (shape, start, local) in [
        (&[5][..], &[5][..], &[0][..]),
        (&[4, 6], &[4, 6], &[0, 0]),
        (&[4, 6], &[1, 2], &[0, 3]),
        (&[4, 6], &[1, 2], &[3, 0]),
        (&[4, 6, 3], &[1, 2, 0], &[3, 0, 2]),
        (&[4, 0, 3], &[1, 0, 0], &[3, 0, 2]),
        (&[1 << 30, 1 << 30], &[0, 1 << 30], &[1 << 30, 0]),
    ] {
        for dtype in TYPES {
            for init in [NORMAL, Init::Zeros] {
                device
                    .submit(|encoder| {
                        for offset in [0, 12, 64] {
                            for pitch in [None, Some(400)] {
                                let mut job = shard_of(shape, start, local, dtype, init);
                                (job.offset, job.pitch) = (offset, pitch);
                                let buffers = std::slice::from_ref(&buffer);
                                job.record(device, encoder, buffers)?;
                                if dtype != DType::U32 {
                                    device.recorder.fill_all(encoder, &[job.to_fill(buffers)])?;
                                }
                            }
                        }
                        Ok::<(), seedbed::Error>(())
                    })
                    .unwrap_or_else(|error| panic!("{shape:?} {start:?} {local:?} {dtype}: {error}"));
            }
        }
    }
    assert_only(&device.read(&buffer), &[], "no elements");
}
