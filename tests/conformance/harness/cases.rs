//! Lists of initialisers that checks go through.

use seedbed::{Init, Kaiming, Nonlinearity, VarianceScaling};

use crate::reference::scale;

/// An initialiser, a shape for it, and how its values are rounded to 16 bits.
pub struct Case {
    pub init: Init,
    pub shape: Vec<u64>,
    pub rounding: Rounding,
}

/// How a value becomes a 16-bit element (contract, section 7).
#[derive(Clone, Copy, Debug)]
pub enum Rounding {
    /// The f32 value is rounded once.
    Plain,
    /// This f64 value is rounded once.
    Constant(f64),
    /// The f32 value is rounded once, and stays below this one.
    Below(f64),
    /// The f32 value is rounded once, and stays within these bounds.
    Within([f64; 2]),
}

/// Every initialiser but `orthogonal`, each for a matrix of this size or for a convolution of about as many
/// elements.
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
        case(Init::log_normal(-0.5, 0.75), &matrix, Plain),
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

/// Every initialiser that a tensor of this shape can have.
pub fn initialisers_of(shape: &[u64]) -> Vec<Init> {
    let scaling = Init::VarianceScaling;
    let mut all = vec![
        Init::constant(0.1),
        Init::Zeros,
        Init::constant(-0.0),
        Init::Ones,
        Init::uniform(-0.3, 0.7),
        Init::normal(0.25, 0.02),
        Init::log_normal(-0.5, 0.75),
        Init::trunc_normal(0.0, 1.0, -2.0, 2.0),
        Init::trunc_normal(0.5, 2.0, 1.0, f64::INFINITY),
        scaling(VarianceScaling::keras_lecun_uniform()),
        scaling(VarianceScaling::keras_glorot_normal()),
    ];
    if shape.len() >= 2 {
        all.extend([
            Init::xavier_uniform(),
            Init::xavier_normal(),
            Init::KaimingUniform(Kaiming::default()),
            Init::kaiming_normal(),
            Init::orthogonal(),
            scaling(VarianceScaling::jax_glorot_normal()),
            scaling(VarianceScaling::jax_he_uniform()),
        ]);
    }
    match shape.len() {
        2 => all.extend([Init::Eye, Init::sparse(0.3), Init::Sparse { sparsity: 0.7, std: 1.0 }]),
        3..=5 => all.extend([Init::dirac(), Init::Dirac { groups: shape[0] }]),
        _ => {}
    }
    all
}

/// A normal distribution and constants, which take every shape and need no matrix.
pub fn plain_initialisers(_: &[u64]) -> Vec<Init> {
    vec![Init::normal(0.0, 0.02), Init::Zeros, Init::Ones, Init::constant(-1.5)]
}
