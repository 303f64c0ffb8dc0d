//! A mistake in a list of fills is named with its fill, and records nothing of the list.

use seedbed::wgpu::{BufferUsages, Limits};
use seedbed::{Error, Fill, Init, Key, Region, TensorView};

use crate::Check;
use crate::errors::fills::mistakes_without_a_buffer;
use crate::harness::assertions::{assert_only, assert_starts};
use crate::harness::engines::{Device, Engine, NO_COPY_DST, USAGE};

pub const CHECKS: &[Check] = &[
    Check::device("errors::fill_all", mistakes),
    Check::device("errors::fill_all_duplicate_names", duplicate_names),
    Check::device("errors::fill_all_without_a_device_for_it", device_that_can_not_fill),
];

const KEY: Key = Key { seed: 0x0F17_0A11, offset: u64::MAX - 50 };
const NORMAL: Init = Init::normal(0.0, 0.02);

/// Before and after the mistake, the list has right fills that are clears and dispatches.
fn mistakes(device: &Device) {
    type Mistake<'a> = (TensorView<'a>, Init, String);
    let buffer = device.sentinel_buffer(64, USAGE);
    let no_storage = device.sentinel_buffer(64, BufferUsages::COPY_SRC | BufferUsages::COPY_DST);
    let regions = mistakes_without_a_buffer();
    let without_a_buffer = regions.iter().map(|(region, init, message)| {
        (TensorView::f32(&buffer, region.clone()), *init, (*message).to_owned())
    });
    let in_buffers = [
        (TensorView::f32(&buffer, [4]).at(2), NORMAL, "the byte offset 2 is not a multiple of 4"),
        (TensorView::f16(&buffer, [4]).at(3), Init::Zeros, "the byte offset 3 is not a multiple of 2"),
        (TensorView::f32(&buffer, [4]).at(52), Init::Zeros, "the tensor needs bytes 52..68 of its buffer"),
        (TensorView::bf16(&buffer, [33]), NORMAL, "the tensor needs bytes 0..68 of its buffer, which has 64"),
        (TensorView::u32(&buffer, [4]), NORMAL, "an initialiser can't write u32"),
        (TensorView::f32(&no_storage, [4]), NORMAL, "the buffer was created with usage"),
        (TensorView::f32(&no_storage, [4]), Init::Zeros, "the buffer was created with usage"),
        (TensorView::f16(&buffer, [4]), Init::constant(7e4), "value = 7e4 overflows f16"),
        (TensorView::f32(&buffer, [2, 4]).row_pitch(12), NORMAL, "a row pitch of 12 bytes"),
        (
            TensorView::f32(&buffer, Region::from([4, 4]).shard([3, 0], [2, 2])),
            NORMAL,
            "the shard has 2 elements from 3",
        ),
        (
            TensorView::f32(&buffer, Region::from([1 << 17, 1 << 17]).elements(0..4)),
            Init::orthogonal(),
            "an orthogonal matrix of 131072 x 131072 has more elements than 32 bits can count",
        ),
    ];
    let in_buffers = in_buffers.map(|(tensor, init, message)| (tensor, init, message.to_owned()));
    let all: Vec<Mistake<'_>> = without_a_buffer.chain(in_buffers).collect();

    let expected = Engine::Host.fill([4], &NORMAL, KEY);
    for (number, (tensor, init, message)) in all.into_iter().enumerate() {
        let index = number % 4;
        let name = ["h.0.weight", "", "3"].get(number % 5);
        let mut fills: Vec<Fill<'_>> = [Init::Zeros, NORMAL, Init::orthogonal()]
            .map(|init| Fill::new(TensorView::f32(&buffer, [4, 4]), init, KEY))
            .into();
        let (fill, called) = match name {
            Some(name) => (Fill::named(*name, tensor, init, KEY), (*name).to_owned()),
            None => (Fill::new(tensor, init, KEY), format!("fill {index}")),
        };
        fills.insert(index, fill.clone());
        let mut second = fills.clone();
        second.push(Fill::named("a second mistake", TensorView::f32(&buffer, [17]), NORMAL, KEY));

        let after = device.sentinel_buffer(64, USAGE);
        device
            .submit(|encoder| {
                for fills in [&fills, &second] {
                    let error = device.recorder.fill_all(encoder, fills).expect_err(&message);
                    assert!(matches!(&error, Error::Fill { fill, .. } if *fill == called), "{error:?}");
                    assert_starts(device.recorder.prepare_all(fills), &error.to_string());
                    assert_starts(Err(error), &format!("{called}: {message}"));
                }
                device
                    .recorder
                    .fill_all(encoder, &[Fill::new(TensorView::f32(&after, [4]).at(24), NORMAL, KEY)])
            })
            .expect("a fill that is right");
        assert_only(&device.read(&buffer), &[], &message);
        assert_only(&device.read(&no_storage), &[], &message);
        assert_only(&device.read(&after), &[(24, &expected)], &message);
    }
}

