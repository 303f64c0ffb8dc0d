//! The initialisers, under the names of the frameworks that they come from.

pub(crate) mod axes;
pub(crate) mod fan;
pub(crate) mod gain;
mod kaiming;
pub(crate) mod kernel_args;
mod text;
pub(crate) mod variance_scaling;

pub use kaiming::Kaiming;
pub use variance_scaling::{Framework, ScaledDistribution, VarianceScaling};

use self::kernel_args::KernelArgs;
use crate::layout::matrix::Matrix;
use crate::layout::product;
use crate::math::truncated_normal::{self, Truncation};
use crate::{DType, Error, Fans};

/// How to initialise a tensor: the functions of `torch.nn.init` by their names and with their defaults,
/// and the variance-scaling family of JAX and Keras. Parameters are f64 and rounded once, after all
/// arithmetic.
///
/// The textual form round-trips through [`FromStr`](std::str::FromStr) and
/// [`Display`](std::fmt::Display), and takes arguments by name or by position, as Python does:
///
/// ```
/// use seedbed::Init;
///
/// let init: Init = "xavier_normal(gain=1.4142135)".parse()?;
/// assert_eq!(init, Init::XavierNormal { gain: 1.4142135 });
/// assert_eq!(init.to_string(), "xavier_normal(gain=1.4142135)");
/// assert_eq!("normal(std=0.02)".parse::<Init>()?.to_string(), "normal(mean=0,std=0.02)");
/// // PyTorch's is a normal distribution, JAX's a truncated one: the names keep them apart.
/// assert_ne!("xavier_normal()".parse::<Init>()?, "jax::glorot_normal()".parse()?);
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// Every element is the value (`constant_`).
    Constant {
        /// Any f64, infinities and NaN too; a finite value must be finite in the element type.
        value: f64,
    },
    /// Every element is 0 (`zeros_`).
    Zeros,
    /// Every element is 1 (`ones_`).
    Ones,
    /// Uniform distribution on `[low, high)` (`uniform_`, whose `a` and `b` are 0 and 1 by default).
    Uniform {
        /// Finite.
        low: f64,
        /// Finite, `low` or more. `high` itself occurs only where it equals `low`.
        high: f64,
    },
    /// Normal distribution (`normal_`, whose defaults are 0 and 1).
    Normal {
        /// Finite.
        mean: f64,
        /// Finite, 0 or more.
        std: f64,
    },
    /// Normal distribution cut off at `a` and `b` (`trunc_normal_`, whose defaults are 0, 1, -2 and 2).
    /// Right for any bounds, far tails and narrow slices too, where PyTorch warns that its own is not.
    TruncNormal {
        /// Of the normal distribution before it is cut. Finite.
        mean: f64,
        /// Of the normal distribution before it is cut. Finite, 0 or more.
        std: f64,
        /// The least value. May be -∞.
        a: f64,
        /// The greatest value, above `a`. May be ∞.
        b: f64,
    },
    /// The identity matrix, of any two dimensions (`eye_`).
    Eye,
    /// Identity of a convolution (`dirac_`), of three, four or five dimensions.
    Dirac {
        /// 1 by default; divides the first dimension.
        groups: u64,
    },
    /// Glorot and Bengio's uniform initialisation (2010; `xavier_uniform_`): on ±√3·std, with the std of
    /// [`Init::XavierNormal`]. Two dimensions or more.
    XavierUniform {
        /// 1 by default; finite, 0 or more.
        gain: f64,
    },
    /// Glorot and Bengio's normal initialisation (2010; `xavier_normal_`): mean 0,
    /// `std = gain · sqrt(2 / (fan_in + fan_out))`. Two dimensions or more.
    XavierNormal {
        /// 1 by default; finite, 0 or more.
        gain: f64,
    },
    /// He et al.'s uniform initialisation (2015; `kaiming_uniform_`): on ±√3·std, with the std of
    /// [`Init::KaimingNormal`]. Two dimensions or more.
    KaimingUniform(Kaiming),
    /// He et al.'s normal initialisation (2015; `kaiming_normal_`): mean 0, `std = gain / sqrt(fan)`. Two
    /// dimensions or more.
    KaimingNormal(Kaiming),
    /// A matrix with orthonormal rows or columns, times `gain` (Saxe et al., 2013; `orthogonal_`), uniform
    /// over all such matrices. Two dimensions or more, of which all but the first are flattened.
    ///
    /// An element depends on all of the matrix: it is computed as a whole, even where only a part is written. For
    /// `n` the larger and `p` the smaller dimension that takes about `2·n·p² - ⅔·p³` operations, and scratch
    /// memory of `4·n·p` to `9·n·p` bytes. On a device it is one long compute pass (a GPU's watchdog may
    /// object to matrices far beyond 4096 x 4096) before the pass of the fill.
    Orthogonal {
        /// 1 by default; finite.
        gain: f64,
    },
    /// Martens's sparse initialisation (2010; `sparse_`): in each column exactly ⌈sparsity·rows⌉ zeros, at
    /// random rows, and normals of mean 0 elsewhere. Two dimensions.
    Sparse {
        /// The part of each column that is zero, from 0 to 1.
        sparsity: f64,
        /// 0.01 by default; finite, 0 or more.
        std: f64,
    },
    /// The family of JAX and Keras: `jax::glorot_normal()`, `keras::he_uniform()`, …
    VarianceScaling(VarianceScaling),
}

