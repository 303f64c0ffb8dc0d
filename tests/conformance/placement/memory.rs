//! A fill writes all of its own bytes, and no others.

use std::ops::Range;

use proptest::prelude::*;
use seedbed::wgpu::BufferUsages;
use seedbed::{DType, FillRecorder, Init, Key, Region, TensorView};

use crate::Check;
use crate::harness::assertions::{assert_only, assert_only_halves, assert_same_bits, collect};
use crate::harness::cases::{Case, every_initialiser};
use crate::harness::engines::{Device, Engine, NO_COPY_DST, USAGE};
use crate::harness::random;
use crate::reference::half::{ALL, HALVES};

pub const CHECKS: &[Check] = &[
    Check::device("memory::every_start_at_every_offset", every_start_at_every_offset),
    Check::device("memory::halves_at_every_offset", halves_at_every_offset),
    Check::device("memory::short_lengths", short_lengths),
    Check::device("memory::short_halves", short_halves),
    Check::device("memory::vectors_and_none_behind_them", vectors_and_none_behind_them),
    Check::device("memory::vectors_of_halves_and_none_behind_them", vectors_of_halves_and_none_behind_them),
    Check::device("memory::zeros", zeros),
    Check::device("memory::half_zeros", half_zeros),
    Check::device("memory::random_places", random_places),
    Check::device("memory::every_initialiser_in_the_middle", every_initialiser_in_the_middle),
    Check::device("memory::no_elements", no_elements),
    Check::device("memory::fills_of_one_encoder", fills_of_one_encoder),
    Check::device("memory::halves_of_a_word", halves_of_a_word),
    Check::device("memory::halves_side_by_side", halves_side_by_side),
    Check::device("memory::eight_threads", eight_threads),
];

const KEY: Key = Key { seed: 0x5EED_BED5_EED8_ED01, offset: 0xFFFF_FFF0 };
pub const HALVES_KEY: Key = Key { seed: 0x5EED_0016, offset: 0xFFFF_FFFA };
const NORMAL: Init = Init::normal(0.0, 0.02);

/// The elements that a fill writes, and the part of a buffer that they go to.
#[derive(Clone, Debug)]
pub struct Destination {
    dtype: DType,
    /// Bytes of the buffer before the first element.
    offset: u64,
    /// Indices in a tensor of 2^40 elements.
    elements: Range<u64>,
    /// Bytes of the buffer after the last element's word.
    after: u64,
    usage: BufferUsages,
}

impl Destination {
    pub fn of_halves(dtype: DType, offset: u64, start: u64, len: u64) -> Self {
        Self { dtype, offset, elements: start..start + len, after: 16, usage: USAGE }
    }

    fn end(&self) -> u64 {
        self.offset + self.dtype.size() * (self.elements.end - self.elements.start)
    }

    fn region(&self) -> Region<'static> {
        Region::from([1 << 20, 1 << 20]).elements(self.elements.clone())
    }
}

/// Fills one destination, and compares every byte of its buffer.
pub fn check(device: &Device, destination: &Destination, init: &Init, key: Key) {
    let &Destination { dtype, offset, .. } = destination;
    let size = destination.end().next_multiple_of(4) + destination.after;
    let buffer = device.sentinel_buffer(size, destination.usage);
    let tensor = TensorView::new(&buffer, dtype, destination.region()).at(offset);
    device.submit(|encoder| device.recorder.fill(encoder, &tensor, init, key)).expect("a fill that is right");
    let expected = Engine::Host.fill_bytes(dtype, destination.region(), init, key);
    let bytes = device.read(&buffer);
    match dtype.size() {
        2 => assert_only_halves(&bytes, &[(offset, &collect(&expected))], (destination, init)),
        _ => assert_only(&bytes, &[(offset, &collect(&expected))], (destination, init)),
    }
}

/// No alignment of the elements to blocks is special, and no alignment of the bytes above 4.
fn every_start_at_every_offset(device: &Device) {
    for offset in [0, 4, 8, 12, 16, 20, 252, 256, 260] {
        for start in [0, 1, 2, 3, 5] {
            check_singles(device, offset, start..start + 3001, 512, &NORMAL);
        }
    }
}

/// Fills f32 elements.
fn check_singles(device: &Device, offset: u64, elements: Range<u64>, after: u64, init: &Init) {
    let destination = Destination { dtype: DType::F32, offset, elements, after, usage: USAGE };
    check(device, &destination, init, KEY);
}

