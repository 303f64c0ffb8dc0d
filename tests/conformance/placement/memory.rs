//! A fill writes its own bytes, all of them, and no others.

use std::ops::Range;

use proptest::prelude::*;
use seedbed::wgpu::BufferUsages;
use seedbed::{DType, FillRecorder, Init, Key, Region, TensorView};

use crate::Check;
use crate::harness::engines::{Device, Engine, SENTINEL, USAGE};
use crate::harness::random;
use crate::reference::{assert_same_bits, assert_same_halves, assert_same_words};

pub const CHECKS: &[Check] = &[
    Check::device("memory::every_start_at_every_offset", every_start_at_every_offset),
    Check::device("memory::short_lengths", short_lengths),
    Check::device("memory::vectors_and_none_behind_them", vectors_and_none_behind_them),
    Check::device("memory::zeros", zeros),
    Check::device("memory::random_places", random_places),
    Check::device("memory::no_elements", no_elements),
    Check::device("memory::fills_of_one_encoder", fills_of_one_encoder),
    Check::device("memory::two_threads", two_threads),
];

const KEY: Key = Key { seed: 0x5EED_BED5_EED8_ED01, offset: 0xFFFF_FFF0 };
const NORMAL: Init = Init::normal(0.0, 0.02);

/// Where a fill goes: a byte offset of a buffer, and elements of a logical tensor.
#[derive(Clone, Debug)]
struct Place {
    offset: u64,
    elements: Range<u64>,
    /// Bytes of the buffer after the last element.
    after: u64,
    usage: BufferUsages,
}

impl Place {
    fn end(&self) -> u64 {
        self.offset + 4 * (self.elements.end - self.elements.start)
    }
}

const SHAPE: [u64; 2] = [1 << 20, 1 << 20];

fn region(elements: &Range<u64>) -> Region<'static> {
    Region::new(SHAPE.as_slice()).elements(elements.clone())
}

/// Fills one place, and looks at every byte of the buffer.
fn check(device: &Device, place: &Place, init: &Init, key: Key) {
    let buffer = device.sentinel_buffer(place.end() + place.after, place.usage);
    let tensor = TensorView::f32(&buffer, region(&place.elements)).at(place.offset);
    device.submit(|encoder| device.recorder.fill(encoder, &tensor, init, key)).expect("a fill that is right");
    let expected = Engine::Host.fill(region(&place.elements), init, key);
    assert_only(&device.read(&buffer), &[(place.offset, &expected)], place);
}

/// The values lie at their byte offsets, and all other bytes are still the sentinel.
pub fn assert_only(bytes: &[u8], written: &[(u64, &[f32])], what: impl std::fmt::Debug) {
    let mut expected = vec![SENTINEL; bytes.len()];
    for (offset, values) in written {
        let values: &[u8] = bytemuck::cast_slice(values);
        expected[*offset as usize..][..values.len()].copy_from_slice(values);
    }
    // As words: a message about elements says more than one about bytes.
    let words = |bytes: &[u8]| -> Vec<u32> { bytemuck::pod_collect_to_vec(bytes) };
    assert_same_words(&words(bytes), &words(&expected), what);
}

/// The same of 16-bit elements.
pub fn assert_only_halves(bytes: &[u8], written: &[(u64, &[u16])], what: impl std::fmt::Debug) {
    let mut expected = vec![SENTINEL; bytes.len()];
    for (offset, values) in written {
        let values: &[u8] = bytemuck::cast_slice(values);
        expected[*offset as usize..][..values.len()].copy_from_slice(values);
    }
    let halves = |bytes: &[u8]| -> Vec<u16> { bytemuck::pod_collect_to_vec(bytes) };
    assert_same_halves(&halves(bytes), &halves(&expected), what);
}

/// No alignment of the elements to blocks, nor of the bytes to anything above 4, is special.
fn every_start_at_every_offset(device: &Device) {
    for offset in [0, 4, 8, 12, 16, 20, 252, 256, 260] {
        for start in [0, 1, 2, 3, 5] {
            let place = Place { offset, elements: start..start + 3001, after: 512, usage: USAGE };
            check(device, &place, &NORMAL, KEY);
        }
    }
}

