//! A fill: one tensor, checked before anything is made.

use seedbed::{DType, Error, Init, Key, Region, host};

/// A tensor to make.
#[derive(Clone, Debug)]
pub struct Fill {
    pub name: String,
    pub shape: Vec<u64>,
    pub dtype: DType,
    pub init: Init,
    pub key: Key,
    /// The number of elements.
    pub elements: u64,
    /// The mean and standard deviation that the initialiser promises.
    pub mean: f64,
    pub std: f64,
}

impl Fill {
    /// A fill, checked.
    ///
    /// # Errors
    /// Every error that an engine could give for this shape and initialiser.
    pub fn new(name: String, shape: Vec<u64>, dtype: DType, init: Init, key: Key) -> Result<Self, Error> {
        let elements = Region::new(&shape[..]).element_count()?;
        // A fill of no elements runs all checks.
        host::fill_bytes(&mut [], dtype, Region::new(&shape[..]).elements(0..0), &init, key)?;
        let (mean, std) = (init.mean(&shape)?, init.std(&shape)?);
        Ok(Self { name, shape, dtype, init, key, elements, mean, std })
    }

    pub fn bytes(&self) -> u64 {
        // There are at most 2^60 elements: see Region::element_count.
        self.elements * self.dtype.size()
    }

    /// Whether each element depends on the whole tensor, so that a part costs as much as the whole.
    pub fn is_whole(&self) -> bool {
        matches!(self.init, Init::Orthogonal { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_found_before_anything_is_made() {
        let error = |init, shape: &[u64]| {
            Fill::new("w".into(), shape.into(), DType::F32, init, Key::new(0)).unwrap_err()
        };
        assert!(matches!(error(Init::xavier_normal(), &[3]), Error::TooFewDimensions { .. }));
        assert!(matches!(error(Init::Ones, &[1 << 32, 1 << 32]), Error::ShapeOverflow { .. }));
        assert!(matches!(error(Init::constant(1e39), &[3]), Error::Overflow { .. }));
        assert!(matches!(error(Init::normal(0.0, -1.0), &[3]), Error::NegativeStd { .. }));
        assert!(matches!(error(Init::XavierNormal { gain: f64::NAN }, &[3, 3]), Error::NotFinite { .. }));
    }
}
