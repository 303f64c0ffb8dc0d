//! Mistakes in initialisers and with 16-bit types. Tensors without elements, which are no mistake.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use seedbed::{
    Axes, DType, Error, FanMode, Framework, Init, Kaiming, Key, Region, ScaledDistribution, TensorView,
    VarianceScaling, host,
};

use crate::Check;
use crate::harness::assertions::{assert_only, assert_only_halves, assert_starts};
use crate::harness::cases::every_initialiser;
use crate::harness::engines::{Device, Engine, SENTINEL, USAGE, elements_of};
use crate::reference::half::ALL;

pub const CHECKS: &[Check] = &[
    Check::host("errors::initialisers_on_the_host", on_the_host),
    Check::host("errors::moments_of_mistakes", moments_of_mistakes),
    Check::device("errors::initialisers_and_working_on", and_working_on),
    Check::device("errors::halves_in_buffers", halves_in_buffers),
    Check::host("errors::without_elements_on_the_host", without_elements_on_the_host),
    Check::device("errors::without_elements", without_elements),
];

const KEY: Key = Key::new(16);

/// An element type, a shape, an initialiser that does not fit, and the beginning of the message.
type Mistake = (DType, &'static [u64], Init, &'static str);

/// Mistakes in initialisers of PyTorch. If PyTorch has a message for a mistake, the message begins with it.
fn torchs() -> Vec<Mistake> {
    use DType::{BF16, F16, F32};
    let kaiming = |kaiming| [Init::KaimingUniform(kaiming), Init::KaimingNormal(kaiming)];
    let [uniform, normal] = kaiming(Kaiming::default());
    let [avg_uniform, avg_normal] = kaiming(Kaiming { mode: FanMode::FanAvg, ..Kaiming::default() });
    let [geo, _] = kaiming(Kaiming { mode: FanMode::FanGeoAvg, ..Kaiming::default() });
    let nan_slope = kaiming(Kaiming { a: f64::NAN, ..Kaiming::default() });
    let fans = "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions";
    let two = "Only tensors with 2 dimensions are supported";
    let three = "Only tensors with 3, 4, or 5 dimensions are supported";
    let range = "uniform_ expects to return a [from, to) range, but found from=";
    let width = "uniform_ expects to-from <= std::numeric_limits<float>::max(), but found to=";
    let truncated = "trunc_normal expects a < b, but found a=";
    let infinity = f64::INFINITY;
    vec![
        (
            F32,
            &[4],
            Init::uniform(1.0, 0.5),
            "uniform_ expects to return a [from, to) range, but found from=1 > to=0.5",
        ),
        (F16, &[4], Init::uniform(1e-9, -1e-9), range),
        (F32, &[4], Init::uniform(-3e38, 3e38), width),
        (F32, &[4], Init::uniform(f64::NAN, 1.0), "a is NaN; it must be finite"),
        (F32, &[4], Init::uniform(0.0, infinity), "b is inf; it must be finite"),
        (F32, &[4], Init::uniform(0.0, 1e39), "b = 1e39 overflows f32"),
        (F16, &[4], Init::uniform(0.0, 7e4), "b = 7e4 overflows f16; the largest is 6.5504e4"),
        (F16, &[4], Init::uniform(-7e4, 0.0), "a = -7e4 overflows f16"),
        (F16, &[4], Init::normal(7e4, 1.0), "mean = 7e4 overflows f16"),
        (F16, &[4], Init::constant(65_520.0), "value = 6.552e4 overflows f16; the largest is 6.5504e4"),
        (F16, &[4], Init::constant(-1e6), "value = -1e6 overflows f16"),
        (BF16, &[4], Init::constant(3.4e38), "value = 3.4e38 overflows bf16; the largest is 3.38"),
        (F32, &[4], Init::log_normal(0.0, 0.0), "log_normal_ expects std > 0.0, but found std=0"),
        (F32, &[4], Init::log_normal(0.0, -1.0), "log_normal_ expects std > 0.0, but found std=-1"),
        (F32, &[4], Init::log_normal(f64::NAN, 1.0), "mean is NaN; it must be finite"),
        (
            F32,
            &[4],
            Init::log_normal(80.0, 2.0),
            "log_normal can make exp(mean + 6.77 std) = exp(93.54), which",
        ),
        (
            F16,
            &[4],
            Init::log_normal(1.0, 2.0),
            "log_normal can make exp(mean + 6.77 std) = exp(14.54), which",
        ),
        (BF16, &[4], Init::log_normal(-3.4e38, 1e37), "the largest logarithm, |mean| + 6.77 std"),
        (F32, &[4], Init::trunc_normal(0.0, 1.0, 2.0, -2.0), truncated),
        (F32, &[4], Init::trunc_normal(0.0, 1.0, 1.0, 1.0), truncated),
        (F32, &[4], Init::trunc_normal(0.0, 1.0, f64::NAN, 1.0), ""),
        (F32, &[4], Init::trunc_normal(0.0, 1.0, 0.0, f64::NAN), ""),
        (F32, &[4], Init::trunc_normal(0.0, -1.0, -2.0, 2.0), "normal expects std >= 0.0, but found std -1"),
        (F32, &[4], Init::trunc_normal(f64::NAN, 1.0, -2.0, 2.0), "mean is NaN; it must be finite"),
        (F32, &[4], Init::trunc_normal(0.0, infinity, -2.0, 2.0), "std is inf; it must be finite"),
        (F16, &[4], Init::trunc_normal(0.0, 1.0, 1.0001, 1.0002), "no value of f16 lies between a=1.0001"),
        (BF16, &[4], Init::trunc_normal(0.0, 1.0, 1.001, 1.002), "no value of bf16 lies between a=1.001"),
        (F32, &[4], Init::trunc_normal(0.0, 1.0, 1.0 + 1e-9, 1.0 + 2e-9), "no value of f32 lies between a="),
        (F32, &[4], Init::Eye, two),
        (F32, &[2, 2, 2], Init::Eye, two),
        (F32, &[4], Init::sparse(0.1), two),
        (F16, &[2, 2, 2], Init::sparse(0.1), two),
        (F32, &[4, 4], Init::dirac(), three),
        (F32, &[1, 1, 1, 1, 1, 1], Init::dirac(), three),
        (F32, &[4, 4, 3], Init::Dirac { groups: 3 }, "dim 0 must be divisible by groups"),
        (F32, &[4, 4, 3], Init::Dirac { groups: 8 }, "dim 0 must be divisible by groups"),
        (F32, &[4, 4, 3], Init::Dirac { groups: 0 }, "dim 0 must be divisible by groups"),
        (F32, &[4, 2], Init::sparse(1.5), "sparsity is 1.5; it is the part of each column that is zero"),
        (F32, &[4, 2], Init::sparse(-0.1), "sparsity is -0.1"),
        (F32, &[4, 2], Init::sparse(f64::NAN), "sparsity is NaN"),
        (
            F32,
            &[4, 2],
            Init::Sparse { sparsity: 0.5, std: -1.0 },
            "normal expects std >= 0.0, but found std -1",
        ),
        (F32, &[4, 2], Init::Sparse { sparsity: 0.5, std: f64::NAN }, "std is NaN; it must be finite"),
        (F32, &[1 << 31, 2], Init::Eye, "a matrix of 2147483648 rows and 2 columns; this initialiser takes"),
        (F32, &[2, 1 << 31], Init::sparse(0.5), "a matrix of 2 rows and 2147483648 columns"),
        (F32, &[2, 1 << 20, 1 << 11], Init::dirac(), "a matrix of 2 rows and 2147483648 columns"),
        (F32, &[4], Init::xavier_uniform(), fans),
        (F32, &[4], uniform, fans),
        (F32, &[], normal, fans),
        (F32, &[2, 2], Init::XavierUniform { gain: f64::NAN }, "gain is NaN; it must be finite"),
        (F32, &[2, 2], Init::XavierUniform { gain: -1.0 }, ""),
        (F32, &[2, 2], avg_uniform, "Mode fan_avg not supported, please use one of ["),
        (F32, &[2, 2], avg_normal, "Mode fan_avg not supported, please use one of ["),
        (F32, &[2, 2], geo, "Mode fan_geo_avg not supported, please use one of ["),
        (F32, &[2, 2], nan_slope[0], ""),
        (F32, &[2, 2], nan_slope[1], ""),
    ]
}

