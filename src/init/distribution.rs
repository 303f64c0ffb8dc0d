//! The distributions: what an initialiser and a shape come to, in f64, before rounding to an element type.
//!
//! A file here is a distribution: a struct of its parameters in f64, and two functions.
//!
//! - `kernel_args(dtype)` validates the parameters and rounds them once to what a kernel of that element type
//!   takes.
//! - `moments()` gives mean and standard deviation. The parameters are valid then.

pub(crate) mod constant;
pub(crate) mod identity;
pub(crate) mod log_normal;
pub(crate) mod normal;
pub(crate) mod orthogonal;
pub(crate) mod sparse;
pub(crate) mod trunc_normal;
pub(crate) mod uniform;

use self::constant::Constant;
use self::identity::Identity;
use self::log_normal::LogNormal;
use self::normal::Normal;
use self::orthogonal::Orthogonal;
use self::sparse::Sparse;
use self::trunc_normal::TruncNormal;
use self::uniform::Uniform;
use crate::dtype::DType;
use crate::error::Error;
use crate::init::kernel_args::KernelArgs;

/// Declares [`Distribution`], with a variant for each struct, and dispatches to the structs.
macro_rules! distributions {
    ($($name:ident),*) => {
        /// The distribution of the elements of a tensor.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(crate) enum Distribution {
            $($name($name),)*
        }

        $(impl From<$name> for Distribution {
            fn from(distribution: $name) -> Self {
                Self::$name(distribution)
            }
        })*

        impl Distribution {
            /// What a kernel takes, for elements of this type.
            pub(crate) fn kernel_args(self, dtype: DType) -> Result<KernelArgs, Error> {
                match self {
                    $(Self::$name(distribution) => distribution.kernel_args(dtype),)*
                }
            }

            /// Mean and standard deviation of the elements, of parameters that are valid.
            pub(crate) fn moments(self) -> (f64, f64) {
                match self {
                    $(Self::$name(distribution) => distribution.moments(),)*
                }
            }
        }
    };
}

distributions!(Constant, Identity, LogNormal, Normal, Orthogonal, Sparse, TruncNormal, Uniform);
