//! A list of fills writes the same bytes as its fills, recorded one after the other.

use proptest::prelude::*;
use seedbed::wgpu::{Buffer, BufferUsages};
use seedbed::{DType, Error, Fill, Init, Key, TensorView, host};

use crate::Check;
use crate::harness::assertions::assert_only;
use crate::harness::cases::initialisers_of;
use crate::harness::destinations::{BufferSpec, Job, Part, assert_buffers, buffers, simulate};
use crate::harness::engines::{Device, Engine, NO_COPY_DST, SENTINEL, USAGE};
use crate::harness::shards::{Shard, random_key};
use crate::harness::{destinations, random};
use crate::reference::half::ALL;

pub const CHECKS: &[Check] = &[
    Check::device("memory::fill_all_random", random_lists),
    Check::device("memory::fill_all_over_one_another", over_one_another),
    Check::device("memory::fill_all_zeros", zeros),
    Check::device("memory::fill_all_of_one_kind", of_one_kind),
    Check::device("memory::fill_all_ten_thousand", ten_thousand),
    Check::device("memory::fill_all_of_nothing", of_nothing),
    Check::device("memory::fill_all_named", named),
    Check::device("memory::fill_all_stored", stored),
    Check::device("memory::fill_all_many_buffers", many_buffers),
    Check::device("memory::fill_alls_of_one_encoder", fill_alls_of_one_encoder),
    Check::device("memory::fill_all_prepared", prepared),
];

const KEY: Key = Key { seed: 0x0F17_0A11, offset: u64::MAX - 50 };
const NORMAL: Init = Init::normal(0.0, 0.02);

pub fn job(shape: &[u64], dtype: DType, init: Init, buffer: usize, offset: u64) -> Job {
    let shape = shape.to_vec();
    Job { shape, part: Part::Whole, dtype, init, key: KEY, name: None, buffer, offset, pitch: None }
}

/// The same jobs, each with a key of its own.
pub fn with_keys(jobs: impl IntoIterator<Item = Job>) -> Vec<Job> {
    (0..).zip(jobs).map(|(i, job)| Job { key: KEY.fold_in(i), ..job }).collect()
}

pub fn check(device: &Device, specs: &[BufferSpec], jobs: &[Job]) {
    destinations::check(device, specs, jobs, |job| job.take(&job.whole()));
}

pub fn record_list(device: &Device, buffers: &[Buffer], jobs: &[Job]) {
    let fills: Vec<Fill<'_>> = jobs.iter().map(|job| job.to_fill(buffers)).collect();
    device.submit(|encoder| device.recorder.fill_all(encoder, &fills)).expect("fills that are right");
}

const SIZE: u64 = 2048;

/// A job of a list: any part of a small tensor, at any offset of one of two buffers.
fn random_job(initialisers: fn(&[u64]) -> Vec<Init>) -> impl Strategy<Value = Job> {
    use prop::sample::{Index, select};
    let shape = (0..=4_usize).prop_flat_map(|rank| {
        let len = prop_oneof![20 => 1..=[1_u64, 300, 20, 7, 4][rank], 1 => Just(0)];
        prop::collection::vec(len, rank)
    });
    let init = prop_oneof![
        2 => Just(None),
        1 => Just(Some(Init::Zeros)),
        1 => Just(Some(NORMAL)),
    ];
    let part = prop::collection::vec((any::<Index>(), any::<Index>()), 4);
    let destination = (0..2_usize, prop::option::of(any::<Index>()), prop::option::of(0..7_u64));
    let name = prop::option::of("[a-c.]{0,3}");
    (shape, (select(ALL.as_slice()), init, any::<Index>()), (0..3, part), destination, random_key(), name)
        .prop_map(move |(shape, (dtype, init, index), (part, ends), (buffer, at, padding), key, name)| {
            let init = init.unwrap_or_else(|| *index.get(&initialisers(&shape)));
            let range = |len: u64, (a, b): &(Index, Index)| {
                let [a, b] = [a, b].map(|x| x.index(len as usize + 1) as u64);
                a.min(b)..a.max(b)
            };
            let part = match part {
                0 => Part::Whole,
                1 => Part::Elements(range(shape.iter().product(), &ends[0])),
                _ => {
                    let ranges: Vec<_> =
                        shape.iter().zip(&ends).map(|(&len, ends)| range(len, ends)).collect();
                    let start = ranges.iter().map(|range| range.start).collect();
                    let shape = ranges.iter().map(|range| range.end - range.start).collect();
                    Part::Shard(Shard { start, shape })
                }
            };
            let mut job = Job { shape, part, dtype, init, key, name, buffer, offset: 0, pitch: None };
            let size = dtype.size();
            let (row, rows) = {
                let region = job.region();
                let local = region.local_shape();
                (local.last().copied().unwrap_or(1), local.iter().rev().skip(1).product::<u64>())
            };
            let pitch = padding.map(|padding| size * (row + padding));
            job.pitch = pitch.filter(|pitch| rows * pitch <= SIZE);
            let span = rows * job.pitch.unwrap_or(size * row);
            let offsets = (SIZE - span) / size + 1;
            job.offset = size * at.map_or(1.min(offsets - 1), |at| at.index(offsets as usize) as u64);
            job
        })
}

