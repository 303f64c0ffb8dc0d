//! What a fill writes, and where.

use std::sync::Arc;

use seedbed::program::{Placement, Program};
use seedbed::self_test::{Extent, Trials};
use seedbed::{DType, Init, Key, Region, host};
use seedbed_wgpu_29::{Fill, TensorView};

use crate::device::{Device, NO_COPY_DST, SENTINEL, USAGE, assert_same, assert_starts};

const KEY: Key = Key { seed: 0x5EED_BED5_EED8_ED01, offset: 0xFFFF_FFF0 };
const NORMAL: Init = Init::normal(0.0, 0.02);
const TYPES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];
/// A matrix and a convolution: each initialiser takes one of the two.
const SHAPES: [&[u64]; 2] = [&[66, 35], &[6, 5, 3, 3]];

/// Every initialiser that the library knows, with the arguments of its example, and a shape that it takes.
fn every_initialiser() -> Vec<(Init, &'static [u64])> {
    let cases = Init::signatures().map(|signature| {
        let init: Init = signature.example.parse().expect("an example that can be read");
        let takes =
            |shape: &&[u64]| host::fill(&mut vec![0.0; elements_of(shape)], *shape, &init, KEY).is_ok();
        (init, SHAPES.into_iter().find(takes).unwrap_or_else(|| panic!("{init} takes no shape")))
    });
    let cases: Vec<_> = cases.collect();
    assert!(cases.len() >= 20, "{}", cases.len());
    cases
}

fn elements_of(shape: &[u64]) -> usize {
    shape.iter().product::<u64>() as usize
}

/// The library's self-test, by this recorder: every initialiser and type, any place, 64-bit indices, batches.
/// One adapter that computes on the CPU is enough for all of that.
pub fn self_test(device: &Device) {
    let is_another = ["gl", "swiftshader"].contains(&&*device.name) || device.name.starts_with("lavapipe-");
    let extent = if is_another { Extent::Short } else { Extent::Full };
    let mut trials = Trials::new(extent);
    loop {
        let needed = trials.needed();
        if needed.is_empty() {
            break;
        }
        for number in needed {
            let Some(task) = trials.plan(number, device.recorder.planner()).expect("a device that can fill")
            else {
                continue;
            };
            let buffer = device.sentinel_buffer(task.bytes, USAGE);
            let replayed = device.submit(|encoder| {
                task.programs.iter().try_for_each(|one| device.recorder.replay(encoder, one, &[&buffer]))
            });
            match replayed {
                Ok(()) => trials.compare(number, &device.read_all(&buffer)),
                Err(error) => trials.fail(number, error),
            }
        }
    }
    let report = trials.report();
    assert!(report.passed(), "{report}");
}

pub fn every_initialiser_and_type(device: &Device) {
    for (number, (init, shape)) in (0..).zip(every_initialiser()) {
        for dtype in TYPES {
            // Any multiple of the element's size.
            let offset = dtype.size() * (number % 9);
            let placement = Placement { offset, ..Placement::new(dtype, shape) };
            device.check(4 * 66 * 35 + 64, USAGE, &placement, &init, KEY);
        }
    }
    // Several panels and chunks.
    let orthogonal = Placement::new(DType::F32, [300, 130]);
    device.check(4 * 300 * 130, USAGE, &orthogonal, &Init::orthogonal(), KEY);
    let words = device.sentinel_buffer(4100, USAGE);
    let region = Region::from([1_u64 << 40]).elements((1_u64 << 34) - 5..(1 << 34) + 1000);
    let view = TensorView::u32(&words, region.clone()).at(20);
    device.submit(|encoder| device.recorder.fill_words(encoder, &view, KEY)).expect("a right fill");
    let mut expected = vec![0; 1005];
    host::fill_words(&mut expected, region, KEY).expect("a right fill");
    let mut bytes = vec![SENTINEL; 4100];
    bytes[20..20 + 4020].copy_from_slice(bytemuck::cast_slice(&expected));
    assert_same(&device.read_all(&words), &bytes, "words");
}

/// Parts, odd offsets, halves of words and padded rows.
fn placements(dtype: DType) -> Vec<Placement<'static>> {
    let whole = || Region::from([40, 50]);
    let size = dtype.size();
    let mut all = Vec::new();
    for offset in [0, size, 3 * size, 4 + size, 16, 256 - size, 260] {
        for region in [
            whole(),
            whole().elements(0..3),
            whole().elements(1..1502),
            whole().elements(2..2000),
            whole().shard([0, 7], [40, 13]),
            whole().shard([11, 0], [5, 50]),
        ] {
            let row = region.local_shape().last().copied().unwrap_or(1) * size;
            for row_pitch in [None, Some(row + size), Some(row.next_multiple_of(256))] {
                // A range of elements has no rows.
                let placement = Placement { offset, row_pitch, ..Placement::new(dtype, region.clone()) };
                if placement.bytes(1 << 20).is_ok() {
                    all.push(placement);
                }
            }
        }
    }
    assert!(all.len() > 80, "{}", all.len());
    all
}

