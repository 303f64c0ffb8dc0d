//! What a kernel understands: an initialiser after fans, gains and rounding.

use crate::layout::matrix::{Matrix, Place};
use crate::math::truncated_normal::Truncation;
use crate::{DType, Error};

/// The distribution of the elements of a fill, validated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum KernelArgs {
    /// Every element is what this f32 narrows to: a value that the element type holds exactly.
    Constant { bits: u32 },
    /// The raw stream.
    Words,
    /// `low + range · u`, u uniform on [0, 1), and never above `most`.
    Uniform { low: f32, range: f32, most: f32 },
    /// `mean + std · z`, z standard normal.
    Normal { mean: f32, std: f32 },
    /// `mode + std · (z - mode of z)`, z standard normal and cut off; never outside `least` and `most`.
    TruncNormal { truncation: Truncation, mode: f32, std: f32, least: f32, most: f32 },
    /// 0 but for a pattern of ones.
    Identity { matrix: Matrix, identity: Identity },
    /// Normals of mean 0, and `zeros` zeros in each column.
    Sparse { matrix: Matrix, zeros: u32, std: f32 },
    /// A matrix with orthonormal rows or columns, times the gain.
    Orthogonal { matrix: Matrix, gain: f32 },
}

/// Where the ones of an identity stand: row `r` has one in column `field · (r mod group) + centre` if
/// `r mod group` is below `inputs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Rows of a group.
    pub(crate) group: u64,
    pub(crate) inputs: u64,
    /// Columns of an input.
    pub(crate) field: u64,
    /// Which of those is the middle one.
    pub(crate) centre: u64,
}

impl Identity {
    pub(crate) fn eye(rows: u64, columns: u64) -> Self {
        Self { group: rows, inputs: columns, field: 1, centre: 0 }
    }

    /// How many ones there are in a matrix of whole groups.
    pub(crate) fn ones(self, matrix: Matrix) -> u64 {
        (matrix.rows / self.group.max(1)) * self.group.min(self.inputs)
    }

    /// The element at this place, of a matrix that is checked: rows and columns fit 31 bits.
    #[inline(always)]
    pub(crate) fn value(self, place: Place) -> f32 {
        let member = u64::from(place.row) % self.group;
        let is_one = member < self.inputs && u64::from(place.column) == self.field * member + self.centre;
        if is_one { 1.0 } else { 0.0 }
    }
}

/// No normal is larger: `sqrt(-2 ln(2^-33))` is 6.7638.
const LARGEST_NORMAL: f64 = 6.77;

/// A truncated distribution whose nearest bound is `n` standard deviations from the mean is some `40 / n` of
/// them wide. From here on that is nothing.
const FARTHEST_MODE: f64 = 1e30;

impl KernelArgs {
    /// Rounds once to the element type, nearest even. Infinities and NaN are values like others;
    /// every NaN becomes the quiet one without payload.
    pub(crate) fn constant(value: f64, dtype: DType) -> Result<Self, Error> {
        let rounded = float(dtype)?.round(value);
        if rounded.is_infinite() && value.is_finite() {
            return Err(Error::Overflow { parameter: "value", value, dtype });
        }
        let bits = match dtype {
            // See `shaders/narrow_f16.wgsl`.
            DType::F16 if rounded.is_nan() => 98_304_f32.to_bits(),
            DType::F16 if rounded.is_infinite() => 65_536_f32.copysign(rounded).to_bits(),
            _ => rounded.to_bits(),
        };
        Ok(Self::Constant { bits })
    }

    pub(crate) fn uniform(low: f64, high: f64, dtype: DType) -> Result<Self, Error> {
        let dtype = float(dtype)?;
        let from = fitting("a", low, dtype)?;
        let to = fitting("b", high, dtype)?;
        if low > high {
            return Err(Error::UniformBounds { low, high });
        }
        let range = to - from;
        if range.is_infinite() {
            return Err(Error::UniformRange { low, high });
        }
        let most = if range == 0.0 { to } else { dtype.below(to.into()) as f32 };
        Ok(Self::Uniform { low: from, range, most })
    }

    pub(crate) fn normal(mean: f64, std: f64, dtype: DType) -> Result<Self, Error> {
        let dtype = float(dtype)?;
        let mean_rounded = fitting("mean", mean, dtype)?;
        let std_rounded = standard_deviation(std, dtype)?;
        let value = mean.abs() + LARGEST_NORMAL * std;
        if value > dtype.max() {
            return Err(Error::Overflow { parameter: "the largest normal, |mean| + 6.77 std", value, dtype });
        }
        Ok(Self::Normal { mean: mean_rounded, std: std_rounded })
    }