/// What an initialiser and a shape come to, before rounding to an element type.
enum Law {
    Constant(f64),
    Uniform { low: f64, high: f64 },
    Normal { mean: f64, std: f64 },
    TruncNormal { mean: f64, std: f64, a: f64, b: f64 },
    Identity(Matrix, kernel_args::Identity),
    Orthogonal { matrix: Matrix, gain: f64 },
    Sparse { matrix: Matrix, zeros: u64, std: f64 },
}

impl From<VarianceScaling> for Init {
    fn from(scaling: VarianceScaling) -> Self {
        Self::VarianceScaling(scaling)
    }
}

impl Init {
    /// `constant_(value)`.
    pub const fn constant(value: f64) -> Self {
        Self::Constant { value }
    }

    /// `uniform_(low, high)`.
    pub const fn uniform(low: f64, high: f64) -> Self {
        Self::Uniform { low, high }
    }

    /// `normal_(mean, std)`.
    pub const fn normal(mean: f64, std: f64) -> Self {
        Self::Normal { mean, std }
    }

    /// `trunc_normal_(mean, std, a, b)`: `a` and `b` are values, not standard deviations.
    pub const fn trunc_normal(mean: f64, std: f64, a: f64, b: f64) -> Self {
        Self::TruncNormal { mean, std, a, b }
    }

    /// `dirac_()`, of one group.
    pub const fn dirac() -> Self {
        Self::Dirac { groups: 1 }
    }

    /// `xavier_uniform_()`, of gain 1.
    pub const fn xavier_uniform() -> Self {
        Self::XavierUniform { gain: 1.0 }
    }

    /// `xavier_normal_()`, of gain 1.
    pub const fn xavier_normal() -> Self {
        Self::XavierNormal { gain: 1.0 }
    }

    /// `kaiming_uniform_()`, with its defaults.
    pub const fn kaiming_uniform() -> Self {
        Self::KaimingUniform(Kaiming::DEFAULT)
    }

    /// `kaiming_normal_()`, with its defaults.
    pub const fn kaiming_normal() -> Self {
        Self::KaimingNormal(Kaiming::DEFAULT)
    }

    /// `orthogonal_()`, of gain 1.
    pub const fn orthogonal() -> Self {
        Self::Orthogonal { gain: 1.0 }
    }

    /// `sparse_(sparsity)`, with a standard deviation of 0.01.
    pub const fn sparse(sparsity: f64) -> Self {
        Self::Sparse { sparsity, std: 0.01 }
    }

    /// The expectation of the elements of a tensor of this shape: the same for each, or, where an
    /// initialiser has a pattern (`eye`, `dirac`), their mean.
    ///
    /// # Errors
    /// As an f32 fill of that shape would give.
    pub fn mean(&self, shape: &[u64]) -> Result<f64, Error> {
        self.moments(shape).map(|(mean, _)| mean)
    }

    /// The standard deviation of the elements of a tensor of this shape, before rounding to the element
    /// type.
    ///
    /// # Errors
    /// As an f32 fill of that shape would give: [`Error::TooFewDimensions`] where fans are needed, …
    pub fn std(&self, shape: &[u64]) -> Result<f64, Error> {
        self.moments(shape).map(|(_, std)| std)
    }

