//! Orthogonal matrices (contract, section 12).

use seedbed::{DType, Init, Key, Region};

use crate::Check;
use crate::harness::assertions::assert_same_bits;
use crate::harness::engines::{Device, Engine};
use crate::harness::statistics::{assert_likely, check_distribution};
use crate::reference;

pub const CHECKS: &[Check] = &[
    Check::engine("exact::orthogonal_of_one", of_one),
    Check::engine("exact::orthogonal_gains_and_types", gains_and_types),
    Check::engine("exact::parts_of_an_orthogonal_matrix", parts),
    Check::device("exact::orthogonal_shapes", shapes),
    Check::engine("bounded::orthonormal", orthonormal),
    Check::host("bounded::orthonormal_4096", orthonormal_4096),
    Check::engine("bounded::reflections", reflections),
    Check::host("statistical::haar", haar),
];

const KEY: Key = Key { seed: 0x0B70_9000, offset: u64::MAX - 100 };
const INIT: Init = Init::orthogonal();

/// Matrices that fill panels of 32 columns, chunks of 128 rows, both, or neither.
const SHAPES: [[u64; 2]; 10] =
    [[1, 7], [7, 1], [2, 2], [5, 3], [33, 31], [64, 64], [100, 257], [257, 100], [1000, 30], [1030, 1]];

/// The orthogonal matrices of one element are 1 and -1, and both occur.
fn of_one(engine: &Engine) {
    let values: Vec<f32> = (0..20).map(|i| engine.fill([1, 1], &INIT, KEY.fold_in(i))[0]).collect();
    assert!(values.iter().all(|x| x.abs() == 1.0), "{values:?}");
    assert!(values.contains(&1.0) && values.contains(&-1.0), "{values:?}");
}

/// A gain adds one multiplication, a 16-bit type adds one rounding, and a tensor of more dimensions holds the
/// same elements.
fn gains_and_types(engine: &Engine) {
    let shape = [33, 4, 9];
    let plain = engine.fill([33, 36], &INIT, KEY);
    assert_same_bits(&engine.fill(shape, &INIT, KEY), &plain, "of three dimensions");
    for gain in [2_f64.sqrt(), -0.1, 0.0] {
        let init = Init::Orthogonal { gain };
        let expected: Vec<f32> = plain.iter().map(|q| q * gain as f32).collect();
        assert_same_bits(&engine.fill(shape, &init, KEY), &expected, gain);
        let halves = |narrow: fn(f32) -> u16| expected.iter().map(|&x| narrow(x)).collect::<Vec<_>>();
        let f16 = halves(|x| seedbed::half::f16::from_f32_const(x).to_bits());
        let bf16 = halves(|x| seedbed::half::bf16::from_f32_const(x).to_bits());
        assert_eq!(engine.fill_halves(DType::F16, shape, &init, KEY), f16, "{gain}");
        assert_eq!(engine.fill_halves(DType::BF16, shape, &init, KEY), bf16, "{gain}");
    }
}

fn parts(engine: &Engine) {
    for shape in [[61_u64, 67], [67, 61]] {
        for dtype in [DType::F32, DType::BF16] {
            let whole = engine.fill_bytes(dtype, shape, &INIT, KEY);
            for (start, end) in [(0, 1), (1, 4087), (3, 9), (130, 131), (2001, 4086), (4086, 4087)] {
                let part = engine.fill_bytes(dtype, Region::from(shape).elements(start..end), &INIT, KEY);
                let size = dtype.size();
                let expected = &whole[(start * size) as usize..(end * size) as usize];
                assert!(part == expected, "{shape:?} {dtype} {start}..{end}");
            }
        }
    }
}

fn shapes(device: &Device) {
    for shape in SHAPES {
        assert_same_bits(&device.fill(shape, &INIT, KEY), &Engine::Host.fill(shape, &INIT, KEY), shape);
    }
    assert!(device.fill([0, 5], &INIT, KEY).is_empty());
}