    pub(crate) fn trunc_normal(mean: f64, std: f64, a: f64, b: f64, dtype: DType) -> Result<Self, Error> {
        let dtype = float(dtype)?;
        fitting("mean", mean, DType::F32)?;
        let std_rounded = standard_deviation(std, DType::F32)?;
        // NaN is in no order.
        if a.partial_cmp(&b) != Some(std::cmp::Ordering::Less) {
            return Err(Error::TruncBounds { a, b });
        }
        let (least, most) = (dtype.at_least(a), dtype.at_most(b));
        if least > most {
            return Err(Error::NoValue { a, b, dtype });
        }
        if std == 0.0 {
            return Self::constant(mean.clamp(least, most), dtype);
        }
        let truncation = Truncation::new(mean, std, a, b);
        if truncation.mode().abs() > FARTHEST_MODE || truncation.is_empty() {
            return Self::constant(mean.clamp(least, most), dtype);
        }
        // The likeliest value, from which the others are measured.
        let mode = mean.clamp(a, b);
        let value = (mode - a).max(b - mode).min(LARGEST_NORMAL * std);
        if value > DType::F32.max() {
            return Err(Error::Overflow {
                parameter: "the largest deviation, 6.77 std",
                value,
                dtype: DType::F32,
            });
        }
        let (mode, least, most) = (mode as f32, least as f32, most as f32);
        Ok(Self::TruncNormal { truncation, mode, std: std_rounded, least, most })
    }

    pub(crate) fn identity(matrix: Matrix, identity: Identity, dtype: DType) -> Result<Self, Error> {
        float(dtype)?;
        Ok(Self::Identity { matrix: matrix.checked()?, identity })
    }

    pub(crate) fn sparse(matrix: Matrix, zeros: u64, std: f64, dtype: DType) -> Result<Self, Error> {
        let Self::Normal { std, .. } = Self::normal(0.0, std, dtype)? else { return Err(not_words(dtype)) };
        // At most as many as rows.
        Ok(Self::Sparse { matrix: matrix.checked()?, zeros: zeros as u32, std })
    }

    pub(crate) fn orthogonal(matrix: Matrix, gain: f64, dtype: DType) -> Result<Self, Error> {
        Ok(Self::Orthogonal { matrix: matrix.checked()?, gain: fitting("gain", gain, float(dtype)?)? })
    }
}

/// The element type, if it is one of floats.
fn float(dtype: DType) -> Result<DType, Error> {
    match dtype {
        DType::F32 | DType::F16 | DType::BF16 => Ok(dtype),
        DType::U32 => Err(not_words(dtype)),
    }
}

fn not_words(dtype: DType) -> Error {
    Error::DTypeMismatch { operation: "an initialiser", dtype, expected: DType::F32 }
}

/// The value, if it is finite.
pub(crate) fn finite(parameter: &'static str, value: f64) -> Result<f64, Error> {
    if value.is_finite() { Ok(value) } else { Err(Error::NotFinite { parameter, value }) }
}

/// Rounds once to f32, as PyTorch does with what it computed in f64; what the element type can't hold is
/// refused.
fn fitting(parameter: &'static str, value: f64, dtype: DType) -> Result<f32, Error> {
    let rounded = finite(parameter, value)? as f32;
    if rounded.is_infinite() || dtype.round(value).is_infinite() {
        return Err(Error::Overflow { parameter, value, dtype });
    }
    Ok(rounded)
}