pub fn places(device: &Device) {
    for dtype in TYPES {
        for (number, placement) in placements(dtype).into_iter().enumerate() {
            let init = [NORMAL, Init::constant(-1.5), Init::Zeros, Init::uniform(-0.3, 0.7)][number % 4];
            let usage = if number % 3 == 0 { NO_COPY_DST } else { USAGE };
            device.check(1 << 15, usage, &placement, &init, KEY);
        }
    }
}

const SLOT: u64 = 1 << 15;
const SLOTS: u64 = 60;
const SIZE: u64 = SLOT * SLOTS;

/// A list of everything, in two buffers: with names and without, parts, and fills that overwrite others.
fn list(buffers: &[wgpu::Buffer; 2]) -> Vec<Fill<'_>> {
    let mut fills = Vec::new();
    let mut add = |placement: Placement<'static>, init: Init| {
        let number = fills.len();
        let view = TensorView::from_placement(&buffers[number % 2], placement);
        fills.push(match number % 3 {
            0 => Fill::new(view, init, KEY),
            _ => Fill::named(format!("layer.{number}"), view, init, KEY),
        });
    };
    for (number, (init, shape)) in (0..).zip(every_initialiser()) {
        let offset = SLOT * number;
        let dtype = TYPES[number as usize % 3];
        add(Placement { offset, ..Placement::new(dtype, shape) }, init);
    }
    for (number, placement) in (30..).zip(placements(DType::F16).into_iter().step_by(5)) {
        let offset = SLOT * number + placement.offset;
        add(Placement { offset, ..placement }, [NORMAL, Init::Ones][number as usize % 2]);
    }
    // Enough to be cleared, then in part overwritten.
    for offset in [SLOT * 55, SLOT * 55 + 4] {
        add(Placement { offset, ..Placement::new(DType::F32, [SLOT]) }, Init::Zeros);
    }
    add(Placement { offset: SLOT * 56, ..Placement::new(DType::F32, [100]) }, NORMAL);
    add(Placement { offset: SLOT * 56 + 100, ..Placement::new(DType::F32, [100]) }, Init::Ones);
    fills
}