/// Two fills of one name would get the same stream. Parts of one tensor may share its name, and a tensor may be
/// stored twice on purpose, by its key.
fn duplicate_names(device: &Device) {
    let buffer = device.sentinel_buffer(128, USAGE);
    let model = Key::new(3);
    let whole = |offset: u64| TensorView::f32(&buffer, [4, 2]).at(offset);
    let part = |elements: std::ops::Range<u64>, offset: u64| {
        TensorView::f32(&buffer, Region::from([4, 2]).elements(elements)).at(offset)
    };
    let other = || Fill::named("b", whole(64), NORMAL, model);
    let twice =
        [Fill::named("a", whole(0), NORMAL, model), other(), Fill::named("a", whole(32), NORMAL, model)];
    let with_its_part =
        [Fill::named("a", whole(0), NORMAL, model), Fill::named("a", part(0..4, 32), NORMAL, model)];
    device.submit(|encoder| {
        for fills in [&twice[..], &with_its_part] {
            for result in [device.recorder.fill_all(encoder, fills), device.recorder.prepare_all(fills)] {
                assert_eq!(result, Err(Error::DuplicateName { name: "a".into() }));
            }
        }
    });
    assert_only(&device.read(&buffer), &[], "duplicate names");
    let right = [
        Fill::named("a", part(4..8, 0), NORMAL, model),
        other(),
        Fill::named("a", part(0..4, 16), NORMAL, model),
        Fill::new(whole(96), NORMAL, model.named("b")),
    ];
    device.submit(|encoder| device.recorder.fill_all(encoder, &right)).expect("fills that are right");
    let [a, b] = ["a", "b"].map(|name| Engine::Host.fill([4, 2], &NORMAL, model.named(name)));
    assert_only(&device.read(&buffer), &[(0, &a[4..]), (16, &a[..4]), (64, &b), (96, &b)], "names");
}

/// A limit that is too low for a fill is too low for a list of fills. The limit is the device's, so the error
/// names no fill.
fn device_that_can_not_fill(device: &Device) {
    let all = device.adapter.limits();
    for (limits, limit) in [
        (Limits { max_compute_workgroup_size_x: 1, ..all.clone() }, "max_compute_workgroup_size_x is 1"),
        (
            Limits { max_storage_buffers_per_shader_stage: 0, ..all.clone() },
            "max_storage_buffers_per_shader_stage is 0",
        ),
        (
            Limits { max_storage_buffer_binding_size: 4, ..all.clone() },
            "max_storage_buffer_binding_size is 4",
        ),
    ] {
        let small = device.with_limits(limits);
        let buffer = small.sentinel_buffer(64, NO_COPY_DST);
        let tensor = TensorView::f32(&buffer, [8]);
        let fills = [Fill::new(tensor.clone(), Init::Zeros, KEY), Fill::named("w", tensor, NORMAL, KEY)];
        small.submit(|encoder| {
            for result in [small.recorder.fill_all(encoder, &fills), small.recorder.prepare_all(&fills)] {
                assert_starts(result, &format!("the device's {limit}; a fill needs at least "));
            }
        });
        assert_only(&small.read(&buffer), &[], limit);
    }
}