/// Mistakes in initialisers of JAX and Keras.
fn jax_and_keras() -> Vec<Mistake> {
    let jax = VarianceScaling::jax_glorot_normal();
    let keras = VarianceScaling::keras_glorot_uniform();
    let init = Init::VarianceScaling;
    let zero = VarianceScaling::new(Framework::Keras, 0.0, FanMode::FanIn, ScaledDistribution::Normal);
    let rank = "Can't compute input and output sizes of a 1-dimensional weights tensor. Must be at least 2D.";
    [
        (&[5][..], init(jax), rank),
        (
            &[],
            init(VarianceScaling::jax_he_uniform()),
            "Can't compute input and output sizes of a 0-dimensional",
        ),
        (
            &[4, 4],
            init(VarianceScaling { in_axis: Axes::from(2), ..jax }),
            "axis 2 is out of range for a tensor of 2 dimensions",
        ),
        (&[4, 4], init(VarianceScaling { out_axis: Axes::from([0, -3]), ..jax }), "axis -3 is out of range"),
        (&[4, 4], init(VarianceScaling { batch_axis: Axes::from(7), ..jax }), "axis 7 is out of range"),
        (&[4, 4], init(VarianceScaling { scale: -1.0, ..jax }), "Argument `scale` must be"),
        (&[4, 4], init(VarianceScaling { scale: f64::NAN, ..jax }), "scale is NaN; it must be finite"),
        (&[4, 4], init(VarianceScaling { scale: f64::INFINITY, ..jax }), "scale is inf; it must be finite"),
        (&[4, 4], init(zero), "Argument `scale` must be"),
        (&[4, 4], init(VarianceScaling { scale: -2.0, ..keras }), "Argument `scale` must be"),
        (
            &[4, 4],
            init(VarianceScaling { mode: FanMode::FanGeoAvg, ..keras }),
            "Mode fan_geo_avg not supported, please use one of [",
        ),
        (
            &[4, 4],
            init(VarianceScaling { in_axis: Axes::from(0), ..keras }),
            "Keras's initialisers have no axes to choose",
        ),
        (
            &[4, 4],
            init(VarianceScaling { batch_axis: Axes::from(0), ..keras }),
            "Keras's initialisers have no axes to choose",
        ),
    ]
    .map(|(shape, init, message)| (DType::F32, shape, init, message))
    .into()
}

