//! 16-bit fills, which share words with their neighbours: where they write, and under tight limits.

use seedbed::wgpu::BufferUsages;
use seedbed::{DType, Init, Key, Region, TensorView};

use crate::Check;
use crate::harness::engines::{Device, Engine, USAGE};
use crate::placement::memory::assert_only_halves;
use crate::reference::half::{ALL, HALVES};
use crate::values::initialisers::{Case, assert_same_elements, every_initialiser};

pub const CHECKS: &[Check] = &[
    Check::device("memory::halves_at_every_offset", every_start_at_every_offset),
    Check::device("memory::short_halves", short_lengths),
    Check::device("memory::vectors_of_halves_and_none_behind_them", vectors_and_none_behind_them),
    Check::device("memory::every_initialiser_in_the_middle", every_initialiser_in_the_middle),
    Check::device("memory::halves_of_a_word", halves_of_a_word),
    Check::device("memory::halves_side_by_side", side_by_side),
    Check::device("memory::half_zeros", zeros),
    Check::device("windows::halves_under_small_limits", under_small_limits),
    Check::device("windows::every_initialiser_under_small_limits", every_initialiser_under_small_limits),
];

const KEY: Key = Key { seed: 0x5EED_0016, offset: 0xFFFF_FFFA };
const NORMAL: Init = Init::normal(0.0, 0.02);

/// Fills elements `start..start + len` at a byte offset, and looks at every byte of the buffer.
fn check(device: &Device, dtype: DType, offset: u64, start: u64, len: u64, init: &Init) {
    let region = Region::from([1 << 20, 1 << 20]).elements(start..start + len);
    let size = (offset + 2 * len).next_multiple_of(4) + 16;
    let buffer = device.sentinel_buffer(size, USAGE);
    let tensor = TensorView::new(&buffer, dtype, region.clone()).at(offset);
    device.submit(|encoder| device.recorder.fill(encoder, &tensor, init, KEY)).expect("a fill that is right");
    let expected = Engine::Host.fill_halves(dtype, region, init, KEY);
    assert_only_halves(&device.read(&buffer), &[(offset, &expected)], (dtype, offset, start, len, init));
}

/// Every multiple of 2 up to a block of four words and around 256; starts and lengths of any parity.
fn every_start_at_every_offset(device: &Device) {
    for offset in (0..=34).step_by(2).chain([250, 252, 254, 256, 258, 262]) {
        for start in [0, 1, 2, 3, 5] {
            let (dtype, len) = if start % 2 == 0 { (DType::F16, 1501) } else { (DType::BF16, 1500) };
            check(device, dtype, offset, start, len, &NORMAL);
        }
    }
}

fn short_lengths(device: &Device) {
    for len in 0..=9 {
        for (offset, start) in [(0, 0), (2, 0), (4, 1), (6, 0), (8, 3), (10, 2), (14, 1), (254, 7), (258, 4)]
        {
            for dtype in HALVES {
                check(device, dtype, offset, start, len, &NORMAL);
                check(device, dtype, offset, start, len, &Init::constant(-1.5));
            }
        }
    }
}

/// Whole vectors on their boundaries, in every number: an invocation may store several, and not all of its own.
fn vectors_and_none_behind_them(device: &Device) {
    for vectors in (1..=20).chain(512..=517).chain(2031..=2065) {
        for (dtype, start) in [(DType::F16, 0), (DType::BF16, 8)] {
            for init in [NORMAL, Init::constant(-1.5)] {
                check(device, dtype, 2 * start, start, 8 * vectors, &init);
            }
        }
    }
}

/// All element types, at a place where neither ends of the bytes nor of the elements are aligned.
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
                    .submit(|encoder| device.recorder.fill(encoder, &tensor, &init, KEY))
                    .expect("a fill that is right");
                let expected = Engine::Host.fill_bytes(dtype, region, &init, KEY);
                let expected: Vec<u16> = bytemuck::pod_collect_to_vec(&expected);
                let what = (&init, dtype, start, end);
                assert_only_halves(&device.read(&buffer), &[(offset, &expected)], what);
            }
        }
    }
}