/// Fills elements `start..start + len` of a 16-bit type.
fn check_halves(device: &Device, dtype: DType, offset: u64, start: u64, len: u64, init: &Init) {
    check(device, &Destination::of_halves(dtype, offset, start, len), init, HALVES_KEY);
}

/// The offsets are every multiple of 2 up to two vectors of four words, and those around 256. Starts and
/// lengths are even and odd.
fn halves_at_every_offset(device: &Device) {
    for offset in (0..=34).step_by(2).chain([250, 252, 254, 256, 258, 262]) {
        for start in [0, 1, 2, 3, 5] {
            let (dtype, len) = if start % 2 == 0 { (DType::F16, 1501) } else { (DType::BF16, 1500) };
            check_halves(device, dtype, offset, start, len, &NORMAL);
        }
    }
}

fn short_lengths(device: &Device) {
    for len in 0..=9 {
        for (offset, start) in [(0, 0), (4, 0), (8, 3), (20, 1), (252, 2), (260, 7)] {
            for (after, init) in [(0, NORMAL), (64, NORMAL), (64, Init::constant(-1.5))] {
                check_singles(device, offset, start..start + len, after, &init);
            }
        }
    }
}

fn short_halves(device: &Device) {
    for len in 0..=9 {
        for (offset, start) in [(0, 0), (2, 0), (4, 1), (6, 0), (8, 3), (10, 2), (14, 1), (254, 7), (258, 4)]
        {
            for dtype in HALVES {
                check_halves(device, dtype, offset, start, len, &NORMAL);
                check_halves(device, dtype, offset, start, len, &Init::constant(-1.5));
            }
        }
    }
}

/// Fills are whole blocks on their boundaries, in every number: an invocation may write several blocks, and
/// the last invocation may have fewer.
fn vectors_and_none_behind_them(device: &Device) {
    for blocks in (1..=40).chain(1017..=1033).chain(2031..=2065) {
        for (offset, start) in [(0, 0), (16, 4)] {
            for init in [NORMAL, Init::constant(-1.5), Init::uniform(-0.1, 0.1)] {
                check_singles(device, offset, start..start + 4 * blocks, 512, &init);
            }
        }
    }
}

/// Fills are whole vectors of eight elements on their boundaries, in every number.
fn vectors_of_halves_and_none_behind_them(device: &Device) {
    for vectors in (1..=20).chain(512..=517).chain(2031..=2065) {
        for (dtype, start) in [(DType::F16, 0), (DType::BF16, 8)] {
            for init in [NORMAL, Init::constant(-1.5)] {
                check_halves(device, dtype, 2 * start, start, 8 * vectors, &init);
            }
        }
    }
}

/// A fill with +0 can be a clear of the buffer, if the buffer has `COPY_DST`. A fill with -0 can't.
fn zeros(device: &Device) {
    for usage in [USAGE, NO_COPY_DST] {
        for (offset, len) in [(0, 1), (4, 2), (12, 5), (252, 4099), (256, 4096)] {
            for init in [Init::Zeros, Init::constant(0.0), Init::constant(-0.0), Init::Ones] {
                let destination =
                    Destination { dtype: DType::F32, offset, elements: 1..1 + len, after: 20, usage };
                check(device, &destination, &init, KEY);
            }
        }
    }
}

/// A clear of the buffer writes whole words, so a 16-bit fill that shares a word can't be one.
fn half_zeros(device: &Device) {
    for usage in [USAGE, NO_COPY_DST] {
        for (offset, len) in [(0, 1), (0, 2), (2, 1), (2, 2), (4, 4), (6, 5), (254, 4099), (256, 4096)] {
            for init in [Init::Zeros, Init::constant(-0.0), Init::Ones] {
                for dtype in HALVES {
                    let buffer = device.sentinel_buffer(12_000, usage);
                    let tensor = TensorView::new(&buffer, dtype, [len]).at(offset);
                    device
                        .submit(|encoder| device.recorder.fill(encoder, &tensor, &init, HALVES_KEY))
                        .expect("a fill that is right");
                    let expected = Engine::Host.fill_halves(dtype, [len], &init, HALVES_KEY);
                    let what = (dtype, offset, len, &init);
                    assert_only_halves(&device.read(&buffer), &[(offset, &expected)], what);
                }
            }
        }
    }
}

