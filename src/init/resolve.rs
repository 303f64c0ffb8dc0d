//! The resolution of an initialiser and a shape to a distribution.

use crate::dtype::DType;
use crate::error::Error;
use crate::init::Init;
use crate::init::checks::finite;
use crate::init::distribution::Distribution;
use crate::init::distribution::constant::Constant;
use crate::init::distribution::identity::Identity;
use crate::init::distribution::log_normal::LogNormal;
use crate::init::distribution::normal::Normal;
use crate::init::distribution::orthogonal::Orthogonal;
use crate::init::distribution::sparse::Sparse;
use crate::init::distribution::trunc_normal::TruncNormal;
use crate::init::distribution::uniform::Uniform;
use crate::init::fan::Fans;
use crate::init::kernel_args::{Generator, KernelArgs};
use crate::init::variance_scaling::{ScaledDistribution, TRUNCATED_STD};
use crate::layout::matrix::Matrix;
use crate::layout::shape::{IntoShape, check_dimensions};

impl Init {
    /// The expectation of the elements of a tensor of this shape. Where an initialiser has a pattern (`eye`,
    /// `dirac`), this is the mean of all elements.
    ///
    /// # Errors
    /// The errors of an f32 fill of that shape.
    pub fn mean<'a>(&self, shape: impl IntoShape<'a>) -> Result<f64, Error> {
        self.moments(&shape.into_shape()).map(|(mean, _)| mean)
    }

    /// The standard deviation of the elements of a tensor of this shape, before rounding to the element
    /// type.
    ///
    /// # Errors
    /// The errors of an f32 fill of that shape: [`Error::TooFewDimensions`] where fans are needed, …
    pub fn std<'a>(&self, shape: impl IntoShape<'a>) -> Result<f64, Error> {
        self.moments(&shape.into_shape()).map(|(_, std)| std)
    }

    /// The same initialiser for a tensor whose fans do not follow from its shape: a matrix of shape `[in, out]`, a grouped
    /// convolution, a bias that takes the fans of its weight. The result is the `normal`, `uniform` or `trunc_normal` with the
    /// standard deviation that these fans give. An initialiser without fans stays as it is.
    ///
    /// ```
    /// use seedbed::{Fans, Init};
    ///
    /// // PyTorch's bias of a linear layer with 784 inputs: uniform on ±1/√784.
    /// let kaiming = "kaiming_uniform(a=2.23606797749979)".parse::<Init>()?;
    /// let bias = kaiming.with_fans(Fans { fan_in: 784.0, fan_out: 256.0 })?;
    /// assert!(matches!(bias, Init::Uniform { high, .. } if (high - 1.0 / 28.0).abs() < 1e-12));
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Fan`] if a fan is negative, infinite or NaN; the errors of the initialiser's own arguments.
    pub fn with_fans(self, fans: Fans) -> Result<Self, Error> {
        for fan in [fans.fan_in, fans.fan_out] {
            if !(fan.is_finite() && fan >= 0.0) {
                return Err(Error::Fan { fan });
            }
        }
        let normal = |std| Self::Normal { mean: 0.0, std };
        let uniform = |std| {
            let Uniform { low, high } = Uniform::centred(std);
            Self::Uniform { low, high }
        };
        Ok(match self {
            Self::XavierUniform { gain } => uniform(fans.xavier_std(finite("gain", gain)?)),
            Self::XavierNormal { gain } => normal(fans.xavier_std(finite("gain", gain)?)),
            Self::KaimingUniform(kaiming) => uniform(kaiming.std_of(fans)?),
            Self::KaimingNormal(kaiming) => normal(kaiming.std_of(fans)?),
            Self::VarianceScaling(scaling) => {
                let std = scaling.std_of(fans)?;
                match scaling.distribution {
                    ScaledDistribution::Normal => normal(std),
                    ScaledDistribution::Uniform => uniform(std),
                    ScaledDistribution::TruncatedNormal if std == 0.0 => Self::Zeros,
                    ScaledDistribution::TruncatedNormal => {
                        let std = std / TRUNCATED_STD;
                        Self::TruncNormal { mean: 0.0, std, a: -2.0 * std, b: 2.0 * std }
                    }
                }
            }
            other => other,
        })
    }

    /// The initialiser with explicit parameters that gives a tensor of this shape the same elements: `constant`,
    /// `uniform`, `normal`, `log_normal` or `trunc_normal`. Use this to learn the law of the elements, for a plot or a
    /// test. The initialisers that are no law of single elements stay as they are: `eye`, `dirac`, `orthogonal`, `sparse`.
    ///
    /// ```
    /// use seedbed::Init;
    ///
    /// let weight = Init::xavier_uniform().resolve([30, 66])?;
    /// assert!(matches!(weight, Init::Uniform { high, .. } if (high - 0.25).abs() < 1e-12));
    /// assert_eq!(Init::zeros().resolve([30])?, Init::constant(0.0));
    /// assert_eq!(Init::orthogonal().resolve([30, 66])?, Init::orthogonal());
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    ///
    /// # Errors
    /// The errors of an f32 fill of that shape.
    pub fn resolve<'a>(&self, shape: impl IntoShape<'a>) -> Result<Self, Error> {
        let distribution = self.distribution(&shape.into_shape())?;
        distribution.kernel_args(DType::F32)?;
        Ok(match distribution {
            Distribution::Constant(Constant { value }) => Self::Constant { value },
            Distribution::Uniform(Uniform { low, high }) => Self::Uniform { low, high },
            Distribution::Normal(Normal { mean, std }) => Self::Normal { mean, std },
            Distribution::LogNormal(LogNormal { mean, std }) => Self::LogNormal { mean, std },
            Distribution::TruncNormal(TruncNormal { mean, std, a, b }) => {
                Self::TruncNormal { mean, std, a, b }
            }
            Distribution::Identity(_) | Distribution::Orthogonal(_) | Distribution::Sparse(_) => *self,
        })
    }

    /// PyTorch's warning, in its words. Only `kaiming_uniform_` and `kaiming_normal_` have one: that a tensor
    /// has no elements, and nothing is done. PyTorch's `trunc_normal_` also warns of means far from `a` and
    /// `b`, where its values are wrong. The values of this library are right there, so there is no warning.
    pub fn warning<'a>(&self, shape: impl IntoShape<'a>) -> Option<&'static str> {
        let warns = matches!(self, Self::KaimingUniform(_) | Self::KaimingNormal(_));
        (warns && shape.into_shape().contains(&0)).then_some("Initializing zero-element tensors is a no-op")
    }

    /// The arguments of a kernel for a tensor of this shape and element type.
    pub(crate) fn kernel_args(&self, shape: &[u64], dtype: DType) -> Result<KernelArgs, Error> {
        self.distribution(shape)?.kernel_args(dtype)
    }

    /// The generator that most fills of the initialiser need. For some shapes and scales the fill is a constant instead.
    pub(crate) fn usual_generator(&self) -> Generator {
        match self {
            Self::Constant { .. } | Self::Zeros | Self::Ones => Generator::Constant,
            Self::Uniform { .. } | Self::XavierUniform { .. } | Self::KaimingUniform(_) => Generator::Uniform,
            Self::Normal { .. } | Self::XavierNormal { .. } | Self::KaimingNormal(_) => Generator::Normal,
            Self::LogNormal { .. } => Generator::LogNormal,
            Self::TruncNormal { .. } => Generator::TruncNormal,
            Self::Eye | Self::Dirac { .. } => Generator::Identity,
            Self::Orthogonal { .. } => Generator::Copy,
            Self::Sparse { .. } => Generator::Sparse,
            Self::VarianceScaling(scaling) => match scaling.distribution {
                ScaledDistribution::Normal => Generator::Normal,
                ScaledDistribution::TruncatedNormal => Generator::TruncNormal,
                ScaledDistribution::Uniform => Generator::Uniform,
            },
        }
    }

    fn moments(&self, shape: &[u64]) -> Result<(f64, f64), Error> {
        let distribution = self.distribution(shape)?;
        // moments() needs valid parameters, and kernel_args() checks them.
        distribution.kernel_args(DType::F32)?;
        Ok(distribution.moments())
    }

    /// The distribution of the elements of a tensor of this shape, before rounding to an element type.
    fn distribution(&self, shape: &[u64]) -> Result<Distribution, Error> {
        check_dimensions(shape)?;
        let zeros = Distribution::from(Constant { value: 0.0 });
        // PyTorch's Kaiming functions do nothing with an empty tensor, before they check anything else.
        let is_kaiming = matches!(self, Self::KaimingUniform(_) | Self::KaimingNormal(_));
        if is_kaiming && shape.contains(&0) {
            return Ok(zeros);
        }
        let distribution = match *self {
            Self::Constant { value } => Constant { value }.into(),
            Self::Zeros => zeros,
            Self::Ones => Constant { value: 1.0 }.into(),
            Self::Uniform { low, high } => Uniform { low, high }.into(),
            Self::Normal { mean, std } => Normal { mean, std }.into(),
            Self::LogNormal { mean, std } => LogNormal { mean, std }.into(),
            Self::TruncNormal { mean, std, a, b } => TruncNormal { mean, std, a, b }.into(),
            Self::Eye => {
                let Matrix { rows, columns } = matrix(shape)?;
                Identity::eye(rows, columns).into()
            }
            Self::Dirac { groups } => dirac(shape, groups)?,
            Self::XavierUniform { gain } => Uniform::centred(xavier_std(shape, gain)?).into(),
            Self::XavierNormal { gain } => Normal::centred(xavier_std(shape, gain)?).into(),
            Self::KaimingUniform(kaiming) => Uniform::centred(kaiming.std(shape)?).into(),
            Self::KaimingNormal(kaiming) => Normal::centred(kaiming.std(shape)?).into(),
            Self::Orthogonal { gain } => {
                let matrix = Matrix::flattened(shape)?;
                Orthogonal { matrix, gain: finite("gain", gain)? }.into()
            }
            Self::Sparse { sparsity, std } => {
                let matrix = matrix(shape)?;
                if !(0.0..=1.0).contains(&sparsity) {
                    return Err(Error::Sparsity { sparsity });
                }
                // The same as Python's math.ceil of the f64 product.
                let zeros = (sparsity * matrix.rows as f64).ceil() as u64;
                Sparse { matrix, zeros: zeros.min(matrix.rows), std }.into()
            }
            Self::VarianceScaling(scaling) => {
                let std = scaling.std(shape)?;
                match scaling.distribution {
                    ScaledDistribution::Normal => Normal::centred(std).into(),
                    ScaledDistribution::Uniform => Uniform::centred(std).into(),
                    ScaledDistribution::TruncatedNormal if std == 0.0 => zeros,
                    ScaledDistribution::TruncatedNormal => {
                        let std = std / TRUNCATED_STD;
                        TruncNormal { mean: 0.0, std, a: -2.0 * std, b: 2.0 * std }.into()
                    }
                }
            }
        };
        // A tensor without elements may have an infinite or NaN scale. The scale is never used, so the fill
        // is a constant.
        Ok(if shape.contains(&0) { zeros } else { distribution })
    }
}