/// The largest element of `QᵀQ - 1`, or of `QQᵀ - 1` if there are fewer rows than columns. Only every
/// `step`-th vector is multiplied, but with all vectors.
fn error(q: &[f32], [rows, columns]: [u64; 2], step: usize) -> f64 {
    let (rows, columns) = (rows as usize, columns as usize);
    let (count, len, at): (_, _, Box<dyn Fn(usize, usize) -> usize>) = if rows >= columns {
        (columns, rows, Box::new(move |vector, i| i * columns + vector))
    } else {
        (rows, columns, Box::new(move |vector, i| vector * columns + i))
    };
    let vectors: Vec<Vec<f64>> =
        (0..count).map(|vector| (0..len).map(|i| q[at(vector, i)].into()).collect()).collect();
    let mut worst = 0_f64;
    for a in (0..count).step_by(step) {
        for b in 0..count {
            let product: f64 = vectors[a].iter().zip(&vectors[b]).map(|(x, y)| x * y).sum();
            worst = worst.max((product - f64::from(u8::from(a == b))).abs());
        }
    }
    worst
}

const BOUND: f64 = 1e-5;

fn orthonormal(engine: &Engine) {
    for shape in SHAPES.into_iter().chain([[256, 256]]) {
        let error = error(&engine.fill(shape, &INIT, KEY), shape, 1);
        assert!(error <= BOUND, "{shape:?}: {error:e}");
    }
}

/// The bound holds for the largest matrix that it is stated for. The check multiplies 32 columns with all
/// columns.
fn orthonormal_4096() {
    let shape = [4096, 4096];
    let error = error(&Engine::Host.fill(shape, &INIT, KEY), shape, 128);
    println!("the largest element of QtQ - 1: {error:e}");
    assert!(error <= BOUND, "{error:e}");
}

/// Elements are near Stewart's product of reflections, computed in f64 from the normals that the contract
/// names, one reflection after the other.
fn reflections(engine: &Engine) {
    for shape in [[5_u64, 3], [3, 5], [40, 33], [33, 40], [37, 37]] {
        let (n, p) = (shape[0].max(shape[1]) as usize, shape[0].min(shape[1]) as usize);
        let normal = |k: usize, i: usize| reference::normal(KEY, (k * n.next_multiple_of(4) + i) as u64);
        let mut q = vec![vec![0.0; p]; n];
        for k in (0..p).rev() {
            let x: Vec<f64> = (k..n).map(|i| normal(k, i)).collect();
            let sign = x[0].signum();
            if k == n - 1 {
                q[k][k] = sign;
                continue;
            }
            q[k][k] = -sign;
            let mut v = x.clone();
            v[0] += sign * x.iter().map(|x| x * x).sum::<f64>().sqrt();
            let tau = 2.0 / v.iter().map(|v| v * v).sum::<f64>();
            (k..p).for_each(|j| {
                let w: f64 = (k..n).map(|i| v[i - k] * q[i][j]).sum();
                (k..n).for_each(|i| q[i][j] -= tau * w * v[i - k]);
            });
        }
        let actual = engine.fill(shape, &INIT, KEY);
        for (i, row) in q.iter().enumerate() {
            for (j, exact) in row.iter().enumerate() {
                let at = if shape[0] >= shape[1] { i * p + j } else { j * n + i };
                let distance = (f64::from(actual[at]) - exact).abs();
                assert!(distance < 2e-6, "{shape:?} [{i}, {j}]: {} is {distance:e} away", actual[at]);
            }
        }
    }
}

/// Each element of a random rotation or reflection of space is uniform on [-1, 1] (Archimedes), and rotations
/// are as likely as reflections.
fn haar() {
    const COUNT: usize = 20_000;
    let mut elements = vec![Vec::new(); 9];
    let mut rotations = 0.0;
    for i in 0..COUNT {
        let q = Engine::Host.fill([3, 3], &INIT, Key::new(19).fold_in(i as u64));
        (0..9).for_each(|e| elements[e].push(q[e]));
        let minor = |a: usize, b: usize| q[3 + a] * q[6 + b] - q[3 + b] * q[6 + a];
        let determinant = q[0] * minor(1, 2) - q[1] * minor(0, 2) + q[2] * minor(0, 1);
        assert!((determinant.abs() - 1.0).abs() < 1e-5);
        rotations += f64::from(u8::from(determinant > 0.0));
    }
    let n = COUNT as f64;
    for (e, values) in elements.into_iter().enumerate() {
        println!("element {e}");
        check_distribution(values, |x| (x + 1.0) / 2.0);
    }
    assert_likely("rotations", (rotations - n / 2.0) / (n / 4.0).sqrt());
}