/// The first four elements of the tensor, because some tensors are too large to be filled whole.
fn region(shape: &[u64]) -> Region<'_> {
    let len: u64 = shape.iter().product();
    Region::from(shape).elements(0..len.min(4))
}

fn on_the_host() {
    for (dtype, shape, init, message) in torchs().into_iter().chain(jax_and_keras()) {
        let len = elements_of(&region(shape)) * dtype.size() as usize;
        let mut bytes = vec![SENTINEL; len];
        assert_starts(host::fill_bytes(&mut bytes, dtype, region(shape), &init, KEY), message);
        assert!(bytes.iter().all(|&byte| byte == SENTINEL), "{message}");
    }
    let mut bytes = [SENTINEL; 8];
    assert_starts(
        host::fill_bytes(&mut bytes, DType::F16, [3], &Init::Ones, KEY),
        "the destination has 4 elements, but 3 are to be written",
    );
    let mut halves = [seedbed::half::f16::ONE; 2];
    assert_starts(
        host::fill(&mut halves, [3], &Init::Ones, KEY),
        "the destination has 2 elements, but 3 are to be written",
    );
    assert_starts(
        host::fill_bytes(&mut bytes, DType::U32, [2], &Init::Ones, KEY),
        "an initialiser can't write u32",
    );
    assert_eq!(bytes, [SENTINEL; 8]);
    // A value that is rounded to the largest f16 is no mistake.
    host::fill_bytes(&mut bytes, DType::F16, [4], &Init::constant(65_519.999), KEY).expect("no overflow");
}