fn short_lengths(device: &Device) {
    for len in 0..=9 {
        for (offset, start) in [(0, 0), (4, 0), (8, 3), (20, 1), (252, 2), (260, 7)] {
            for (after, init) in [(0, NORMAL), (64, NORMAL), (64, Init::constant(-1.5))] {
                let place = Place { offset, elements: start..start + len, after, usage: USAGE };
                check(device, &place, &init, KEY);
            }
        }
    }
}

/// Whole blocks on their boundaries, in every number: an invocation may store several, and not all of its own.
fn vectors_and_none_behind_them(device: &Device) {
    for blocks in (1..=40).chain(1017..=1033).chain(2031..=2065) {
        for (offset, start) in [(0, 0), (16, 4)] {
            for init in [NORMAL, Init::constant(-1.5), Init::uniform(-0.1, 0.1)] {
                let elements = start..start + 4 * blocks;
                check(device, &Place { offset, elements, after: 512, usage: USAGE }, &init, KEY);
            }
        }
    }
}

/// With `COPY_DST` they can be a clear of the buffer, without it they can't; -0 is no zero of that kind.
fn zeros(device: &Device) {
    for usage in [USAGE, BufferUsages::STORAGE | BufferUsages::COPY_SRC] {
        for (offset, len) in [(0, 1), (4, 2), (12, 5), (252, 4099), (256, 4096)] {
            for init in [Init::Zeros, Init::constant(0.0), Init::constant(-0.0), Init::Ones] {
                let place = Place { offset, elements: 1..1 + len, after: 20, usage };
                check(device, &place, &init, KEY);
            }
        }
    }
}

fn random_places(device: &Device) {
    let start = prop_oneof![0..100_u64, (1_u64 << 34) - 5000..1 << 34, 0..1_u64 << 39];
    let len = prop_oneof![0..20_u64, 0..5000_u64];
    let place = (start, len, 0..400_u64, 0..20_u64, any::<bool>()).prop_map(
        |(start, len, offset, after, copy_dst)| {
            let usage = if copy_dst { USAGE } else { USAGE - BufferUsages::COPY_DST };
            // One word at least: there are no empty buffers.
            Place { offset: 4 * offset, elements: start..start + len, after: 4 * after + 4, usage }
        },
    );
    let init = prop_oneof![
        (-10.0..10.0, 0.0..10.0).prop_map(|(mean, std)| Init::normal(mean, std)),
        Just(Init::xavier_normal()),
        any::<f32>().prop_map(|value| Init::constant(value.into())),
        Just(Init::Zeros),
    ];
    let key = (any::<u64>(), any::<u64>()).prop_map(|(seed, offset)| Key { seed, offset });
    random::cases(96, (place, init, key), |(place, init, key)| check(device, &place, &init, key));
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
                // The end of the buffer is a place for nothing.
                device.recorder.fill(encoder, &TensorView::f32(&buffer, shape).at(64), &init, KEY)?;
            }
            device.recorder.fill_words(encoder, &TensorView::u32(&buffer, [0]), KEY)
        })
        .expect("fills of nothing are right");
    assert_only(&device.read(&buffer), &[], "no elements");
}

/// Each has its own parameters, and they happen in the order in which they were recorded.
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
    let shape = [33, 31]; // 4092 bytes, so that neighbours touch but for a word
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

/// Clones share their pipelines, and are used at the same time.
fn two_threads(device: &Device) {
    const fn is_shareable<T: Clone + Send + Sync + 'static>() {}
    is_shareable::<FillRecorder>();

    // Fresh, so that both threads come upon pipelines that are not compiled yet.
    let recorder = device.fresh_recorder();
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let recorder = recorder.clone();
            scope.spawn(move || {
                for round in 0..8 {
                    let key = KEY.fold_in(2 * round + thread);
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