    /// What PyTorch would warn of, in its words. Only `kaiming_uniform_` and `kaiming_normal_` have
    /// something to say: that a tensor has no elements, and nothing is done. (`trunc_normal_` warns of
    /// means far from `a` and `b`, where its own values are wrong. Ours are right.)
    pub fn warning(&self, shape: &[u64]) -> Option<&'static str> {
        let warns = matches!(self, Self::KaimingUniform(_) | Self::KaimingNormal(_));
        (warns && shape.contains(&0)).then_some("Initializing zero-element tensors is a no-op")
    }

    fn moments(&self, shape: &[u64]) -> Result<(f64, f64), Error> {
        // All that can be wrong with it, before anything is computed of it.
        let args = self.kernel_args(shape, DType::F32)?;
        let is_constant = matches!(args, KernelArgs::Constant { .. });
        // Of a mixture of 0 (of weight 1 - p) and something of mean 0.
        let spiked = |p: f64, std: f64| (0.0, std * p.sqrt());
        Ok(match self.law(shape)? {
            Law::Constant(value) => (value, 0.0),
            Law::Uniform { low, high } => (low / 2.0 + high / 2.0, (high - low) / 12_f64.sqrt()),
            Law::Normal { mean, std } => (mean, std),
            Law::TruncNormal { mean, a, b, .. } if is_constant => (mean.clamp(a, b), 0.0),
            Law::TruncNormal { mean, std, a, b } => {
                let (m, s) = truncated_normal::moments(Truncation::new(mean, std, a, b));
                (mean.clamp(a, b) + std * m, std * s)
            }
            Law::Identity(matrix, identity) => {
                let p = identity.ones(matrix) as f64 / (matrix.rows as f64 * matrix.columns as f64);
                (p, (p * (1.0 - p)).sqrt())
            }
            // Rows or columns of length 1, of the longer of the two.
            Law::Orthogonal { matrix, gain } => {
                (0.0, gain.abs() / (matrix.rows.max(matrix.columns) as f64).sqrt())
            }
            Law::Sparse { matrix, zeros, std } => spiked(1.0 - zeros as f64 / matrix.rows as f64, std),
        })
    }

    /// What the kernels are to do for a tensor of this shape.
    pub(crate) fn kernel_args(&self, shape: &[u64], dtype: DType) -> Result<KernelArgs, Error> {
        match self.law(shape)? {
            Law::Constant(value) => KernelArgs::constant(value, dtype),
            Law::Uniform { low, high } => KernelArgs::uniform(low, high, dtype),
            Law::Normal { mean, std } => KernelArgs::normal(mean, std, dtype),
            Law::TruncNormal { mean, std, a, b } => KernelArgs::trunc_normal(mean, std, a, b, dtype),
            Law::Identity(matrix, identity) => KernelArgs::identity(matrix, identity, dtype),
            Law::Orthogonal { matrix, gain } => KernelArgs::orthogonal(matrix, gain, dtype),
            Law::Sparse { matrix, zeros, std } => KernelArgs::sparse(matrix, zeros, std, dtype),
        }
    }

    fn law(&self, shape: &[u64]) -> Result<Law, Error> {
        // PyTorch looks at this first, and does nothing then.
        let is_kaiming = matches!(self, Self::KaimingUniform(_) | Self::KaimingNormal(_));
        if is_kaiming && shape.contains(&0) {
            return Ok(Law::Constant(0.0));
        }
        let symmetric = |std: f64| {
            let bound = 3_f64.sqrt() * std;
            Law::Uniform { low: -bound, high: bound }
        };
        let centred = |std| Law::Normal { mean: 0.0, std };
        let law = match *self {
            Self::Constant { value } => Law::Constant(value),
            Self::Zeros => Law::Constant(0.0),
            Self::Ones => Law::Constant(1.0),
            Self::Uniform { low, high } => Law::Uniform { low, high },
            Self::Normal { mean, std } => Law::Normal { mean, std },
            Self::TruncNormal { mean, std, a, b } => Law::TruncNormal { mean, std, a, b },
            Self::Eye => {
                let [rows, columns] = *shape else { return Err(dimensions("2 dimensions", shape)) };
                Law::Identity(Matrix { rows, columns }, kernel_args::Identity::eye(rows, columns))
            }
            Self::Dirac { groups } => dirac(shape, groups)?,
            Self::XavierUniform { gain } => symmetric(xavier_std(shape, gain)?),
            Self::XavierNormal { gain } => centred(xavier_std(shape, gain)?),
            Self::KaimingUniform(kaiming) => symmetric(kaiming.std(shape)?),
            Self::KaimingNormal(kaiming) => centred(kaiming.std(shape)?),
            Self::Orthogonal { gain } => {
                let matrix = Matrix::flattened(shape)?;
                Law::Orthogonal { matrix, gain: kernel_args::finite("gain", gain)? }
            }
            Self::Sparse { sparsity, std } => {
                let [rows, columns] = *shape else { return Err(dimensions("2 dimensions", shape)) };
                if !(0.0..=1.0).contains(&sparsity) {
                    return Err(Error::Sparsity { sparsity });
                }
                // As Python's math.ceil of the f64 product.
                let zeros = (sparsity * rows as f64).ceil() as u64;
                Law::Sparse { matrix: Matrix { rows, columns }, zeros: zeros.min(rows), std }
            }
            Self::VarianceScaling(scaling) => {
                let std = scaling.std(shape)?;
                match scaling.distribution {
                    ScaledDistribution::Normal => centred(std),
                    ScaledDistribution::Uniform => symmetric(std),
                    ScaledDistribution::TruncatedNormal if std == 0.0 => Law::Constant(0.0),
                    ScaledDistribution::TruncatedNormal => {
                        let std = std / variance_scaling::TRUNCATED_STD;
                        Law::TruncNormal { mean: 0.0, std, a: -2.0 * std, b: 2.0 * std }
                    }
                }
            }
        };
        // A shape that makes an initialiser of nothing can make a scale of anything.
        Ok(if shape.contains(&0) { Law::Constant(0.0) } else { law })
    }
}