/// Fills overlap in any order, and the last fill wins.
pub fn check_random_lists(device: &Device, count: u32, initialisers: fn(&[u64]) -> Vec<Init>) {
    let lists = (prop::collection::vec(random_job(initialisers), 0..24), any::<[bool; 2]>());
    random::cases(count, lists, |(jobs, copy_dst)| {
        let specs = copy_dst.map(|copy_dst| (SIZE, if copy_dst { USAGE } else { NO_COPY_DST }));
        check(device, &specs, &jobs);
    });
}

fn random_lists(device: &Device) {
    check_random_lists(device, 150, initialisers_of);
}

/// Each tensor of a list overlaps the one before it. The list has all types and initialisers, and both orders
/// are filled.
fn over_one_another(device: &Device) {
    let inits = initialisers_of(&[19, 13]);
    for usage in [USAGE, NO_COPY_DST] {
        for (shift, stride) in [(0, 0), (2, 2), (4, 4), (6, 250), (0, 480), (2, 988)] {
            let jobs = (0..3 * inits.len()).map(|i| {
                let dtype = ALL[(i + i / 3) % 3];
                let offset = shift + stride * i as u64;
                job(&[19, 13], dtype, inits[i % inits.len()], 0, offset / dtype.size() * dtype.size())
            });
            let mut jobs = with_keys(jobs);
            let specs = [(1100 + shift + stride * jobs.len() as u64 / 4 * 4, usage)];
            let specs = specs.map(|(size, usage)| (size.next_multiple_of(4), usage));
            check(device, &specs, &jobs);
            jobs.reverse();
            check(device, &specs, &jobs);
            // These jobs all have one type.
            let jobs: Vec<Job> = jobs.into_iter().filter(|job| job.dtype == DType::F16).collect();
            check(device, &specs, &jobs);
        }
    }
}

/// Fills with 0, which may be clears, come before, between and after other fills of the same bytes and of
/// halves of words.
fn zeros(device: &Device) {
    let zero = Init::Zeros;
    for usages in [[USAGE, USAGE], [NO_COPY_DST, USAGE], [NO_COPY_DST, NO_COPY_DST]] {
        let specs = usages.map(|usage| (600, usage));
        for dtype in ALL {
            let at =
                |buffer, elements, len: u64, init| job(&[len], dtype, init, buffer, elements * dtype.size());
            for jobs in [
                vec![at(0, 1, 100, NORMAL), at(0, 1, 100, zero)],
                vec![at(0, 1, 100, zero), at(0, 1, 100, NORMAL)],
                vec![at(0, 1, 100, zero), at(0, 50, 1, NORMAL), at(0, 20, 61, zero)],
                vec![at(0, 1, 100, NORMAL), at(0, 50, 1, zero), at(0, 50, 3, Init::Ones), at(0, 52, 1, zero)],
                vec![at(0, 0, 50, zero), at(0, 50, 51, zero), at(0, 101, 3, zero)],
                vec![at(0, 4, 50, zero), at(1, 4, 50, NORMAL), at(1, 8, 9, zero), at(0, 8, 9, NORMAL)],
                vec![
                    at(0, 4, 50, Init::constant(-0.0)),
                    at(0, 4, 49, zero),
                    at(0, 5, 1, Init::constant(0.0)),
                ],
            ] {
                check(device, &specs, &with_keys(jobs));
            }
        }
        // The types alternate in the same words.
        let jobs = (0..40).map(|i| {
            let (dtype, init) = (ALL[i % 3], [zero, NORMAL, zero, Init::Ones, zero][i % 5]);
            job(&[20 - i as u64 / 4], dtype, init, i % 2, [4, 6, 8][i % 3 * usize::from(dtype != DType::F32)])
        });
        check(device, &specs, &with_keys(jobs));
    }
}

