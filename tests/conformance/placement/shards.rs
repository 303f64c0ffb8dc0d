//! Shards: boxes of a tensor, as meshes of devices cut them, with and without gaps between their rows.

use proptest::prelude::*;
use seedbed::{DType, Init, Kaiming, Key, Region, VarianceScaling};

use crate::Check;
use crate::harness::destinations::{self, Job, Part, Shard, bytes_of};
use crate::harness::engines::{Device, Engine, USAGE};
use crate::harness::random;
use crate::reference::half::ALL;
use crate::reference::{self, assert_same_words};
use crate::values::initialisers::{Case, assert_same_elements, every_initialiser};

pub const CHECKS: &[Check] = &[
    Check::engine("exact::shards_of_every_initialiser", every_initialiser_in_shards),
    Check::host("exact::random_shards", random_shards_on_the_host),
    Check::engine("exact::far_shards", far_shards),
    Check::engine("exact::shards_of_one_element", of_one_element),
    Check::engine("exact::shards_of_many_dimensions", many_dimensions),
    Check::engine("exact::long_shards", long_shards),
    Check::device("memory::random_shards", random_shards),
    Check::device("memory::shards_at_every_offset", every_offset),
    Check::device("memory::shards_without_elements", no_elements),
    Check::device("memory::row_pitch", row_pitch),
    Check::device("memory::far_shards_at_once", far_shards_at_once),
    Check::device("windows::shards", windows),
    Check::device("windows::random_shards", windows_of_random_shards),
    Check::device("windows::every_initialiser_in_shards", windows_of_every_initialiser),
];

const KEY: Key = Key { seed: 0x5A4D_ED00, offset: u64::MAX - 700 };
const NORMAL: Init = Init::normal(0.0, 0.02);

/// All element types, words too.
const TYPES: [DType; 4] = [DType::F32, DType::F16, DType::BF16, DType::U32];

/// A tensor that is cut up as a mesh of devices would: each dimension at these places, from 0 to its size.
#[derive(Clone, Debug)]
struct Mesh {
    shape: Vec<u64>,
    bounds: Vec<Vec<u64>>,
}

impl Mesh {
    /// All parts, in row-major order of the mesh.
    fn shards(&self) -> Vec<Shard> {
        let mut shards = vec![Shard { start: vec![], shape: vec![] }];
        for bounds in &self.bounds {
            let ranges = || bounds.windows(2).map(|pair| (pair[0], pair[1] - pair[0]));
            shards = shards
                .iter()
                .flat_map(|shard| {
                    ranges().map(|(start, len)| Shard {
                        start: [&shard.start[..], &[start]].concat(),
                        shape: [&shard.shape[..], &[len]].concat(),
                    })
                })
                .collect();
        }
        shards
    }

    /// The same without cuts between the first dimension and the last: of such shards a row pitch makes
    /// sub-views of the whole.
    fn of_rows_and_columns(&self) -> Self {
        let Self { shape, mut bounds } = self.clone();
        let last = bounds.len().saturating_sub(1);
        for axis in 1..last {
            bounds[axis] = vec![0, shape[axis]];
        }
        Self { shape, bounds }
    }
}

/// Of up to six dimensions: ones, odd sizes and multiples of 4 and 8, or long rows.
fn shape() -> impl Strategy<Value = Vec<u64>> {
    const MOST: u64 = 9000;
    let small = (0..=6_usize).prop_flat_map(|rank| {
        let most = [1, 300, 90, 24, 10, 7, 5][rank];
        let dimension = prop_oneof![
            1 => Just(1),
            2 => (0..(most / 4).max(1)).prop_map(|n| 4 * n + 4),
            1 => (0..(most / 8).max(1)).prop_map(|n| 8 * n + 8),
            3 => 2..=most.max(2),
        ];
        prop::collection::vec(dimension.prop_map(move |n| n.min(most)), rank)
    });
    let row = prop_oneof![500..6000_u64, (125..1500_u64).prop_map(|n| 4 * n)];
    let long = (prop::collection::vec(1..6_u64, 0..=2), row)
        .prop_map(|(rows, row)| rows.into_iter().chain([row]).collect());
    prop_oneof![4 => small, 1 => long].prop_map(|mut shape: Vec<u64>| {
        let mut left = MOST;
        for dimension in shape.iter_mut().rev() {
            *dimension = left.min(*dimension);
            left /= *dimension;
        }
        shape
    })
}