fn random_places(device: &Device) {
    let start = prop_oneof![0..100_u64, (1_u64 << 34) - 5000..1 << 34, 0..1_u64 << 39];
    let len = prop_oneof![0..20_u64, 0..5000_u64];
    let destination = (start, len, 0..400_u64, 0..20_u64, any::<bool>()).prop_map(
        |(start, len, offset, after, copy_dst)| {
            let usage = if copy_dst { USAGE } else { USAGE - BufferUsages::COPY_DST };
            // The buffer has at least one word, because wgpu makes no empty buffers.
            Destination {
                dtype: DType::F32,
                offset: 4 * offset,
                elements: start..start + len,
                after: 4 * after + 4,
                usage,
            }
        },
    );
    let init = prop_oneof![
        (-10.0..10.0, 0.0..10.0).prop_map(|(mean, std)| Init::normal(mean, std)),
        Just(Init::xavier_normal()),
        any::<f32>().prop_map(|value| Init::constant(value.into())),
        Just(Init::Zeros),
    ];
    let key = (any::<u64>(), any::<u64>()).prop_map(|(seed, offset)| Key { seed, offset });
    random::cases(96, (destination, init, key), |(destination, init, key)| {
        check(device, &destination, &init, key)
    });
}

/// Neither end of the bytes is aligned, and neither end of the elements.
fn every_initialiser_in_the_middle(device: &Device) {
    for Case { init, shape, .. } in every_initialiser([97, 101]) {
        for dtype in ALL {
            for (start, end) in [(1, 2), (3, 3001), (4098, 9001)] {
                let region = Region::from(&shape[..]).elements(start..end);
                let offset = 9 * dtype.size();
                let len = (end - start) * dtype.size();
                let buffer = device.sentinel_buffer((offset + len).next_multiple_of(4) + 8, USAGE);
                let tensor = TensorView::new(&buffer, dtype, region.clone()).at(offset);
                device
                    .submit(|encoder| device.recorder.fill(encoder, &tensor, &init, HALVES_KEY))
                    .expect("a fill that is right");
                let expected = Engine::Host.fill_bytes(dtype, region, &init, HALVES_KEY);
                let expected: Vec<u16> = bytemuck::pod_collect_to_vec(&expected);
                let what = (&init, dtype, start, end);
                assert_only_halves(&device.read(&buffer), &[(offset, &expected)], what);
            }
        }
    }
}

fn no_elements(device: &Device) {
    let buffer = device.sentinel_buffer(64, USAGE);
    device
        .submit(|encoder| {
            for (shape, init) in [
                (&[0][..], NORMAL),
                (&[0, 7], Init::xavier_normal()),
                (&[3, 0, 5], Init::Zeros),
                (&[0, 0], Init::Ones),
            ] {
                device.recorder.fill(encoder, &TensorView::f32(&buffer, shape), &init, KEY)?;
                // A tensor without elements may lie at the end of the buffer.
                device.recorder.fill(encoder, &TensorView::f32(&buffer, shape).at(64), &init, KEY)?;
            }
            device.recorder.fill_words(encoder, &TensorView::u32(&buffer, [0]), KEY)
        })
        .expect("fills of nothing are right");
    assert_only(&device.read(&buffer), &[], "no elements");
}

/// Each fill has its own parameters, and fills happen in the order in which they were recorded.
fn fills_of_one_encoder(device: &Device) {
    let fills: Vec<(u64, Init, Key)> = (0..12_u32)
        .map(|i| {
            let init = match i % 4 {
                0 => Init::normal(f64::from(i), 0.1),
                1 => Init::constant(f64::from(i)),
                2 => Init::xavier_normal(),
                _ => Init::Zeros,
            };
            (4096 * u64::from(i) + 4, init, KEY.fold_in(i.into()))
        })
        .collect();
    let shape = [33, 31]; // 4092 bytes, so that one word is left between neighbours
    let expected: Vec<Vec<f32>> =
        fills.iter().map(|(_, init, key)| Engine::Host.fill(shape, init, *key)).collect();

    let buffer = device.sentinel_buffer(4096 * 12 + 4, USAGE);
    let second = device.sentinel_buffer(4 * 1023, USAGE);
    device
        .submit(|encoder| {
            for (offset, init, key) in &fills {
                device.recorder.fill(encoder, &TensorView::f32(&buffer, shape).at(*offset), init, *key)?;
            }
            for (_, init, key) in &fills[..3] {
                device.recorder.fill(encoder, &TensorView::f32(&second, shape), init, *key)?;
            }
            Ok::<(), seedbed::Error>(())
        })
        .expect("fills that are right");

    let written: Vec<(u64, &[f32])> =
        fills.iter().zip(&expected).map(|((at, ..), values)| (*at, &values[..])).collect();
    assert_only(&device.read(&buffer), &written, "side by side");
    assert_only(&device.read(&second), &[(0, &expected[2])], "one over the other");
}

