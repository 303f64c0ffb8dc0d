//! Mean and standard deviation of what was written.

use anyhow::{Result, bail};
use seedbed::DType;
use seedbed::half::{bf16, f16};

/// Independent sums, so that the additions of one need not wait for each other.
const LANES: usize = 8;

/// Sums of the deviations from the first element: exactly 0 for a constant, and never so far from
/// the mean that the squares swallow the variance.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    shift: f64,
    count: u64,
    sum: f64,
    squares: f64,
}

impl Stats {
    /// Adds little-endian elements.
    ///
    /// # Errors
    /// Elements that are no floats have no mean.
    pub fn add(&mut self, dtype: DType, bytes: &[u8]) -> Result<()> {
        match dtype {
            DType::F32 => self.add_all(bytes, |element| f32::from_le_bytes(element).into()),
            DType::F16 => self.add_all(bytes, |element| f16::from_le_bytes(element).to_f64()),
            DType::BF16 => self.add_all(bytes, |element| bf16::from_le_bytes(element).to_f64()),
            other => bail!("elements of {other} have no mean and no standard deviation here"),
        }
        Ok(())
    }

    fn add_all<const SIZE: usize>(&mut self, bytes: &[u8], value: impl Fn([u8; SIZE]) -> f64) {
        let (elements, rest) = bytes.as_chunks::<SIZE>();
        assert!(rest.is_empty(), "whole elements");
        if self.count == 0 {
            let first = elements.first().map(|&first| value(first));
            self.shift = first.filter(|first| first.is_finite()).unwrap_or(0.0);
        }
        let (mut sums, mut squares) = ([0.0; LANES], [0.0; LANES]);
        let mut add = |lane: usize, element: [u8; SIZE]| {
            let deviation = value(element) - self.shift;
            sums[lane] += deviation;
            squares[lane] += deviation * deviation;
        };
        let (groups, last) = elements.as_chunks::<LANES>();
        for group in groups {
            for (lane, &element) in group.iter().enumerate() {
                add(lane, element);
            }
        }
        for (lane, &element) in last.iter().enumerate() {
            add(lane, element);
        }
        self.count += elements.len() as u64;
        self.sum += sums.iter().sum::<f64>();
        self.squares += squares.iter().sum::<f64>();
    }

    /// `None` of no elements.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.shift + self.sum / self.count as f64)
    }

    /// Of the elements as a whole population (divided by n). `None` of no elements.
    pub fn std(&self) -> Option<f64> {
        let n = self.count as f64;
        let variance = self.squares / n - (self.sum / n).powi(2);
        // Not f64::max, which would make 0 of a NaN.
        (self.count > 0).then(|| if variance < 0.0 { 0.0 } else { variance.sqrt() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(values: &[f32]) -> (Option<f64>, Option<f64>) {
        let mut stats = Stats::default();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        // In two pieces, as windows come.
        let (a, b) = bytes.split_at(bytes.len() / 8 * 4);
        stats.add(DType::F32, a).unwrap();
        stats.add(DType::F32, b).unwrap();
        (stats.mean(), stats.std())
    }

    #[test]
    fn known_values() {
        assert_eq!(stats(&[]), (None, None));
        assert_eq!(stats(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), (Some(5.0), Some(2.0)));
        for constant in [0.1_f32, -1e30] {
            assert_eq!(stats(&[constant; 1003]), (Some(constant.into()), Some(0.0)));
        }
        let ramp: Vec<f32> = (0..1001).map(|i| i as f32).collect();
        let (mean, std) = stats(&ramp);
        assert_eq!(mean, Some(500.0));
        assert!((std.unwrap() - (1_002_000.0_f64 / 12.0).sqrt()).abs() < 1e-9);
    }

    #[test]
    fn sixteen_bits() {
        let mut stats = Stats::default();
        let bytes = |values: [f32; 2]| values.map(|v| f16::from_f32(v).to_le_bytes()).concat();
        stats.add(DType::F16, &bytes([1.5, 2.5])).unwrap();
        assert_eq!((stats.mean(), stats.std()), (Some(2.0), Some(0.5)));
        let mut stats = Stats::default();
        stats.add(DType::BF16, &bf16::from_f32(-0.125).to_le_bytes()).unwrap();
        assert_eq!(stats.mean(), Some(-0.125));
    }

    #[test]
    fn other_types_are_errors() {
        let error = Stats::default().add(DType::U32, &[0; 4]).unwrap_err().to_string();
        assert_eq!(error, "elements of u32 have no mean and no standard deviation here");
    }

    #[test]
    fn what_is_not_finite_shows() {
        assert_eq!(stats(&[f32::INFINITY; 3]).0, Some(f64::INFINITY));
        assert!(stats(&[f32::NAN; 3]).1.unwrap().is_nan());
    }
}