/// Cuts anywhere, half of them at multiples of four, some of them twice in one place.
fn mesh() -> impl Strategy<Value = Mesh> {
    const MOST: usize = 40;
    let cuts = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..=4);
    (shape(), prop::collection::vec(cuts, 6)).prop_map(|(shape, cuts)| {
        let mut left = MOST;
        let bounds = shape.iter().zip(cuts).map(|(&len, mut cuts)| {
            cuts.truncate(left - 1);
            left /= cuts.len() + 1;
            let cut = |(index, aligned): &(prop::sample::Index, bool)| {
                let at = index.index(len as usize + 1) as u64;
                if *aligned { at / 4 * 4 } else { at }
            };
            let mut bounds: Vec<u64> = cuts.iter().map(cut).chain([0, len]).collect();
            bounds.sort_unstable();
            bounds
        });
        let bounds = bounds.collect();
        Mesh { shape, bounds }
    })
}

/// Every initialiser that a tensor of this shape can have.
pub fn initialisers_of(shape: &[u64]) -> Vec<Init> {
    let scaling = Init::VarianceScaling;
    let mut all = vec![
        Init::constant(0.1),
        Init::Zeros,
        Init::constant(-0.0),
        Init::Ones,
        Init::uniform(-0.3, 0.7),
        Init::normal(0.25, 0.02),
        Init::trunc_normal(0.0, 1.0, -2.0, 2.0),
        Init::trunc_normal(0.5, 2.0, 1.0, f64::INFINITY),
        scaling(VarianceScaling::keras_lecun_uniform()),
        scaling(VarianceScaling::keras_glorot_normal()),
    ];
    if shape.len() >= 2 {
        all.extend([
            Init::xavier_uniform(),
            Init::xavier_normal(),
            Init::KaimingUniform(Kaiming::default()),
            Init::kaiming_normal(),
            Init::orthogonal(),
            scaling(VarianceScaling::jax_glorot_normal()),
            scaling(VarianceScaling::jax_he_uniform()),
        ]);
    }
    match shape.len() {
        2 => all.extend([Init::Eye, Init::sparse(0.3), Init::Sparse { sparsity: 0.7, std: 1.0 }]),
        3..=5 => all.extend([Init::dirac(), Init::Dirac { groups: shape[0] }]),
        _ => {}
    }
    all
}

pub fn key() -> impl Strategy<Value = Key> {
    // Counters that wrap, or go beyond 32 bits, within the tensor.
    let offset = prop_oneof![any::<u64>(), u64::MAX - 2000..=u64::MAX, (1_u64 << 32) - 2000..1 << 32];
    (any::<u64>(), offset).prop_map(|(seed, offset)| Key { seed, offset })
}

/// A fill of a tensor that is cut up: the pattern of all jobs.
fn cut_up(initialisers: fn(&[u64]) -> Vec<Init>) -> impl Strategy<Value = (Mesh, DType, Init, Key)> {
    (mesh(), prop::sample::select(TYPES.as_slice()), any::<prop::sample::Index>(), key()).prop_map(
        move |(mesh, dtype, init, key)| {
            let init = *init.get(&initialisers(&mesh.shape));
            (mesh, dtype, init, key)
        },
    )
}

fn random_shards_on_the_host() {
    random::cases(400, cut_up(initialisers_of), |(mesh, dtype, init, key)| {
        let whole = bytes_of(&Engine::Host, dtype, Region::from(&mesh.shape), &init, key);
        for shard in mesh.shards() {
            let region = Region::from(&mesh.shape).shard(&shard.start, &shard.shape);
            let part = bytes_of(&Engine::Host, dtype, region, &init, key);
            assert!(part == shard.take(&whole, dtype.size(), &mesh.shape), "{shard:?}");
        }
    });
}