/// Two fills of one encoder meet within a word. Each fill keeps the other's half of the word, in both orders.
fn halves_of_a_word(device: &Device) {
    for dtype in HALVES {
        for (first, second) in
            [((0, 5), (10, 6)), ((0, 1), (2, 1)), ((6, 1000), (2006, 999)), ((2, 4), (10, 3))]
        {
            for init in [NORMAL, Init::uniform(1.0, 2.0), Init::Zeros, Init::sparse(0.5)] {
                let fill = |(offset, len): (u64, u64), key| (offset, Region::from([len, 1]), key);
                let fills = [fill(first, HALVES_KEY), fill(second, HALVES_KEY.fold_in(1))];
                let values =
                    fills.clone().map(|(_, region, key)| Engine::Host.fill_halves(dtype, region, &init, key));
                for order in [[0, 1], [1, 0]] {
                    let buffer = device.sentinel_buffer(4096, USAGE);
                    device
                        .submit(|encoder| {
                            order.into_iter().try_for_each(|i| {
                                let (offset, region, key) = &fills[i];
                                let tensor = TensorView::new(&buffer, dtype, region.clone()).at(*offset);
                                device.recorder.fill(encoder, &tensor, &init, *key)
                            })
                        })
                        .expect("fills that are right");
                    let written = [(first.0, &values[0][..]), (second.0, &values[1][..])];
                    assert_only_halves(&device.read(&buffer), &written, (dtype, first, second, order, &init));
                }
            }
        }
    }
}

/// Many tensors of odd lengths lie in one buffer without a gap.
fn halves_side_by_side(device: &Device) {
    let fills: Vec<(u64, DType, Init, Key)> = (0..24_u64)
        .map(|i| {
            let init = match i % 4 {
                0 => NORMAL,
                1 => Init::constant(i as f64),
                2 => Init::xavier_uniform(),
                _ => Init::Zeros,
            };
            (2 * 1023 * i + 2, HALVES[(i % 2) as usize], init, HALVES_KEY.fold_in(i))
        })
        .collect();
    let shape = [33, 31];
    let buffer = device.sentinel_buffer(2 * 1023 * 24 + 8, USAGE);
    device
        .submit(|encoder| {
            // First come the tensors of even numbers, then the odd ones between them.
            fills.iter().step_by(2).chain(fills.iter().skip(1).step_by(2)).try_for_each(
                |(offset, dtype, init, key)| {
                    let tensor = TensorView::new(&buffer, *dtype, shape).at(*offset);
                    device.recorder.fill(encoder, &tensor, init, *key)
                },
            )
        })
        .expect("fills that are right");
    let values: Vec<Vec<u16>> = fills
        .iter()
        .map(|(_, dtype, init, key)| Engine::Host.fill_halves(*dtype, shape, init, *key))
        .collect();
    let written: Vec<(u64, &[u16])> =
        fills.iter().zip(&values).map(|((at, ..), values)| (*at, &values[..])).collect();
    assert_only_halves(&device.read(&buffer), &written, "side by side");
}

/// Clones of a recorder share their pipelines, and are used at the same time.
fn eight_threads(device: &Device) {
    const fn is_shareable<T: Clone + Send + Sync + 'static>() {}
    is_shareable::<FillRecorder>();

    // A fresh recorder, so that all threads need pipelines that are not compiled yet.
    let recorder = device.fresh_recorder();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let recorder = recorder.clone();
            scope.spawn(move || {
                for round in 0..8 {
                    let key = KEY.fold_in(8 * round + thread);
                    let buffer = device.sentinel_buffer(4 * 10_007, USAGE);
                    let tensor = TensorView::f32(&buffer, [10_007]);
                    device
                        .submit(|encoder| recorder.fill(encoder, &tensor, &NORMAL, key))
                        .expect("a fill that is right");
                    let actual: Vec<f32> = bytemuck::pod_collect_to_vec(&device.read(&buffer));
                    assert_same_bits(&actual, &Engine::Host.fill([10_007], &NORMAL, key), (thread, round));
                }
            });
        }
    });
    recorder.prepare(&NORMAL, DType::F32).expect("a device that can fill");
}
