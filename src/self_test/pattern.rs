//! The pattern of wrong elements: the counts that suggest a hint.

use super::hint::Direction;
use super::trial::SENTINEL;
use crate::dtype::DType;

/// The largest error of f32 results whose operations were fused or reordered, in units in the last place. A
/// sum that cancels can lose twelve bits.
const SMALL_32: u64 = 1 << 12;
/// The largest such error of 16-bit elements, which are f32 results rounded once more.
const SMALL_16: u64 = 2;

/// Counts of wrong elements by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    /// All wrong elements.
    pub(super) count: u64,
    /// Elements that still have the bytes from before the fill.
    pub(super) unwritten: u64,
    /// Elements that are zero where a subnormal was expected.
    pub(super) flushed: u64,
    /// Elements whose error is larger than that of fused or reordered operations.
    pub(super) large: u64,
    /// Elements that are off by one unit in the last place.
    unit: u64,
    /// Elements of 32 bits.
    wide: u64,
    toward_zero: u64,
    away_from_zero: u64,
    up: u64,
    down: u64,
}

impl Pattern {
    /// Counts a wrong element.
    pub(super) fn add(&mut self, dtype: DType, expected: u32, found: u32) {
        self.count += 1;
        // The sign bit, and the exponent bits.
        let (sign, infinity): (u32, u32) = match dtype {
            DType::F32 => (0x8000_0000, 0x7F80_0000),
            DType::F16 => (0x8000, 0x7C00),
            DType::BF16 => (0x8000, 0x7F80),
            DType::U32 => (0, 0),
        };
        let (sentinel, small) = match dtype.size() {
            2 => (u32::from(u16::from_ne_bytes([SENTINEL; 2])), SMALL_16),
            _ => (u32::from_ne_bytes([SENTINEL; 4]), SMALL_32),
        };
        self.unwritten += u64::from(found == sentinel);
        self.wide += u64::from(dtype.size() == 4);
        if dtype == DType::U32 {
            self.large += 1;
            return;
        }
        let [right, wrong] = [expected, found].map(|bits| bits & !sign);
        let smallest_normal = infinity & infinity.wrapping_neg();
        if (1..smallest_normal).contains(&right) && wrong == 0 {
            self.flushed += 1;
        }
        let ordered = |bits: u32| match bits & sign {
            0 => i64::from(bits),
            _ => -i64::from(bits & !sign),
        };
        let distance = ordered(found).abs_diff(ordered(expected));
        // The distance between zeros of both signs is 0.
        let is_finite = right < infinity && wrong < infinity;
        self.large += u64::from(!is_finite || distance > small || distance == 0);
        self.unit += u64::from(is_finite && distance == 1);
        self.toward_zero += u64::from(wrong < right);
        self.away_from_zero += u64::from(wrong > right);
        self.up += u64::from(ordered(found) > ordered(expected));
        self.down += u64::from(ordered(found) < ordered(expected));
    }

    /// Adds the counts of another pattern.
    pub(super) fn join(&mut self, other: &Self) {
        let Self { count, unwritten, flushed, large, unit, wide, toward_zero, away_from_zero, up, down } =
            other;
        self.count += count;
        self.unwritten += unwritten;
        self.flushed += flushed;
        self.large += large;
        self.unit += unit;
        self.wide += wide;
        self.toward_zero += toward_zero;
        self.away_from_zero += away_from_zero;
        self.up += up;
        self.down += down;
    }

    /// Whether no wrong element has 32 bits.
    pub(super) fn is_of_halves(&self) -> bool {
        self.wide == 0
    }

    /// The direction in which all wrong elements are off by one unit. If all elements are positive, towards
    /// zero and down look the same, and so do up and away from zero. The function then returns towards zero,
    /// or up.
    pub(super) fn direction(&self) -> Option<Direction> {
        let all = |count: u64| count == self.count;
        if self.count == 0 || !all(self.unit) {
            return None;
        }
        let directions = [
            (self.toward_zero, Direction::TowardZero),
            (self.down, Direction::Down),
            (self.up, Direction::Up),
            (self.away_from_zero, Direction::AwayFromZero),
        ];
        directions.into_iter().find(|&(count, _)| all(count)).map(|(_, direction)| direction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(dtype: DType, pairs: &[(u32, u32)]) -> Pattern {
        let mut pattern = Pattern::default();
        pairs.iter().for_each(|&(expected, found)| pattern.add(dtype, expected, found));
        pattern
    }

    fn of_floats(pairs: &[(f32, f32)]) -> Pattern {
        of(DType::F32, &pairs.iter().map(|(a, b)| (a.to_bits(), b.to_bits())).collect::<Vec<_>>())
    }

    #[test]
    fn directions() {
        let (one, below, above) = (1.0_f32, 1.0_f32.next_down(), 1.0_f32.next_up());
        for (pairs, direction) in [
            (&[(one, below), (-one, -below)][..], Some(Direction::TowardZero)),
            (&[(one, above), (-one, -above)], Some(Direction::AwayFromZero)),
            (&[(one, above), (-one, -below)], Some(Direction::Up)),
            (&[(one, below), (-one, -above)], Some(Direction::Down)),
            (&[(one, below), (one, above)], None),
            (&[(one, below), (one, above.next_up())], None),
            (&[], None),
        ] {
            assert_eq!(of_floats(pairs).direction(), direction, "{pairs:?}");
            assert_eq!(of_floats(pairs).large, 0);
        }
        // 1 and the f16 below it.
        assert_eq!(of(DType::F16, &[(0x3C00, 0x3BFF)]).direction(), Some(Direction::TowardZero));
        assert!(of(DType::F16, &[(0x3C00, 0x3BFF)]).is_of_halves());
        assert!(!of_floats(&[(one, below)]).is_of_halves());
    }

    #[test]
    fn kinds() {
        let flushed = of(DType::F16, &[(0x0001, 0), (0x83FF, 0x8000), (0x03FF, 0x8000)]);
        assert_eq!((flushed.count, flushed.flushed), (3, 3));
        assert_eq!(of(DType::F16, &[(0x0400, 0)]).flushed, 0);
        assert_eq!(of(DType::F32, &[(0x007F_FFFF, 0)]).flushed, 1);
        assert_eq!(of(DType::F32, &[(0x0080_0000, 0)]).flushed, 0);
        assert_eq!(of(DType::BF16, &[(0x0080, 0xA5A5)]).unwritten, 1);
        assert_eq!(of(DType::U32, &[(1, 2)]).large, 1);
        for (expected, found) in [(1.0, f32::NAN), (f32::INFINITY, f32::MAX), (1.0, 1.1), (0.0, -0.0)] {
            assert_eq!(of_floats(&[(expected, found)]).large, 1, "{expected} {found}");
        }
        let mut both = flushed;
        both.join(&flushed);
        assert_eq!((both.count, both.flushed), (6, 6));
    }
}