/// The bytes of both buffers, by the host.
fn by_the_host(fills: &[Fill<'_>], buffers: &[wgpu::Buffer; 2]) -> [Vec<u8>; 2] {
    let mut memory = [(); 2].map(|()| vec![SENTINEL; SIZE as usize]);
    for fill in fills {
        let index = usize::from(fill.tensor().buffer() == &buffers[1]);
        host::fill_buffer(&mut memory[index], fill.tensor().placement(), fill.init(), fill.key())
            .expect("a right fill");
    }
    memory
}

fn assert_buffers(device: &Device, buffers: &[wgpu::Buffer; 2], expected: &[Vec<u8>; 2], what: &str) {
    for (number, (buffer, expected)) in buffers.iter().zip(expected).enumerate() {
        assert_same(&device.read_all(buffer), expected, (what, number));
    }
}

pub fn lists(device: &Device) {
    let new = |usage| [(); 2].map(|()| device.sentinel_buffer(SIZE, usage));
    for usage in [USAGE, NO_COPY_DST] {
        let buffers = new(usage);
        let fills = list(&buffers);
        let (program, _) = device.recorder.plan(&fills).expect("fills that are right");
        assert_eq!(program.clears.is_empty(), usage == NO_COPY_DST, "zeros are clears where they may be");
        let expected = by_the_host(&fills, &buffers);
        device.submit(|encoder| device.recorder.fill_all(encoder, &fills)).expect("fills that are right");
        assert_buffers(device, &buffers, &expected, "a list");
    }
    // One after the other, in one encoder.
    let buffers = new(USAGE);
    let fills = list(&buffers);
    let result = device.submit(|encoder| {
        let record = |fill: &Fill<'_>| device.recorder.fill(encoder, fill.tensor(), fill.init(), fill.key());
        fills.iter().try_for_each(record)
    });
    result.expect("fills that are right");
    assert_buffers(device, &buffers, &by_the_host(&fills, &buffers), "one by one");
}

/// A program that was stored is recorded again and again, into the same buffers and into others.
pub fn stored_programs(device: &Device) {
    let buffers = [(); 2].map(|()| device.sentinel_buffer(SIZE, USAGE));
    let fills = list(&buffers);
    let (planned, order) = device.recorder.plan(&fills).expect("fills that are right");
    assert_eq!(order, buffers.each_ref());
    let text = serde_json::to_string(&planned).expect("a program that can be stored");
    let program: Program = serde_json::from_str(&text).expect("a program that can be read");
    assert_eq!(program, planned);
    let others = [(); 2].map(|()| device.sentinel_buffer(SIZE, USAGE));
    for into in [&buffers, &others] {
        let result = device.submit(|encoder| {
            device.recorder.replay(encoder, &program, &into.each_ref())?;
            device.recorder.replay(encoder, &program, &into.each_ref())
        });
        result.expect("a program that fits");
        assert_buffers(device, into, &by_the_host(&fills, &buffers), "a program");
    }
}

/// One fill takes many bindings and many dispatches.
pub fn small_bindings(device: &Device) {
    for (binding, workgroups) in [(4096, 1), (65_536, 3)] {
        let small = device.with_limits(|limits| {
            limits.max_storage_buffer_binding_size = binding;
            limits.max_compute_workgroups_per_dimension = workgroups;
        });
        for dtype in TYPES {
            let region = Region::from([1_u64 << 40]).elements(3..50_004);
            let placement = Placement { offset: 20, ..Placement::new(dtype, region) };
            small.check(4 * 50_100, USAGE, &placement, &NORMAL, KEY);
            let shard = Region::from([300, 200]).shard([5, 1], [290, 150]);
            let placement = Placement { offset: 6 * 4, ..Placement::new(dtype, shard) };
            small.check(4 * 50_100, NO_COPY_DST, &placement, &Init::uniform(-1.0, 1.0), KEY);
        }
    }
}

/// A tensor that is larger than a binding of many devices.
pub fn beyond_one_binding(device: &Device) {
    const ELEMENTS: u64 = 36 * (1 << 20) + 1;
    const SIZE: u64 = 4 * ELEMENTS;
    let device = device.with_limits(|limits| {
        limits.max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.min(128 << 20);
    });
    let buffer = device.sentinel_buffer(SIZE + 8, USAGE);
    let view = TensorView::f32(&buffer, [ELEMENTS]).at(4);
    device.submit(|encoder| device.recorder.fill(encoder, &view, &NORMAL, KEY)).expect("a right fill");
    let (program, _) = device.recorder.plan(&[Fill::new(view, NORMAL, KEY)]).expect("a right fill");
    assert!(program.dispatches.len() > 1);
    // The ends, and both sides of the border between the bindings.
    let border = program.dispatches[1].bindings[1].offset;
    let middle = Region::from([ELEMENTS]);
    for start in [4, border - (1 << 20), SIZE + 4 - (2 << 20)] {
        let first = (start - 4) / 4;
        let mut expected = vec![0_f32; 1 << 19];
        let elements = middle.clone().elements(first..first + (1 << 19));
        host::fill(&mut expected, elements, &NORMAL, KEY).expect("a right fill");
        let bytes = device.read(&buffer, start, start + (2 << 20));
        assert_same(&bytes, bytemuck::cast_slice(&expected), start);
    }
    assert_eq!(device.read(&buffer, 0, 4), [SENTINEL; 4]);
    assert_eq!(device.read(&buffer, SIZE + 4, SIZE + 8), [SENTINEL; 4]);
}

/// `prepare` compiles what the fill needs, for all clones of the recorder. A kernel that is compiled can't
/// take another text, and one that is not compiled can't take a wrong one, so errors tell the two apart.
pub fn prepared(device: &Device) {
    // A clear has no kernel.
    let buffer = device.sentinel_buffer(4 * 40 * 30, NO_COPY_DST);
    for init in [NORMAL, Init::trunc_normal(0.0, 1.0, -2.0, 2.0), Init::sparse(0.5), Init::orthogonal()] {
        let recorder = device.fresh_recorder();
        let fill = [Fill::new(TensorView::f32(&buffer, [40, 30]), init, KEY)];
        let (program, buffers) = recorder.plan(&fill).expect("a right fill");
        let mut wrong = program.clone();
        let kernel = wrong.kernels.last_mut().expect("a fill with a kernel");
        Arc::make_mut(kernel).wgsl = "no WGSL".into();
        let label = kernel.label.clone();
        let compiles = format!("the GPU failed: the kernel {label} does not compile: ");
        let other = format!("the program can't be replayed: its kernel {label} is not this recorder's");
        let replay = |message: &str| {
            assert_starts(recorder.replay(&mut device.encoder(), &wrong, &buffers), message);
        };
        replay(&compiles);
        recorder.clone().prepare(&init, DType::F32).expect("a right initialiser");
        replay(&other);
        let recorder = device.fresh_recorder();
        recorder.prepare_all(&fill).expect("a right fill");
        assert_starts(recorder.replay(&mut device.encoder(), &wrong, &buffers), &other);
        device.submit(|encoder| recorder.replay(encoder, &program, &buffers)).expect("a right program");
    }
}

/// Clones of a recorder are used by two threads at the same time.
pub fn two_threads(device: &Device) {
    let buffers = [(); 2].map(|()| device.sentinel_buffer(4 * 10_000, USAGE));
    let recorder = device.fresh_recorder();
    let inits = [NORMAL, Init::uniform(0.0, 1.0)];
    std::thread::scope(|scope| {
        for (buffer, init) in buffers.iter().zip(&inits) {
            let recorder = recorder.clone();
            scope.spawn(move || {
                let mut encoder = device.encoder();
                let view = TensorView::f32(buffer, [100, 100]);
                recorder.fill(&mut encoder, &view, init, KEY).expect("a right fill");
                device.queue.submit([encoder.finish()]);
            });
        }
    });
    for (buffer, init) in buffers.iter().zip(&inits) {
        let mut expected = vec![0_f32; 10_000];
        host::fill(&mut expected, [100, 100], init, KEY).expect("a right fill");
        assert_same(&device.read_all(buffer), bytemuck::cast_slice(&expected), init);
    }
}
