//! Shards of a tensor hold the elements of the whole.

use seedbed::{DType, Init, Key, Region};

use crate::Check;
use crate::harness::assertions::{assert_same_elements, assert_same_words};
use crate::harness::cases::{Case, every_initialiser, initialisers_of};
use crate::harness::destinations::bytes_of;
use crate::harness::engines::Engine;
use crate::harness::random;
use crate::harness::shards::{FAR, Mesh, Shard, TYPES, cut_up, rows_of, rows_on_the_host};
use crate::reference;
use crate::reference::half::ALL;

pub const CHECKS: &[Check] = &[
    Check::engine("exact::shards_of_every_initialiser", every_initialiser_in_shards),
    Check::host("exact::random_shards", random_shards_on_the_host),
    Check::engine("exact::far_shards", far_shards),
    Check::engine("exact::shards_of_one_element", of_one_element),
    Check::engine("exact::shards_of_many_dimensions", many_dimensions),
    Check::engine("exact::long_shards", long_shards),
];

const KEY: Key = Key { seed: 0x5A4D_ED00, offset: u64::MAX - 700 };
const NORMAL: Init = Init::normal(0.0, 0.02);

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

/// Tensors have more dimensions than frameworks allow, and no two of the dimensions can be merged.
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

/// Shards have so many elements that an engine cuts them into many pieces. Rows are long, or short and many.
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

/// Shards are cut in both dimensions of a matrix, and in three of four dimensions of a convolution.
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

/// A shard of one element is cut from a scalar, or from a tensor with many dimensions of size 1.
fn of_one_element(engine: &Engine) {
    for dtype in TYPES {
        let scalar = bytes_of(engine, dtype, Region::from(()).shard((), ()), &NORMAL, KEY);
        assert_eq!(scalar, bytes_of(&Engine::Host, dtype, Region::from(()), &NORMAL, KEY), "{dtype}");
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

/// Each row of a shard is a range of contiguous elements, and its words are those of the reference. Counters
/// wrap where the shard begins, and elsewhere.
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