/// A fill that needs a table or a matrix has one of its own.
fn of_one_kind(device: &Device) {
    let truncated = (0..30_u32).map(|i| {
        let init = Init::trunc_normal(0.0, 1.0, -0.5 - f64::from(i % 7), 0.25 + f64::from(i % 5));
        ([31, 3 + u64::from(i)], init)
    });
    let orthogonal = [[33, 31], [31, 33], [1, 90], [64, 64], [33, 31], [5, 5], [100, 7]]
        .into_iter()
        .zip([1.0, 1.0, 2.0, 0.5, 3.0, 0.0, 1.0])
        .map(|(shape, gain)| (shape, Init::Orthogonal { gain }));
    let sparse = (1..20_u32).map(|i| ([u64::from(i * 7), 9], Init::sparse(f64::from(i) / 20.0)));
    let eye = (1..20).map(|i| ([i * 3, 40 - i], Init::Eye));
    let all = truncated.chain(orthogonal).chain(sparse).chain(eye);
    let all: Vec<([u64; 2], Init)> = all.collect();
    // With a step of 1, jobs of a kind follow each other. With a step of 32, kinds alternate.
    for step in [1, 32] {
        for types in [&ALL[..1], &ALL[1..2], &ALL] {
            let mut end = 2;
            let jobs = (0..all.len()).map(|i| {
                let (shape, init) = all[i * step % all.len()];
                let dtype = types[i % types.len()];
                let offset = end / dtype.size() * dtype.size() + dtype.size();
                end = offset + shape[0] * shape[1] * dtype.size();
                job(&shape, dtype, init, 0, offset)
            });
            let jobs = with_keys(jobs);
            check(device, &[(end.next_multiple_of(4) + 8, USAGE)], &jobs);
        }
    }
}

/// The list has more fills than one parameter buffer or one dispatch can hold. Each fill has one to seven
/// elements, and some fills share a word. A part of the list is also recorded one after the other.
fn ten_thousand(device: &Device) {
    let inits = [NORMAL, Init::Zeros, Init::uniform(0.0, 1.0), Init::Ones, NORMAL];
    let mut end = 6;
    let jobs: Vec<Job> = with_keys((0..10_000).map(|i| {
        let (dtype, len) = (ALL[i / 7 % 3], (i * i % 7) as u64 + 1);
        let offset = u64::next_multiple_of(end, dtype.size());
        end = offset + len * dtype.size();
        job(&[len], dtype, inits[i / 3 % 5], 0, offset)
    }));
    let specs = [(end.next_multiple_of(4) + 4, USAGE)];
    let expected = simulate(&specs, &jobs, |job| job.take(&job.whole()));
    let buffers = buffers(device, &specs);
    record_list(device, &buffers, &jobs);
    assert_buffers(device, &buffers, &expected, "ten thousand");
    check(device, &specs, &jobs[4000..4100]);
}

fn of_nothing(device: &Device) {
    let specs = [(64, USAGE), (64, NO_COPY_DST)];
    check(device, &specs, &[]);
    let nothing = [
        job(&[0], DType::F32, NORMAL, 0, 64),
        job(&[3, 0], DType::F16, Init::Zeros, 0, 2),
        job(&[0, 3], DType::F32, Init::xavier_uniform(), 1, 0),
        job(&[0, 3, 5], DType::BF16, Init::dirac(), 1, 10),
        job(&[0, 4], DType::F32, Init::orthogonal(), 1, 8),
        Job { part: Part::Elements(7..7), ..job(&[9], DType::F32, NORMAL, 0, 64) },
        Job {
            part: Part::Shard(Shard { start: vec![9, 0], shape: vec![0, 4] }),
            ..job(&[9, 4], DType::F16, NORMAL, 1, 64)
        },
    ];
    check(device, &specs, &nothing);
    // Fills without elements are mixed with others.
    let others =
        [job(&[3], DType::F16, Init::Ones, 0, 2), job(&[9, 1], DType::F32, Init::orthogonal(), 1, 4)];
    let [first, second] = others;
    let mixed: Vec<Job> = [&nothing[..3], &[first], &nothing[3..], &[second], &nothing].concat();
    check(device, &specs, &mixed);
    check(device, &specs, &with_keys(mixed));
}