fn xavier_std(shape: &[u64], gain: f64) -> Result<f64, Error> {
    let gain = kernel_args::finite("gain", gain)?;
    Ok(Fans::of(shape)?.xavier_std(gain))
}

fn dirac(shape: &[u64], groups: u64) -> Result<Law, Error> {
    let [out, inputs, ref kernel @ ..] = *shape else {
        return Err(dimensions("3, 4, or 5 dimensions", shape));
    };
    if !(1..=3).contains(&kernel.len()) {
        return Err(dimensions("3, 4, or 5 dimensions", shape));
    }
    if groups == 0 || !out.is_multiple_of(groups) {
        return Err(Error::Groups { dimension: out, groups });
    }
    if shape.contains(&0) {
        return Ok(Law::Constant(0.0));
    }
    let matrix = Matrix::flattened(shape)?;
    let centre = kernel.iter().fold(0, |index, &k| index * k + k / 2);
    let field = product(kernel).unwrap_or(0);
    let identity = kernel_args::Identity { group: out / groups, inputs, field, centre };
    Ok(Law::Identity(matrix, identity))
}

fn dimensions(supported: &'static str, shape: &[u64]) -> Error {
    Error::Dimensions { supported, shape: shape.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal_std(init: Init, shape: &[u64]) -> f32 {
        match init.kernel_args(shape, DType::F32).unwrap() {
            KernelArgs::Normal { std, .. } => std,
            other => panic!("{other:?}"),
        }
    }

    fn uniform_bounds(init: Init, shape: &[u64]) -> [f32; 2] {
        match init.kernel_args(shape, DType::F32).unwrap() {
            KernelArgs::Uniform { low, range, .. } => [low, low + range],
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn scales_are_computed_in_f64_and_rounded_once() {
        // numpy.float32(gain * math.sqrt(2.0 / (fan_in + fan_out)))
        assert_eq!(normal_std(Init::xavier_normal(), &[768, 2304]).to_bits(), 0x3CD1_05EC);
        let tanh = Init::XavierNormal { gain: 5.0 / 3.0 };
        assert_eq!(normal_std(tanh, &[64, 3, 7, 7]).to_bits(), 0x3D28_7ED8);
        assert_eq!(normal_std(Init::XavierNormal { gain: 0.0 }, &[3, 3]), 0.0);
        // math.sqrt(3.0) * std
        let bound = (3_f64.sqrt() * (2.0_f64 / 30.0).sqrt()) as f32;
        assert_eq!(uniform_bounds(Init::xavier_uniform(), &[10, 20]), [-bound, bound]);
        // math.sqrt(2.0) / math.sqrt(fan_in)
        assert_eq!(
            normal_std(Init::kaiming_normal(), &[64, 3, 7, 7]),
            (2_f64.sqrt() / 147_f64.sqrt()) as f32
        );
        let jax = Init::VarianceScaling(VarianceScaling::jax_lecun_normal());
        let KernelArgs::TruncNormal { std, .. } = jax.kernel_args(&[300, 7], DType::F32).unwrap() else {
            panic!("not truncated");
        };
        assert_eq!(std, ((1.0 / 300.0_f64).sqrt() / 0.879_625_661_034_239_8) as f32);
    }

    #[test]
    fn mistakes_are_errors() {
        let error = |init: Init, shape: &[u64]| init.kernel_args(shape, DType::F32).unwrap_err();
        let starts = |init: Init, shape: &[u64], message: &str| {
            let error = error(init, shape).to_string();
            assert!(error.starts_with(message), "{error}");
        };
        // The sentences are PyTorch's.
        let fans = "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions";
        for init in
            [Init::xavier_normal(), Init::xavier_uniform(), Init::kaiming_normal(), Init::kaiming_uniform()]
        {
            starts(init, &[768], fans);
            starts(init, &[], fans);
        }
        starts(Init::Eye, &[3], "Only tensors with 2 dimensions are supported");
        starts(Init::sparse(0.5), &[3, 3, 3], "Only tensors with 2 dimensions are supported");
        starts(Init::dirac(), &[3, 3], "Only tensors with 3, 4, or 5 dimensions are supported");
        starts(Init::dirac(), &[1; 6], "Only tensors with 3, 4, or 5 dimensions are supported");
        starts(Init::Dirac { groups: 3 }, &[4, 3, 1], "dim 0 must be divisible by groups");
        starts(Init::Dirac { groups: 0 }, &[4, 3, 1], "dim 0 must be divisible by groups");
        starts(Init::orthogonal(), &[3], "Only tensors with 2 or more dimensions are supported");
        starts(Init::normal(0.0, -0.5), &[2], "normal expects std >= 0.0, but found std -0.5");
        starts(
            Init::uniform(1.0, 0.0),
            &[2],
            "uniform_ expects to return a [from, to) range, but found from=1 > to=0",
        );
        starts(Init::sparse(1.5), &[3, 3], "sparsity is 1.5");
        starts(Init::sparse(f64::NAN), &[3, 3], "sparsity is NaN");
        starts(Init::trunc_normal(0.0, 1.0, 2.0, 2.0), &[3], "trunc_normal expects a < b");
        assert!(matches!(error(Init::XavierNormal { gain: -1.0 }, &[2, 2]), Error::NegativeStd { .. }));
        assert!(matches!(
            error(Init::XavierUniform { gain: f64::NAN }, &[2, 2]),
            Error::NotFinite { parameter: "gain", .. }
        ));
        assert!(matches!(
            error(Init::Orthogonal { gain: f64::INFINITY }, &[2, 2]),
            Error::NotFinite { parameter: "gain", .. }
        ));
    }

    #[test]
    fn empty_tensors_have_a_distribution_and_a_warning() {
        for shape in [&[0, 0][..], &[0, 5], &[4, 4, 0]] {
            for init in [Init::xavier_normal(), Init::kaiming_uniform(), Init::orthogonal()] {
                assert!(init.kernel_args(shape, DType::F32).is_ok(), "{init} {shape:?}");
                assert_eq!(init.warning(shape).is_some(), init == Init::kaiming_uniform());
            }
        }
        assert_eq!(Init::kaiming_normal().warning(&[3, 3]), None);
        assert!(Init::kaiming_normal().kernel_args(&[0], DType::F32).is_ok());
        assert!(Init::dirac().kernel_args(&[3, 0, u64::MAX, u64::MAX], DType::F32).is_ok());
    }

    #[test]
    fn moments_of_patterns() {
        let moments = |init: Init, shape: &[u64]| (init.mean(shape).unwrap(), init.std(shape).unwrap());
        assert_eq!(moments(Init::Eye, &[2, 8]), (0.125, (0.125_f64 * 0.875).sqrt()));
        // One 1 in each of the 6 filters of 2 * 3 * 3 weights: groups of two.
        assert_eq!(moments(Init::Dirac { groups: 3 }, &[6, 2, 3, 3]).0, 6.0 / 108.0);
        assert_eq!(moments(Init::dirac(), &[6, 2, 3, 3]).0, 2.0 / 108.0);
        assert_eq!(moments(Init::Orthogonal { gain: -2.0 }, &[4, 2, 8]), (0.0, 0.5));
        assert_eq!(moments(Init::Sparse { sparsity: 0.75, std: 2.0 }, &[8, 5]), (0.0, 1.0));
        let (mean, std) = moments(Init::trunc_normal(1.0, 0.5, 0.0, 2.0), &[3]);
        assert!((mean - 1.0).abs() < 1e-12 && (std - 0.5 * 0.879_625_661_034_24).abs() < 1e-12);
    }
}