/// `Init::mean` and `Init::std` return the errors of a fill within two seconds, except for errors of the
/// element type.
fn moments_of_mistakes() {
    let mut wrong = Vec::new();
    for (dtype, shape, init, message) in torchs().into_iter().chain(jax_and_keras()) {
        if dtype != DType::F32 || message.contains("overflows") || message.starts_with("no value") {
            continue;
        }
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || drop(sender.send([init.mean(shape), init.std(shape)])));
        let Ok(moments) = receiver.recv_timeout(Duration::from_secs(2)) else {
            wrong.push(format!("{init} of {shape:?} takes more than two seconds"));
            continue;
        };
        for moment in moments {
            match moment {
                Err(error) if error.to_string().starts_with(message) => {}
                other => wrong.push(format!("{init} of {shape:?} has {other:?}, not {message:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// After each mistake, a right fill is recorded into the same encoder.
fn and_working_on(device: &Device) {
    let right = Init::uniform(1.0, 2.0);
    let expected = Engine::Host.fill([4], &right, KEY);
    for (dtype, shape, init, message) in torchs().into_iter().chain(jax_and_keras()) {
        let buffer = device.sentinel_buffer(64, USAGE);
        device
            .submit(|encoder| {
                let tensor = TensorView::new(&buffer, dtype, region(shape));
                assert_starts(device.recorder.fill(encoder, &tensor, &init, KEY), message);
                device.recorder.fill(encoder, &TensorView::f32(&buffer, [4]).at(24), &right, KEY)
            })
            .expect("a fill that is right");
        assert_only(&device.read(&buffer), &[(24, &expected)], message);
    }
}

/// A 16-bit tensor with a wrong offset or end is refused.
fn halves_in_buffers(device: &Device) {
    // The buffer has three halves, so the last half is in no whole word.
    let odd = device.gpu.device.create_buffer(&seedbed::wgpu::BufferDescriptor {
        label: Some("conformance::odd"),
        size: 6,
        usage: USAGE,
        mapped_at_creation: false,
    });
    let buffer = device.sentinel_buffer(64, USAGE);
    let expected = Engine::Host.fill_halves(DType::F16, [5], &Init::Ones, KEY);
    device
        .submit(|encoder| {
            for init in [Init::normal(0.0, 1.0), Init::Zeros, Init::Ones, Init::sparse(0.5)] {
                let mut fill = |tensor: TensorView, message: &str| {
                    assert_starts(device.recorder.fill(encoder, &tensor, &init, KEY), message);
                };
                fill(TensorView::f16(&odd, [3, 1]), "the tensor needs bytes 0..8 of its buffer, which has 6");
                fill(
                    TensorView::bf16(&odd, [1, 1]).at(4),
                    "the tensor needs bytes 4..8 of its buffer, which has 6",
                );
                fill(
                    TensorView::f16(&buffer, [4, 1]).at(3),
                    "the byte offset 3 is not a multiple of 2, the alignment of f16",
                );
                fill(
                    TensorView::bf16(&buffer, [4, 1]).at(1),
                    "the byte offset 1 is not a multiple of 2, the alignment of bf16",
                );
                fill(
                    TensorView::f16(&buffer, [33, 1]),
                    "the tensor needs bytes 0..68 of its buffer, which has 64",
                );
                fill(TensorView::f16(&buffer, [2, 1]).at(62), "the tensor needs bytes 62..68 of its buffer");
                fill(
                    TensorView::bf16(&buffer, [4, 1]).at(1_u64 << 40),
                    "the tensor needs bytes 1099511627776..",
                );
            }
            // The whole word of the odd buffer can be filled.
            device.recorder.fill(encoder, &TensorView::f16(&odd, [2]), &Init::Ones, KEY)?;
            device.recorder.fill(encoder, &TensorView::f16(&buffer, [5]).at(54), &Init::Ones, KEY)
        })
        .expect("fills that are right");
    assert_only_halves(&device.read(&buffer), &[(54, &expected)], "halves");
}

/// Shapes without elements, each with an initialiser for a shape of its rank.
fn nothing() -> Vec<(Vec<u64>, Init)> {
    every_initialiser([5, 7])
        .into_iter()
        .flat_map(|case| {
            let init = case.init;
            let shapes = (0..case.shape.len()).map(move |axis| {
                let mut shape = case.shape.clone();
                shape[axis] = 0;
                shape
            });
            shapes.map(move |shape| (shape, init))
        })
        .chain([
            (vec![0, 0], Init::Eye),
            (vec![0, 0], Init::xavier_uniform()),
            (vec![0, 0, 0], Init::dirac()),
        ])
        .collect()
}

fn without_elements_on_the_host() {
    for (shape, init) in nothing() {
        for dtype in ALL {
            let result: Result<(), Error> = host::fill_bytes(&mut [], dtype, &shape[..], &init, KEY);
            result.unwrap_or_else(|error| panic!("{init}, {shape:?}: {error}"));
        }
        let kaiming = matches!(init, Init::KaimingUniform(_) | Init::KaimingNormal(_));
        let Some(warning) = init.warning(&shape) else {
            assert!(!kaiming, "{init}, {shape:?}: no warning");
            continue;
        };
        assert!(kaiming, "{init}, {shape:?}: a warning that PyTorch does not give");
        assert_eq!(warning, "Initializing zero-element tensors is a no-op", "{init}");
        assert_eq!(init.warning([1, 2]), None);
    }
}

fn without_elements(device: &Device) {
    let buffer = device.sentinel_buffer(64, USAGE);
    device.submit(|encoder| {
        for (shape, init) in nothing() {
            for dtype in ALL {
                for offset in [0, 4, 64] {
                    let tensor = TensorView::new(&buffer, dtype, &shape[..]).at(offset);
                    device
                        .recorder
                        .fill(encoder, &tensor, &init, KEY)
                        .unwrap_or_else(|error| panic!("{init}, {shape:?}: {error}"));
                }
            }
        }
    });
    assert_only(&device.read(&buffer), &[], "no elements");
}