fn matrix(shape: &[u64]) -> Result<Matrix, Error> {
    let [rows, columns] = *shape else { return Err(dimensions("2 dimensions", shape)) };
    Ok(Matrix { rows, columns })
}

fn xavier_std(shape: &[u64], gain: f64) -> Result<f64, Error> {
    let gain = finite("gain", gain)?;
    Ok(Fans::of(shape)?.xavier_std(gain))
}

fn dirac(shape: &[u64], groups: u64) -> Result<Distribution, Error> {
    if !(3..=5).contains(&shape.len()) {
        return Err(dimensions("3, 4, or 5 dimensions", shape));
    }
    let out = shape[0];
    if groups == 0 || !out.is_multiple_of(groups) {
        return Err(Error::Groups { dimension: out, groups });
    }
    // The other dimensions of an empty tensor may overflow.
    if shape.contains(&0) {
        return Ok(Constant { value: 0.0 }.into());
    }
    Identity::convolution(shape, out / groups).map(Distribution::from)
}

fn dimensions(supported: &'static str, shape: &[u64]) -> Error {
    Error::Dimensions { supported, shape: shape.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::variance_scaling::VarianceScaling;

    #[test]
    fn explicit_fans_give_the_bits_of_the_shapes_own() {
        let key = crate::Key::new(5);
        for row in Init::signatures() {
            let init: Init = row.example.parse().unwrap();
            let shape = match init {
                Init::Dirac { .. } => vec![9, 5, 3],
                Init::VarianceScaling(_) => vec![8, 6, 5, 3],
                _ => vec![8, 12],
            };
            let fans = match init {
                Init::VarianceScaling(s) if s.framework == crate::Framework::Jax => {
                    let (in_axis, out_axis, batch) = s.axes();
                    Fans::with_axes(&shape, in_axis, out_axis, batch).unwrap()
                }
                Init::VarianceScaling(_) => Fans::keras(&shape).unwrap(),
                _ => Fans::of(&shape).unwrap(),
            };
            let explicit = init.with_fans(fans).unwrap();
            let bits = |init: &Init| {
                let mut values = vec![0.0_f32; shape.iter().product::<u64>() as usize];
                crate::host::fill(&mut values, &shape, init, key).unwrap();
                values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            assert_eq!(bits(&explicit), bits(&init), "{init} {explicit}");
            let resolved = init.resolve(&shape).unwrap();
            assert_eq!(bits(&resolved), bits(&init), "{init} {resolved}");
            assert_eq!(resolved.resolve(&shape).unwrap(), resolved);
        }
    }

    #[test]
    fn fans_that_are_no_number_of_units_are_errors() {
        for fan in [-1.0, f64::NAN, f64::INFINITY] {
            let fans = Fans { fan_in: 3.0, fan_out: fan };
            assert!(matches!(Init::xavier_normal().with_fans(fans), Err(Error::Fan { .. })));
        }
        assert_eq!(Init::Eye.with_fans(Fans { fan_in: 1.0, fan_out: 1.0 }), Ok(Init::Eye));
    }

    #[test]
    fn resolved_initialisers_are_explicit() {
        let resolve = |init: Init, shape: &[u64]| init.resolve(shape);
        assert_eq!(resolve(Init::kaiming_normal(), &[7, 2]), Ok(Init::normal(0.0, 1.0)));
        assert_eq!(resolve(Init::Ones, &[]), Ok(Init::constant(1.0)));
        assert_eq!(resolve(Init::log_normal(0.0, 0.5), &[3]), Ok(Init::log_normal(0.0, 0.5)));
        for init in [Init::Eye, Init::sparse(0.5)] {
            assert_eq!(resolve(init, &[4, 6]), Ok(init));
            // A tensor without elements has no law.
            assert_eq!(resolve(init, &[4, 0]), Ok(Init::constant(0.0)));
        }
        assert!(matches!(resolve(Init::xavier_normal(), &[3]), Err(Error::TooFewDimensions { .. })));
        assert!(matches!(resolve(Init::normal(0.0, -1.0), &[3]), Err(Error::NegativeStd { .. })));
    }

    fn normal_std(init: Init, shape: &[u64]) -> f32 {
        match init.kernel_args(shape, DType::F32).unwrap() {
            KernelArgs { generator: Generator::Normal, std, .. } => std,
            other => panic!("{other:?}"),
        }
    }

    fn uniform_bounds(init: Init, shape: &[u64]) -> [f32; 2] {
        match init.kernel_args(shape, DType::F32).unwrap() {
            KernelArgs { generator: Generator::Uniform, low, range, .. } => [low, low + range],
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
        let args = jax.kernel_args(&[300, 7], DType::F32).unwrap();
        assert_eq!(args.generator, Generator::TruncNormal);
        assert_eq!(args.std, ((1.0 / 300.0_f64).sqrt() / 0.879_625_661_034_239_8) as f32);
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
        assert_eq!(Init::kaiming_normal().warning([3, 3]), None);
        assert!(Init::kaiming_normal().kernel_args(&[0], DType::F32).is_ok());
        assert!(Init::dirac().kernel_args(&[3, 0, 1 << 62, 1 << 62], DType::F32).is_ok());
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