fn standard_deviation(std: f64, dtype: DType) -> Result<f32, Error> {
    let rounded = fitting("std", std, dtype)?;
    if std < 0.0 { Err(Error::NegativeStd { std }) } else { Ok(rounded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(distribution: Result<KernelArgs, Error>) -> String {
        distribution.unwrap_err().to_string()
    }

    #[test]
    fn constants_round_once_to_nearest_even() {
        let bits = |v, dtype| match KernelArgs::constant(v, dtype) {
            Ok(KernelArgs::Constant { bits }) => bits,
            other => panic!("{other:?}"),
        };
        assert_eq!(bits(0.01, DType::F32), 0x3C23_D70A);
        assert_eq!(bits(1.0 + f64::from(f32::EPSILON) / 2.0, DType::F32), 1.0_f32.to_bits());
        assert_eq!(bits(-0.0, DType::F32), 0x8000_0000);
        assert_eq!(bits(f64::NEG_INFINITY, DType::F32), 0xFF80_0000);
        assert_eq!(bits(-f64::NAN, DType::BF16), 0x7FC0_0000);
        // Once: by way of f32 this would be a tie, and 2048.
        assert_eq!(f32::from_bits(bits(2049.0 + 1e-9, DType::F16)), 2050.0);
        assert_eq!(f32::from_bits(bits(0.01, DType::BF16)), 0.010_009_766);
    }

    #[test]
    fn a_uniform_stays_below_its_upper_bound() {
        let most = |low, high, dtype| match KernelArgs::uniform(low, high, dtype) {
            Ok(KernelArgs::Uniform { most, .. }) => most,
            other => panic!("{other:?}"),
        };
        assert_eq!(most(0.0, 1.0, DType::F32), 1.0_f32.next_down());
        assert_eq!(most(0.0, 1.0, DType::F16), 1.0 - 1.0 / 2048.0);
        assert_eq!(most(-1.0, 0.3, DType::BF16), 0.298_828_13);
        assert_eq!(most(2.0, 2.0, DType::F32), 2.0);
    }

    #[test]
    fn bounds_of_a_truncated_normal_are_values_of_the_type() {
        let bounds = |a, b, dtype| match KernelArgs::trunc_normal(0.0, 1.0, a, b, dtype) {
            Ok(KernelArgs::TruncNormal { least, most, .. }) => [least, most],
            other => panic!("{other:?}"),
        };
        assert_eq!(bounds(-2.0, 2.0, DType::BF16), [-2.0, 2.0]);
        assert_eq!(bounds(-0.3, 0.3, DType::BF16), [-0.298_828_13, 0.298_828_13]);
        assert_eq!(bounds(f64::NEG_INFINITY, 0.1, DType::F16), [-65_504.0, 0.099_975_586]);
        let constant = |mean, std, a, b| match KernelArgs::trunc_normal(mean, std, a, b, DType::F32) {
            Ok(KernelArgs::Constant { bits }) => f32::from_bits(bits),
            other => panic!("{other:?}"),
        };
        assert_eq!(constant(0.5, 0.0, 0.0, 1.0), 0.5);
        assert_eq!(constant(-7.0, 0.0, 0.0, 1.0), 0.0);
        assert_eq!(constant(0.0, 1e-40, 1.0, 2.0), 1.0);
        assert_eq!(constant(0.0, 1e-40, -2.0, -1.0), -1.0);
        assert!(
            error(KernelArgs::trunc_normal(0.0, 1e38, f64::NEG_INFINITY, f64::INFINITY, DType::F32))
                .starts_with("the largest deviation, 6.77 std")
        );
        assert!(KernelArgs::trunc_normal(0.0, 1e38, -1.0, 1.0, DType::F32).is_ok());
        assert!(
            error(KernelArgs::trunc_normal(0.0, 1.0, 1.001, 1.002, DType::BF16))
                .starts_with("no value of bf16 lies between a=1.001e0 and b=1.002e0")
        );
        for (a, b) in [(2.0, 2.0), (3.0, 2.0), (f64::NAN, 2.0), (0.0, f64::NAN)] {
            let error = error(KernelArgs::trunc_normal(0.0, 1.0, a, b, DType::F32));
            assert!(error.starts_with("trunc_normal expects a < b"), "{error}");
        }
    }

    #[test]
    fn bad_parameters_are_named() {
        assert_eq!(
            error(KernelArgs::normal(0.0, -1.0, DType::F32)),
            "normal expects std >= 0.0, but found std -1; give a standard deviation (or gain) of 0 or more"
        );
        let starts = |distribution, message: &str| {
            let error = error(distribution);
            assert!(error.starts_with(message), "{error}");
        };
        starts(KernelArgs::normal(f64::NAN, 1.0, DType::F32), "mean is NaN");
        starts(KernelArgs::normal(0.0, f64::INFINITY, DType::F32), "std is inf");
        starts(KernelArgs::normal(0.0, 1e39, DType::F32), "std = 1e39 overflows f32");
        starts(KernelArgs::normal(0.0, 1e38, DType::F32), "the largest normal, |mean| + 6.77 std = 6.7");
        starts(
            KernelArgs::normal(0.0, 1e4, DType::F16),
            "the largest normal, |mean| + 6.77 std = 6.77e4 overflows f16; the largest is 6.5504e4",
        );
        starts(KernelArgs::normal(7e4, 1.0, DType::F16), "mean = 7e4 overflows f16");
        starts(KernelArgs::uniform(0.0, 7e4, DType::F16), "b = 7e4 overflows f16");
        starts(
            KernelArgs::uniform(-3e38, 3e38, DType::F32),
            "uniform_ expects to-from <= std::numeric_limits",
        );
        starts(KernelArgs::constant(-1e39, DType::F32), "value = -1e39 overflows f32");
        starts(KernelArgs::constant(65_520.0, DType::F16), "value = 6.552e4 overflows f16");
        starts(KernelArgs::normal(0.0, 1.0, DType::U32), "an initialiser can't write u32");
        let matrix = Matrix { rows: 3, columns: 3 };
        starts(KernelArgs::orthogonal(matrix, 7e4, DType::F16), "gain = 7e4 overflows f16");
        let matrix = Matrix { rows: 1, columns: 1 << 31 };
        starts(
            KernelArgs::identity(matrix, Identity::eye(1, 1 << 31), DType::F32),
            "a matrix of 1 rows and 2147483648 columns",
        );
    }
}
