//! Every initialiser, with every element type: parts equal wholes, and engines equal each other.

use seedbed::half::{bf16, f16};
use seedbed::{DType, Init, Kaiming, Key, Nonlinearity, Region, VarianceScaling, host};

use crate::Check;
use crate::harness::engines::{Device, Engine};
use crate::reference::half::ALL;
use crate::reference::{assert_same_bits, assert_same_halves, scale};

pub const CHECKS: &[Check] = &[
    Check::engine("exact::parts_of_every_initialiser", parts),
    Check::device("exact::every_initialiser_at_length", at_length),
    Check::host("exact::typed_slices", typed_slices),
];

const KEY: Key = Key { seed: 0xA110_F7E3, offset: (1 << 32) - 40_000 };

/// An initialiser and a shape for it, and what may happen to its values when they are rounded to 16 bits.
pub struct Case {
    pub init: Init,
    pub shape: Vec<u64>,
    pub rounding: Rounding,
}

/// Contract, section 7.
#[derive(Clone, Copy, Debug)]
pub enum Rounding {
    /// Once, from f32.
    Plain,
    /// Once, from this f64.
    Constant(f64),
    /// Once, and below this.
    Below(f64),
    /// Once, and within these bounds.
    Within([f64; 2]),
}

/// One of each, on matrices of this size and convolutions of about as many elements.
pub fn every_initialiser([rows, columns]: [u64; 2]) -> Vec<Case> {
    use Rounding::{Below, Constant, Plain, Within};
    let matrix = [rows, columns];
    let out = rows.next_multiple_of(6);
    let convolution = [out, columns.div_ceil(9), 3, 3];
    let case = |init, shape: &[u64], rounding| Case { init, shape: shape.to_vec(), rounding };

    let kaiming = Kaiming { nonlinearity: Nonlinearity::Tanh, ..Kaiming::default() };
    let kaiming_std = scale::kaiming(&convolution, kaiming.a, kaiming.mode, kaiming.nonlinearity);
    let jax = |scaling| Init::VarianceScaling(scaling);
    let glorot = scale::untruncated((2.0 / (rows + columns) as f64).sqrt());
    vec![
        case(Init::constant(0.1), &matrix, Constant(0.1)),
        case(Init::Zeros, &matrix, Constant(0.0)),
        case(Init::Ones, &matrix, Constant(1.0)),
        case(Init::uniform(-0.3, 0.7), &matrix, Below(0.7)),
        case(Init::normal(0.25, 0.02), &matrix, Plain),
        case(Init::trunc_normal(0.0, 1.0, -2.0, 2.0), &matrix, Within([-2.0, 2.0])),
        case(Init::trunc_normal(0.5, 2.0, 1.0, f64::INFINITY), &matrix, Within([1.0, f64::INFINITY])),
        case(Init::Eye, &matrix, Plain),
        case(Init::Dirac { groups: 3 }, &convolution, Plain),
        case(Init::xavier_uniform(), &matrix, Below(scale::bound(scale::xavier(&matrix, 1.0)))),
        case(Init::xavier_normal(), &convolution, Plain),
        case(Init::KaimingUniform(kaiming), &convolution, Below(scale::bound(kaiming_std))),
        case(Init::kaiming_normal(), &matrix, Plain),
        case(Init::sparse(0.3), &matrix, Plain),
        case(jax(VarianceScaling::jax_glorot_normal()), &matrix, Within([-2.0 * glorot, 2.0 * glorot])),
        case(
            jax(VarianceScaling::keras_lecun_uniform()),
            &matrix,
            Below(scale::bound((1.0 / rows as f64).sqrt())),
        ),
    ]
}

pub fn assert_same_elements(dtype: DType, actual: &[u8], expected: &[u8], what: impl std::fmt::Debug) {
    match dtype.size() {
        2 => assert_same_halves(
            &bytemuck::pod_collect_to_vec::<u8, u16>(actual),
            &bytemuck::pod_collect_to_vec::<u8, u16>(expected),
            what,
        ),
        _ => assert_same_bits(
            &bytemuck::pod_collect_to_vec::<u8, f32>(actual),
            &bytemuck::pod_collect_to_vec::<u8, f32>(expected),
            what,
        ),
    }
}

/// A part of a tensor holds what the whole holds there, wherever it begins and ends.
fn parts(engine: &Engine) {
    for Case { init, shape, .. } in every_initialiser([97, 101]) {
        let len: u64 = shape.iter().product();
        for dtype in ALL {
            let whole = engine.fill_bytes(dtype, &shape[..], &init, KEY);
            for (start, end) in
                [(0, 1), (1, 2), (2, len), (3, 4), (5, 1000), (4095, 8192), (len - 1, len), (7, 7)]
            {
                let region = Region::from(&shape[..]).elements(start..end);
                let part = engine.fill_bytes(dtype, region, &init, KEY);
                let expected = &whole[(start * dtype.size()) as usize..(end * dtype.size()) as usize];
                assert_same_elements(dtype, &part, expected, (&init, dtype, start, end));
            }
        }
    }
}

/// Passing means: an adapter writes the host's bits, whatever the initialiser, over more than 2^20
/// elements that begin and end within a block.
fn at_length(device: &Device) {
    for Case { init, shape, .. } in every_initialiser([1031, 1021]) {
        let len: u64 = shape.iter().product();
        assert!(len > (1 << 20) + 100);
        for (dtype, start) in ALL.into_iter().zip([3, 5, 1]) {
            let region = Region::from(&shape[..]).elements(start..len - 2);
            let actual = device.fill_bytes(dtype, region.clone(), &init, KEY);
            let expected = Engine::Host.fill_bytes(dtype, region, &init, KEY);
            if actual != expected {
                assert_same_elements(dtype, &actual, &expected, (&init, dtype));
            }
        }
    }
}

/// The host fills slices of a type as it fills bytes.
fn typed_slices() {
    for Case { init, shape, .. } in every_initialiser([31, 37]) {
        let len = shape.iter().product::<u64>() as usize;
        let mut singles = vec![7.0_f32; len];
        let mut halves = vec![f16::NAN; len];
        let mut brains = vec![bf16::NAN; len];
        host::fill(&mut singles, &shape[..], &init, KEY).expect("a fill that is right");
        host::fill(&mut halves, &shape[..], &init, KEY).expect("a fill that is right");
        host::fill(&mut brains, &shape[..], &init, KEY).expect("a fill that is right");
        let bytes: [&[u8]; 3] =
            [bytemuck::cast_slice(&singles), bytemuck::cast_slice(&halves), bytemuck::cast_slice(&brains)];
        for (dtype, bytes) in ALL.into_iter().zip(bytes) {
            let expected = Engine::Host.fill_bytes(dtype, &shape[..], &init, KEY);
            assert_same_elements(dtype, bytes, &expected, (&init, dtype));
        }
    }
}
