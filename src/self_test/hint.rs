//! The hints: likely causes of differences.

use std::fmt;

/// The likely cause of a difference. The pattern of all differences of a self-test suggests the hint, but
/// does not prove the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hint {
    /// Every wrong element is zero where a subnormal was expected.
    FlushedSubnormals,
    /// Single operations, or conversions to 16 bits, are off by one unit in the last place, and always in
    /// this direction.
    RoundingDirection(Direction),
    /// The raw words and the single operations are right, but longer sequences of operations are off by a few
    /// units in the last place.
    FusedOrReordered,
    /// Raw words of the stream are wrong.
    IntegerPath,
    /// Bytes changed that no fill writes.
    OutOfRangeWrite,
    /// Every wrong element still has the bytes that the buffer had before the fill.
    NotWritten,
    /// The difference has none of the other patterns.
    Other,
}

impl Hint {
    /// The name of the hint, such as `flushed_subnormals`, for programs that read reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::FlushedSubnormals => "flushed_subnormals",
            Self::RoundingDirection(_) => "rounding_direction",
            Self::FusedOrReordered => "fused_or_reordered",
            Self::IntegerPath => "integer_path",
            Self::OutOfRangeWrite => "out_of_range_write",
            Self::NotWritten => "not_written",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Hint {
    /// Writes a clause without a full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FlushedSubnormals => f.write_str("the device flushes subnormal results to zero"),
            Self::RoundingDirection(direction) => {
                write!(f, "the device rounds {direction} instead of to nearest even")
            }
            Self::FusedOrReordered => f.write_str(
                "the driver's compiler fuses or reorders f32 operations, or computes one inexactly",
            ),
            Self::IntegerPath => {
                f.write_str("integer operations are wrong: the 32-bit or 64-bit multiplication, or a carry")
            }
            Self::OutOfRangeWrite => f.write_str("a kernel writes outside of its range"),
            Self::NotWritten => f.write_str("a kernel leaves elements of its range unwritten"),
            Self::Other => f.write_str("no known pattern; the driver may compile a kernel wrongly"),
        }
    }
}

/// A direction of rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Towards zero: truncation.
    TowardZero,
    /// Away from zero.
    AwayFromZero,
    /// Towards positive infinity.
    Up,
    /// Towards negative infinity.
    Down,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TowardZero => "towards zero",
            Self::AwayFromZero => "away from zero",
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}