/// The key of a fill depends on its name, and not on its place in the list.
fn named(device: &Device) {
    let model = Key::new(42);
    let names = ["", "h.0.attn.weight", "h.1.attn.weight", "fc.bias", "π", "h.0.attn.bias"];
    let buffer = device.sentinel_buffer(6 * 400, USAGE);
    let shape = [10, 10];
    let tensor = |i: u64| TensorView::f32(&buffer, shape).at(400 * i);
    let fills = (0..).zip(names).map(|(i, name)| match i % 2 {
        0 => Fill::named(name, tensor(i), NORMAL, model),
        _ => Fill::named(name.to_owned(), tensor(i), NORMAL, model),
    });
    let mut fills: Vec<Fill<'_>> = fills.collect();
    let values = names.map(|name| Engine::Host.fill(shape, &NORMAL, model.named(name)));
    let written: Vec<(u64, &[f32])> = (0..).zip(&values).map(|(i, values)| (400 * i, &values[..])).collect();
    for _ in 0..2 {
        device.submit(|encoder| {
            encoder.clear_buffer(&buffer, 0, None);
            device.recorder.fill_all(encoder, &fills).expect("fills that are right");
        });
        assert_only(&device.read(&buffer), &written, "names");
        fills.reverse();
    }
}

/// A fill that was stored outlives everything that it was made from, and says what it was made from.
fn stored(device: &Device) {
    let model = Key::new(11);
    let make = || -> Vec<Fill<'static>> {
        let buffer = device.sentinel_buffer(256, USAGE);
        let (shape, name) = (vec![3_usize, 5], String::from("w"));
        let padded = TensorView::f32(&buffer, &shape).at(16_usize).row_pitch(32_u32);
        let fills = [
            Fill::named(&*name, padded, NORMAL, model),
            Fill::new(TensorView::bf16(&buffer, &shape).at(128_i64), Init::ones(), model),
        ];
        fills.map(Fill::into_owned).into()
    };
    let fills = make();
    let [named, unnamed] = &fills[..] else { unreachable!("two fills were made") };
    assert_eq!((named.name(), unnamed.name()), (Some("w"), None));
    assert_eq!((named.key(), unnamed.key()), (model.named("w"), model));
    assert_eq!((*named.init(), *unnamed.init()), (NORMAL, Init::Ones));
    assert_eq!(named.tensor().buffer(), unnamed.tensor().buffer());
    let placement = named.tensor().placement();
    assert_eq!((placement.dtype, placement.offset, placement.row_pitch), (DType::F32, 16, Some(32)));
    assert_eq!(placement.region.shape(), [3, 5]);
    assert_eq!((named.tensor().bytes(), unnamed.tensor().bytes()), (Ok(16..16 + 2 * 32 + 20), Ok(128..158)));
    assert!(matches!(named.tensor().clone().at(200).bytes(), Err(Error::BufferTooSmall { .. })));

    let other = named.clone().with_key(Key::new(12).named("w"));
    assert_eq!((other.name(), other.key()), (Some("w"), Key::new(12).named("w")));
    assert_eq!(unnamed.tensor().next_offset(), Ok(160));
    let again = TensorView::from_placement(named.tensor().buffer(), placement.clone());
    assert_eq!(again.bytes(), named.tensor().bytes());

    let mut expected = vec![SENTINEL; 256];
    for fill in &fills {
        host::fill_buffer(&mut expected, fill.tensor().placement(), fill.init(), fill.key()).expect("right");
    }
    for _ in 0..2 {
        device.submit(|encoder| device.recorder.fill_all(encoder, &fills)).expect("fills that are right");
        assert_eq!(device.read(named.tensor().buffer()), expected);
    }
    // A plan is made once and recorded again.
    let (program, buffers) = device.recorder.plan(&fills).expect("fills that are right");
    assert_eq!(buffers, [named.tensor().buffer()]);
    for _ in 0..2 {
        device.submit(|encoder| {
            encoder.clear_buffer(buffers[0], 0, None);
            device.recorder.replay(encoder, &program, &buffers).expect("a program that fits");
        });
        let cleared: Vec<u8> = device.read(buffers[0]);
        let mut expected = vec![0; 256];
        for fill in &fills {
            host::fill_buffer(&mut expected, fill.tensor().placement(), fill.init(), fill.key())
                .expect("right");
        }
        assert_eq!(cleared, expected);
    }
}