/// Two fills of one encoder that meet within a word: each keeps the other's half, in both orders.
fn halves_of_a_word(device: &Device) {
    for dtype in HALVES {
        for (first, second) in
            [((0, 5), (10, 6)), ((0, 1), (2, 1)), ((6, 1000), (2006, 999)), ((2, 4), (10, 3))]
        {
            for init in [NORMAL, Init::uniform(1.0, 2.0), Init::Zeros, Init::sparse(0.5)] {
                let fill = |(offset, len): (u64, u64), key| (offset, Region::from([len, 1]), key);
                let fills = [fill(first, KEY), fill(second, KEY.fold_in(1))];
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

/// Many tensors of odd lengths in one buffer, without a gap.
fn side_by_side(device: &Device) {
    let fills: Vec<(u64, DType, Init, Key)> = (0..24_u64)
        .map(|i| {
            let init = match i % 4 {
                0 => NORMAL,
                1 => Init::constant(i as f64),
                2 => Init::xavier_uniform(),
                _ => Init::Zeros,
            };
            (2 * 1023 * i + 2, HALVES[(i % 2) as usize], init, KEY.fold_in(i))
        })
        .collect();
    let shape = [33, 31];
    let buffer = device.sentinel_buffer(2 * 1023 * 24 + 8, USAGE);
    device
        .submit(|encoder| {
            // The even ones, then the odd ones between them.
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

/// With `COPY_DST` they can be a clear of the buffer, if no half of a word has to stay; -0 can not.
fn zeros(device: &Device) {
    for usage in [USAGE, BufferUsages::STORAGE | BufferUsages::COPY_SRC] {
        for (offset, len) in [(0, 1), (0, 2), (2, 1), (2, 2), (4, 4), (6, 5), (254, 4099), (256, 4096)] {
            for init in [Init::Zeros, Init::constant(-0.0), Init::Ones] {
                for dtype in HALVES {
                    let buffer = device.sentinel_buffer(12_000, usage);
                    let tensor = TensorView::new(&buffer, dtype, [len]).at(offset);
                    device
                        .submit(|encoder| device.recorder.fill(encoder, &tensor, &init, KEY))
                        .expect("a fill that is right");
                    let expected = Engine::Host.fill_halves(dtype, [len], &init, KEY);
                    let what = (dtype, offset, len, &init);
                    assert_only_halves(&device.read(&buffer), &[(offset, &expected)], what);
                }
            }
        }
    }
}

/// One fill takes many bindings and many dispatches, and elements may begin in the middle of the first
/// word of any of them.
fn under_small_limits(device: &Device) {
    let all = device.adapter.limits();
    for (binding, workgroups, alignment) in [
        (4096, all.max_compute_workgroups_per_dimension, 1),
        (1024, 2, 256),
        (65_536, 2, 256),
        (all.max_storage_buffer_binding_size, 3, 1),
    ] {
        let small = device.limited(binding, workgroups, alignment);
        for (i, (offset, start, len)) in
            [(0, 0, 20_000), (2, 1, 20_001), (18, 3, 20_002), (254, 4, 20_003), (20, 5, 19_999)]
                .into_iter()
                .enumerate()
        {
            check(&small, HALVES[i % 2], offset, start, len, &NORMAL);
        }
    }
}

fn every_initialiser_under_small_limits(device: &Device) {
    for (binding, workgroups, alignment) in [(16_384, 3, 256), (65_536, 1, 1)] {
        let small = device.limited(binding, workgroups, alignment);
        for Case { init, shape, .. } in every_initialiser([101, 103]) {
            for dtype in ALL {
                let region = Region::from(&shape[..]).elements(3..shape.iter().product());
                let actual = small.fill_bytes(dtype, region.clone(), &init, KEY);
                let expected = Engine::Host.fill_bytes(dtype, region, &init, KEY);
                assert_same_elements(dtype, &actual, &expected, (&init, dtype, binding, workgroups));
            }
        }
    }
}
