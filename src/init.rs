//! The initialisers, under the names of the frameworks that they come from.

pub(crate) mod arguments;
pub(crate) mod axes;
mod checks;
#[cfg(any(test, target_arch = "wasm32"))]
mod decimal;
pub(crate) mod distribution;
pub(crate) mod fan;
pub(crate) mod gain;
pub(crate) mod kaiming;
pub(crate) mod kernel_args;
mod resolve;
pub(crate) mod table;
mod text;
pub(crate) mod variance_scaling;

use self::kaiming::Kaiming;
use self::variance_scaling::VarianceScaling;
use crate::error::Error;

/// An initialiser: a function of `torch.nn.init`, under its name and with its defaults, or a member of the
/// variance-scaling family of JAX and Keras. Parameters are f64. Each is rounded once, after all arithmetic.
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
/// // PyTorch's Glorot normal is not truncated, JAX's is: the names keep both apart.
/// assert_ne!("xavier_normal()".parse::<Init>()?, "jax::glorot_normal()".parse()?);
/// # Ok::<(), seedbed::Error>(())
/// ```
///
/// The feature `serde` serialises an `Init` as its textual form, a string.
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
    /// Log-normal distribution: `exp` of a normal distribution (`torch.Tensor.log_normal_`, whose defaults
    /// are 1 and 2). Every element is positive. An f32 or bf16 element is never below 2^-126, where PyTorch
    /// writes subnormals and zeros.
    LogNormal {
        /// Mean of the logarithm. Finite. `mean + 6.77·std` is at most 88.7 for f32 and bf16, 11.09 for f16.
        mean: f64,
        /// Standard deviation of the logarithm. Finite, above 0.
        std: f64,
    },
    /// Normal distribution cut off at `a` and `b` (`trunc_normal_`, whose defaults are 0, 1, -2 and 2).
    /// The distribution is right for any bounds, far tails and narrow slices too; PyTorch warns that its own
    /// is wrong there.
    TruncNormal {
        /// The mean of the normal distribution before it is cut. Finite.
        mean: f64,
        /// The standard deviation of the normal distribution before it is cut. Finite, 0 or more.
        std: f64,
        /// The smallest value. May be -∞.
        a: f64,
        /// The largest value, above `a`. May be ∞.
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
    /// Each element depends on the whole matrix, so a fill computes the whole matrix even if it writes only a
    /// part. With `n` the larger and `p` the smaller dimension, the matrix takes about `2·n·p² - ⅔·p³`
    /// operations and scratch memory of `4·n·p` to `9·n·p` bytes. On a device the matrix takes many dispatches
    /// before that of the fill, in the same compute pass; a GPU's watchdog may object to matrices far beyond
    /// 4096 x 4096.
    Orthogonal {
        /// 1 by default; finite.
        gain: f64,
    },
    /// Martens's sparse initialisation (2010; `sparse_`): each column has exactly ⌈sparsity·rows⌉ zeros, at
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

macro_rules! variance_scaling {
    ($($name:ident)*) => {$(
        #[doc = concat!("[`VarianceScaling::", stringify!($name), "`], on its default axes.")]
        pub const fn $name() -> Self {
            Self::VarianceScaling(VarianceScaling::$name())
        }
    )*};
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

    /// `zeros_()`.
    pub const fn zeros() -> Self {
        Self::Zeros
    }

    /// `ones_()`.
    pub const fn ones() -> Self {
        Self::Ones
    }

    /// `uniform_(low, high)`.
    pub const fn uniform(low: f64, high: f64) -> Self {
        Self::Uniform { low, high }
    }

    /// `normal_(mean, std)`.
    pub const fn normal(mean: f64, std: f64) -> Self {
        Self::Normal { mean, std }
    }

    /// `log_normal_(mean, std)`: mean and standard deviation of the logarithm.
    pub const fn log_normal(mean: f64, std: f64) -> Self {
        Self::LogNormal { mean, std }
    }

    /// `trunc_normal_(mean, std, a, b)`: `a` and `b` are values, not standard deviations.
    pub const fn trunc_normal(mean: f64, std: f64, a: f64, b: f64) -> Self {
        Self::TruncNormal { mean, std, a, b }
    }

    /// `eye_()`.
    pub const fn eye() -> Self {
        Self::Eye
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

    /// The same initialiser with this gain.
    ///
    /// ```
    /// use seedbed::{Init, Nonlinearity, calculate_gain};
    ///
    /// let init = Init::xavier_normal().with_gain(calculate_gain(Nonlinearity::Tanh, None))?;
    /// assert_eq!(init, Init::XavierNormal { gain: 5.0 / 3.0 });
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoGain`] if the initialiser takes no gain. The gain of the Kaiming initialisers follows from
    /// their non-linearity.
    pub fn with_gain(self, gain: f64) -> Result<Self, Error> {
        match self {
            Self::XavierUniform { .. } => Ok(Self::XavierUniform { gain }),
            Self::XavierNormal { .. } => Ok(Self::XavierNormal { gain }),
            Self::Orthogonal { .. } => Ok(Self::Orthogonal { gain }),
            _ => Err(Error::NoGain { init: self.to_string() }),
        }
    }

    /// `sparse_(sparsity)`, with a standard deviation of 0.01.
    pub const fn sparse(sparsity: f64) -> Self {
        Self::Sparse { sparsity, std: 0.01 }
    }

    variance_scaling! {
        jax_glorot_normal jax_glorot_uniform jax_lecun_normal jax_lecun_uniform jax_he_normal jax_he_uniform
        keras_glorot_normal keras_glorot_uniform keras_lecun_normal keras_lecun_uniform keras_he_normal
        keras_he_uniform
    }
}