/// There are more buffers than a device has bindings. Their usages are all those that a storage buffer can
/// have.
fn many_buffers(device: &Device) {
    use BufferUsages as Usage;
    let others =
        [Usage::empty(), Usage::COPY_DST, Usage::VERTEX, Usage::INDEX, Usage::UNIFORM, Usage::INDIRECT];
    let specs: Vec<BufferSpec> = (0..150).map(|i| (36 + 4 * i as u64, NO_COPY_DST | others[i % 6])).collect();
    let inits = [NORMAL, Init::Zeros, Init::trunc_normal(0.0, 1.0, -1.0, 2.0), Init::Ones];
    // The list goes over all buffers twice, so that each buffer occurs again after all others.
    let jobs = (0..300).map(|i| {
        let dtype = ALL[i % 7 % 3];
        let len = 3 + (i % 6) as u64;
        job(&[len], dtype, inits[i / 2 % 4], i % 150, (i % 5) as u64 / 4 * 2 * dtype.size())
    });
    check(device, &specs, &with_keys(jobs));
}

/// Lists, single fills and clears of one encoder happen in the order in which they were recorded.
fn fill_alls_of_one_encoder(device: &Device) {
    let specs = [(SIZE, USAGE), (SIZE, NO_COPY_DST)];
    let all: Vec<Job> = with_keys((0..60_usize).map(|i| {
        let dtype = ALL[i % 3];
        let inits = initialisers_of(&[7, 11]);
        job(
            &[7, 11],
            dtype,
            inits[i % inits.len()],
            i / 2 % 2,
            (i * 97 % 800) as u64 / 2 * 2 * dtype.size() / 2,
        )
    }));
    let (first, single, second) = (&all[..30], &all[30], &all[31..]);
    let mut expected = simulate(&specs, &all, |job| job.take(&job.whole()));
    expected[0][100..120].fill(0);
    let buffers = buffers(device, &specs);
    device
        .submit(|encoder| {
            let [first, second] = [first, second]
                .map(|jobs| jobs.iter().map(|job| job.to_fill(&buffers)).collect::<Vec<Fill<'_>>>());
            device.recorder.fill_all(encoder, &first)?;
            device.recorder.fill_all(encoder, &[])?;
            single.record(device, encoder, &buffers)?;
            device.recorder.fill_all(encoder, &second)?;
            encoder.clear_buffer(&buffers[0], 100, Some(20));
            Ok::<(), Error>(())
        })
        .expect("fills that are right");
    assert_buffers(device, &buffers, &expected, "one encoder");
}

/// A new recorder, for which nothing is compiled yet, is prepared for all fills, for some of them, or for
/// none.
fn prepared(device: &Device) {
    let inits = [NORMAL, Init::Zeros, Init::uniform(0.0, 2.0), Init::Ones, Init::Eye, Init::xavier_normal()];
    let jobs = with_keys((0..inits.len()).map(|i| job(&[9, 5], ALL[i % 2], inits[i], 0, 180 * i as u64)));
    let specs = [(180 * jobs.len() as u64, USAGE)];
    let expected = simulate(&specs, &jobs, |job| job.take(&job.whole()));
    for prepared in [0, 3, jobs.len()] {
        let recorder = device.fresh_recorder();
        let buffers = buffers(device, &specs);
        let fills: Vec<Fill<'_>> = jobs.iter().map(|job| job.to_fill(&buffers)).collect();
        recorder.prepare_all(&fills[..prepared]).expect("fills that are right");
        device.submit(|encoder| recorder.fill_all(encoder, &fills)).expect("fills that are right");
        assert_buffers(device, &buffers, &expected, prepared);
    }
}