/// The shards of a tensor in one buffer, in any order: one after the other, with or without gaps between rows, and as
/// sub-views in their places of the whole.
fn check_random_shards(device: &Device, count: u32, initialisers: fn(&[u64]) -> Vec<Init>) {
    let place = (0..70_u64, prop::option::of(0..12_u64), any::<u64>());
    random::cases(
        count,
        (cut_up(initialisers), place),
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
                // Shards without elements may begin after all others.
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

/// A binding is less than a row, than the gap between rows, than a shard; two workgroups are less than most shards.
fn windows_of_random_shards(device: &Device) {
    let plain = |_: &[u64]| vec![NORMAL, Init::Zeros, Init::Ones, Init::constant(-1.5)];
    check_random_shards(&device.limited(1024, 2, 256), 40, plain);
    check_random_shards(&device.limited(512, 1, 1), 40, plain);
}

/// More dimensions than frameworks have, of which no two can be taken for one.
fn many_dimensions(engine: &Engine) {
    let alternating = |i: usize, odd: u64, even: u64| if i.is_multiple_of(2) { even } else { odd };
    let of = |rank, make: &dyn Fn(usize) -> u64| (0..rank).map(make).collect::<Vec<u64>>();
    for (shape, start, local) in [
        (of(7, &|_| 4), of(7, &|_| 1), of(7, &|_| 2)),
        (of(8, &|_| 3), of(8, &|_| 1), of(8, &|_| 2)),
        (of(10, &|_| 3), of(10, &|_| 0), of(10, &|_| 2)),
        (of(14, &|_| 2), of(14, &|i| alternating(i, 0, 1)), of(14, &|i| alternating(i, 2, 1))),
        (of(15, &|_| 2), of(15, &|i| alternating(i, 1, 0)), of(15, &|i| alternating(i, 1, 2))),
        (of(33, &|i| alternating(i / 2, 1, 1 + i as u64 % 2)), of(33, &|_| 0), of(33, &|_| 1)),
        (of(60, &|_| 2), of(60, &|i| u64::from(i < 50)), of(60, &|i| alternating(i / 50 * (i % 2), 2, 1))),
    ] {
        let region = Region::from(&shape).shard(&start, &local);
        let rows = rows_of(&shape, &start, &local);
        for dtype in TYPES {
            let actual = bytes_of(engine, dtype, region.clone(), &NORMAL, KEY);
            let expected = rows_on_the_host(&shape, &rows, dtype, &NORMAL, KEY);
            assert!(actual == expected, "{dtype}, {shape:?}, {start:?}, {local:?}");
        }
    }
}

/// So many elements that they are worked at in many pieces: long rows, short ones, and many.
fn long_shards(engine: &Engine) {
    for (i, (shape, start, local)) in [
        ([600, 1003], [3, 5], [590, 901]),
        ([3, 200_003], [1, 7], [2, 199_990]),
        ([200_001, 3], [1, 1], [200_000, 1]),
        ([200_001, 3], [1, 0], [200_000, 2]),
        ([40_000, 16], [0, 4], [39_999, 8]),
        ([3, 33_000], [1, 8], [2, 32_920]),
        ([3, 33_000], [1, 8], [2, 16_392]),
        ([3, 33_000], [1, 8], [2, 8_168]),
        ([3, 33_000], [1, 8], [2, 32_920]),
    ]
    .into_iter()
    .enumerate()
    {
        let shard = Shard { start: start.to_vec(), shape: local.to_vec() };
        for dtype in [TYPES[i % 4], TYPES[(i + 1) % 4]] {
            for init in [NORMAL, Init::constant(-1.5)] {
                let actual = bytes_of(engine, dtype, Region::from(shape).shard(start, local), &init, KEY);
                let whole = bytes_of(&Engine::Host, dtype, Region::from(shape), &init, KEY);
                let expected = shard.take(&whole, dtype.size(), &shape);
                assert_same_elements(dtype, &actual, &expected, (dtype, &shard, init));
            }
        }
    }
}

/// A part in both dimensions and in three of four holds what the whole holds there.
fn every_initialiser_in_shards(engine: &Engine) {
    let orthogonal = [[61, 67], [67, 61]].map(|shape: [u64; 2]| (Init::orthogonal(), shape.to_vec()));
    let cases = every_initialiser([97, 101]).into_iter().map(|Case { init, shape, .. }| (init, shape));
    for (init, shape) in cases.chain(orthogonal) {
        let bounds = |(axis, &len): (usize, &u64)| match axis {
            0 => vec![0, len / 2 + 1, len],
            1 => vec![0, 5.min(len), len],
            2 => vec![0, 2, len],
            _ => vec![0, len],
        };
        let mesh = Mesh { bounds: shape.iter().enumerate().map(bounds).collect(), shape };
        for dtype in ALL {
            let whole = engine.fill_bytes(dtype, &mesh.shape, &init, KEY);
            for shard in mesh.shards() {
                let region = Region::from(&mesh.shape).shard(&shard.start, &shard.shape);
                let actual = engine.fill_bytes(dtype, region, &init, KEY);
                let expected = shard.take(&whole, dtype.size(), &mesh.shape);
                assert_same_elements(dtype, &actual, &expected, (&init, dtype, &mesh.shape, shard));
            }
        }
    }
}

/// Elements of no dimension, and of many of size 1.
fn of_one_element(engine: &Engine) {
    for dtype in TYPES {
        let scalar = bytes_of(engine, dtype, Region::from([]).shard([], []), &NORMAL, KEY);
        assert_eq!(scalar, bytes_of(&Engine::Host, dtype, Region::from([]), &NORMAL, KEY), "{dtype}");
        for element in [0, 1, 2, 3, 17, 29] {
            let index = [0, 0, element / 6, element / 3 % 2, 0, element % 3, 0];
            let region = Region::from([1, 1, 5, 2, 1, 3, 1]).shard(index, [1; 7]);
            let expected = Region::from([30]).elements(element..element + 1);
            assert_eq!(
                bytes_of(engine, dtype, region, &NORMAL, KEY),
                bytes_of(&Engine::Host, dtype, expected, &NORMAL, KEY),
                "{dtype} {index:?}"
            );
        }
    }
}

/// Elements far beyond 2^32 and 2^50, and rows that are as far from one another.
const FAR: [(&[u64], &[u64], &[u64]); 12] = [
    (&[1 << 20, 1 << 30], &[(1 << 20) - 3, (1 << 30) - 5], &[3, 5]),
    (&[1 << 20, 1 << 30], &[1 << 19, (1 << 29) + 3], &[2, 301]),
    (&[1 << 20, (1 << 30) - 1], &[3, 1 << 29], &[300, 2]),
    (&[1 << 30, 1 << 30], &[(1 << 30) - 2, (1 << 30) - 9], &[2, 9]),
    (&[70_000, 70_000, 4], &[69_990, 69_995, 1], &[3, 5, 2]),
    (&[70_000, 70_000, 4], &[0, 69_999, 0], &[9, 1, 4]),
    (&[70_000, 4, 70_000], &[61_356, 1, 69_998], &[4, 3, 2]),
    (&[1 << 10; 6], &[1023, 0, 511, 1000, 1022, 1], &[1, 2, 2, 3, 2, 5]),
    (&[3, 1 << 40], &[1, (1 << 40) - 7], &[2, 7]),
    (&[(1 << 40) + 1, 3], &[(1 << 40) - 999, 1], &[1000, 2]),
    (&[5, 3, (1 << 33) + 2], &[2, 1, 1 << 32], &[3, 2, 4]),
    (&[1 << 59, 2], &[(1 << 59) - 100, 1], &[100, 1]),
];

/// The contiguous rows of a shard.
fn rows_of(shape: &[u64], start: &[u64], local: &[u64]) -> Vec<std::ops::Range<u64>> {
    let (row, rows) = (local[local.len() - 1], local[..local.len() - 1].iter().product());
    let first = |number: u64| {
        let (mut rest, mut element, mut stride) = (number, start[shape.len() - 1], shape[shape.len() - 1]);
        for axis in (0..shape.len() - 1).rev() {
            element += stride * (start[axis] + rest % local[axis]);
            rest /= local[axis];
            stride *= shape[axis];
        }
        element
    };
    (0..rows).map(|number| first(number)..first(number) + row).collect()
}

fn rows_on_the_host(
    shape: &[u64],
    rows: &[std::ops::Range<u64>],
    dtype: DType,
    init: &Init,
    key: Key,
) -> Vec<u8> {
    let row = |row: &std::ops::Range<u64>| {
        bytes_of(&Engine::Host, dtype, Region::from(shape).elements(row.clone()), init, key)
    };
    rows.iter().flat_map(row).collect()
}

/// Each row is that of the contiguous elements, and words are those of the reference. Counters wrap where the shard
/// begins, and elsewhere.
fn far_shards(engine: &Engine) {
    let matrices = [
        (Init::Eye, [(1 << 31) - 1, 1 << 29], [(1 << 29) - 9, (1 << 29) - 12], [8, 11]),
        (Init::sparse(0.5), [(1 << 31) - 1, 1 << 29], [(1 << 31) - 9, (1 << 29) - 11], [8, 10]),
        (Init::sparse(0.5), [(1 << 20) + 7, 1 << 30], [1 << 20, 1 << 29], [5, 7]),
    ];
    let matrices = matrices
        .iter()
        .map(|(init, shape, start, local)| (*init, (&shape[..], &start[..], &local[..]), DType::F32));
    let inits = [
        NORMAL,
        Init::uniform(-1.0, 3.0),
        Init::trunc_normal(0.0, 1.0, -2.0, 2.0),
        Init::xavier_normal(),
        Init::constant(0.1),
    ];
    let others = FAR.into_iter().enumerate().map(|(i, far)| (inits[i % 5], far, TYPES[i % 3]));
    for (init, (shape, start, local), dtype) in matrices.chain(others) {
        let rows = rows_of(shape, start, local);
        let block = rows[0].start / 4;
        for offset in [block.wrapping_neg(), block.wrapping_neg() - 1, 0, u64::MAX] {
            let key = Key { seed: 0xFA5, offset };
            let region = Region::from(shape).shard(start, local);
            let words = engine.words(region.clone(), key);
            let expected: Vec<u32> = rows
                .iter()
                .flat_map(|row| row.clone().map(|element| reference::word(key, element)))
                .collect();
            assert_same_words(&words, &expected, (shape, start, local, offset));

            let actual = engine.fill_bytes(dtype, region, &init, key);
            let expected = rows_on_the_host(shape, &rows, dtype, &init, key);
            assert_same_elements(dtype, &actual, &expected, (&init, dtype, shape, start, local, offset));
        }
    }
}

/// The same side by side in one buffer, and with gaps between rows.
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

fn shard_of(shape: &[u64], start: &[u64], local: &[u64], dtype: DType, init: Init) -> Job {
    let part = Part::Shard(Shard { start: start.to_vec(), shape: local.to_vec() });
    let shape = shape.to_vec();
    Job { shape, part, dtype, init, key: KEY, name: None, buffer: 0, offset: 0, pitch: None }
}

/// Bytes from the beginning of the buffer to the end of the job, and a few words.
fn size_of(job: &Job) -> u64 {
    let region = job.region();
    let local = region.local_shape();
    let row = local.last().copied().unwrap_or(1) * job.dtype.size();
    let rows: u64 = local.iter().rev().skip(1).product();
    (job.offset + rows * row.max(job.pitch.unwrap_or(0))).next_multiple_of(4) + 16
}

fn check(device: &Device, job: Job) {
    destinations::check(device, &[(size_of(&job), USAGE)], &[job], |job| job.take(&job.whole()));
}

/// Rows whose first elements have any place in a block, at any place in memory, with gaps that are no whole words.
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

/// Whole tensors and contiguous parts have rows too; a part is one row, and a scalar is one element. The last row
/// needs no gap after it, and the only row none at all.
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
                // In a buffer that is just large enough, for which the pitch of a single row is of no account.
                let region = job.region();
                let rows: u64 = region.local_shape().iter().rev().skip(1).product();
                let row = region.local_shape().last().copied().unwrap_or(1);
                let end = job.offset + size * ((rows - 1) * pitch + row);
                let arena = (end.next_multiple_of(4), USAGE);
                destinations::check(device, &[arena], std::slice::from_ref(&job), |job| {
                    job.take(&job.whole())
                });
                if rows == 1 {
                    let job = Job { pitch: Some(1 << 63), ..job.clone() };
                    destinations::check(device, &[arena], &[job], |job| job.take(&job.whole()));
                }
            }
        }
    }
}

