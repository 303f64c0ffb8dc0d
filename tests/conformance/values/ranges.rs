//! Ranges of indices of a tensor hold the elements of the whole.

use seedbed::{Init, Key, Region};

use crate::Check;
use crate::harness::assertions::{assert_same_elements, assert_same_words};
use crate::harness::cases::{Case, every_initialiser, initialisers_of};
use crate::harness::destinations::bytes_of;
use crate::harness::engines::Engine;
use crate::harness::random;
use crate::harness::ranges::{Lists, every, some_ranges, take};
use crate::reference;
use crate::reference::half::ALL;

pub const CHECKS: &[Check] = &[
    Check::engine("exact::ranges_of_every_initialiser", every_initialiser_in_ranges),
    Check::host("exact::random_ranges", random_ranges_on_the_host),
    Check::engine("exact::far_ranges", far_ranges),
    Check::engine("exact::long_ranges", long_ranges),
];

const KEY: Key = Key { seed: 0x5A4D_ED00, offset: u64::MAX - 700 };
const NORMAL: Init = Init::normal(0.0, 0.02);

fn random_ranges_on_the_host() {
    random::cases(400, some_ranges(40_000, initialisers_of), |(shape, lists, dtype, init, key)| {
        let whole = bytes_of(&Engine::Host, dtype, Region::from(&shape), &init, key);
        let part = bytes_of(&Engine::Host, dtype, Region::from(&shape).ranges(lists.clone()), &init, key);
        assert!(part == take(&lists, &whole, dtype.size(), &shape));
    });
}

/// Ranges of rows, as `_StridedShard` of PyTorch holds them; ranges of rows and columns; single columns; and all of
/// it in another order.
fn every_initialiser_in_ranges(engine: &Engine) {
    let orthogonal = [[61, 67], [67, 61]].map(|shape: [u64; 2]| (Init::orthogonal(), shape.to_vec()));
    let cases = every_initialiser([97, 101]).into_iter().map(|Case { init, shape, .. }| (init, shape));
    for (init, shape) in cases.chain(orthogonal) {
        let lists = |list: fn(usize, u64) -> Vec<std::ops::Range<u64>>| -> Lists {
            shape.iter().enumerate().map(|(axis, &len)| list(axis, len)).collect()
        };
        for lists in [
            lists(
                |axis, len| {
                    if axis == 0 { vec![0..len / 4, len / 2..len / 2 + len / 4] } else { vec![0..len] }
                },
            ),
            lists(|_, len| vec![0..1, len / 2..len]),
            lists(|axis, len| if axis == 1 { every(3, 1, 1, len) } else { vec![len / 3..len] }),
            lists(|_, len| vec![len / 2..len, 0..len / 2, len / 3..len / 2]),
        ] {
            for dtype in ALL {
                let whole = engine.fill_bytes(dtype, &shape, &init, KEY);
                let region = Region::from(&shape).ranges(lists.clone());
                let actual = engine.fill_bytes(dtype, region, &init, KEY);
                let expected = take(&lists, &whole, dtype.size(), &shape);
                assert_same_elements(dtype, &actual, &expected, (&init, dtype, &shape, &lists));
            }
        }
    }
}

/// Elements far beyond 2^32 and 2^50, in ranges that are as far from one another.
fn far_ranges(engine: &Engine) {
    let cases: [(&[u64], Lists); 4] = [
        (&[1 << 20, 1 << 30], vec![vec![1 << 19..(1 << 19) + 2, 3..5], vec![0..3, (1 << 30) - 5..1 << 30]]),
        (&[1 << 30, 1 << 30], vec![every(1 << 29, 7, 1, 1 << 30), every(1 << 28, 1 << 20, 5, 1 << 30)]),
        (&[3, 1 << 40, 2], vec![vec![2..3, 0..1], every(1 << 37, 1, 3, 1 << 40), vec![1..2]]),
        (&[1 << 59], vec![vec![(1 << 59) - 9..1 << 59, 0..7, 1 << 32..(1 << 32) + 2]]),
    ];
    for (shape, lists) in cases {
        for key in [KEY, Key { seed: 0xFA5, offset: 0 }] {
            let words = engine.words(Region::from(shape).ranges(lists.clone()), key);
            let mut elements = vec![0];
            for (list, len) in lists.iter().zip(shape) {
                let along = |element: u64| list.iter().cloned().flatten().map(move |i| element * len + i);
                elements = elements.into_iter().flat_map(along).collect();
            }
            let expected: Vec<u32> = elements.iter().map(|&element| reference::word(key, element)).collect();
            assert_same_words(&words, &expected, (shape, &lists, key));
        }
    }
}

/// So many elements that an engine cuts them into many pieces, in ranges that are long, or short and many.
fn long_ranges(engine: &Engine) {
    let cases: [([u64; 2], Lists); 5] = [
        ([600, 1003], vec![vec![3..200, 201..600], vec![0..500, 505..1003]]),
        ([3, 200_003], vec![vec![0..1, 2..3], vec![1..70_001, 70_005..140_005, 140_009..200_003]]),
        ([40_000, 16], vec![every(5, 1, 2, 40_000), vec![0..16]]),
        (
            [4000, 64],
            vec![(0..4000).map(|i| i * (i + 1) / 2 % 4000).map(|i| i..i + 1).collect(), vec![8..24, 0..4]],
        ),
        ([600, 1003], vec![every(100, 1, 70, 600), vec![0..1003]]),
    ];
    for (i, (shape, lists)) in cases.into_iter().enumerate() {
        for init in [NORMAL, Init::constant(-1.5)] {
            for dtype in [ALL[i % 3], ALL[(i + 1) % 3]] {
                let region = Region::from(shape).ranges(lists.clone());
                let actual = bytes_of(engine, dtype, region, &init, KEY);
                let whole = bytes_of(&Engine::Host, dtype, Region::from(shape), &init, KEY);
                let expected = take(&lists, &whole, dtype.size(), &shape);
                assert_same_elements(dtype, &actual, &expected, (dtype, shape, i, init));
            }
        }
    }
}