/// Nothing needs no place: neither in the tensor nor in the buffer.
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
    crate::placement::memory::assert_only(&device.read(&buffer), &[], "no elements");
}

/// Short rows of which a binding holds many, rows and gaps of which it holds none, and all of them one after the
/// other in one buffer.
fn windows(device: &Device) {
    let all = device.adapter.limits();
    let most = (all.max_storage_buffer_binding_size, all.max_compute_workgroups_per_dimension);
    for (binding, workgroups, alignment) in
        [(4096, most.1, 1), (1024, 2, 256), (65_536, 1, 1), (most.0, 3, 256)]
    {
        let small = device.limited(binding, workgroups, alignment);
        let jobs = [
            // shape, start, local shape, elements of the pitch
            (&[300, 301][..], &[3, 5][..], &[290, 201][..], Some(301)),
            (&[4000, 8], &[1, 3], &[3999, 1], None),
            (&[4000, 8], &[1, 3], &[3999, 3], Some(4)),
            (&[40, 30, 60], &[1, 2, 3], &[30, 25, 50], Some(51)),
            (&[40, 30, 60], &[1, 0, 0], &[30, 30, 60], Some(61)),
            (&[3, 30_000], &[0, 7], &[3, 20_001], None),
            (&[3, 30_000], &[1, 8], &[2, 24_000], Some(30_000)),
            (&[7, 10], &[1, 1], &[6, 8], Some(9001)),
            (&[3, 5, 7, 11, 13], &[1, 1, 1, 1, 1], &[2, 3, 5, 9, 11], None),
        ];
        let mut in_one = Vec::new();
        let mut end = 0;
        for (i, (shape, start, local, pitch)) in jobs.into_iter().enumerate() {
            let dtype = TYPES[(i + workgroups as usize) % 3];
            let mut job = shard_of(shape, start, local, dtype, [NORMAL, NORMAL, Init::Ones][i % 3]);
            job.offset = [0, 3, 127, 64][i % 4] * dtype.size();
            job.pitch = pitch.map(|pitch| pitch * dtype.size());
            check(&small, job.clone());
            job.offset += end;
            end = size_of(&job) - 14; // in the middle of a word
            if dtype == DType::F32 {
                end = end.next_multiple_of(4);
                job.offset = job.offset.next_multiple_of(4);
                end += 4;
            }
            in_one.push(job);
            check(&small, shard_of(shape, start, local, DType::U32, NORMAL));
        }
        let arena = (end.next_multiple_of(4) + 64, USAGE);
        destinations::check(&small, &[arena], &in_one, |job| job.take(&job.whole()));
    }
}

fn windows_of_every_initialiser(device: &Device) {
    let small = device.limited(16_384, 3, 256);
    for (i, Case { init, shape, .. }) in every_initialiser([101, 103]).into_iter().enumerate() {
        let start: Vec<u64> = shape.iter().map(|&len| (len - 1).min(1)).collect();
        let local: Vec<u64> = shape.iter().zip(&start).map(|(len, start)| len - start).collect();
        let dtype = ALL[i % 3];
        let mut job = shard_of(&shape, &start, &local, dtype, init);
        job.offset = 5 * dtype.size();
        job.pitch = [None, Some(131 * dtype.size())][i % 2];
        check(&small, job);
    }
}
