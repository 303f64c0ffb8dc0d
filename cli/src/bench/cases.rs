//! What is measured.

use anyhow::Context;
use seedbed::{DType, Init, Key};

/// The key of every fill. Its value does not matter, but it is the same each time.
pub const KEY: Key = Key::new(42);

/// What an engine does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// Zeros by the engine's own means, which shows what memory allows.
    Clear,
    /// Another byte than zero, everywhere, on the host. Zeros are twice as fast on some machines.
    Memset,
    /// The raw words of the generator.
    Words,
    /// A fill.
    Fill(Init),
    /// The same fill by a kernel with the device's own functions.
    Native(Init),
}

/// One line of the report.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The name in the report.
    pub name: &'static str,
    /// What is done.
    pub work: Work,
    /// The element type.
    pub dtype: DType,
}

/// All cases. The ones that others are compared with come first.
pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case { name: "clear", work: Work::Clear, dtype: DType::F32 },
        Case { name: "zeros", work: Work::Fill(Init::Zeros), dtype: DType::F32 },
        Case { name: "words", work: Work::Words, dtype: DType::U32 },
    ];
    let normal = Init::normal(0.0, 0.02);
    for dtype in [DType::F32, DType::BF16] {
        let case = |name, work| Case { name, work, dtype };
        cases.extend([
            case("constant", Work::Fill(Init::Constant { value: 0.01 })),
            case("uniform", Work::Fill(Init::uniform(-0.1, 0.1))),
            case("native", Work::Native(normal)),
            case("normal", Work::Fill(normal)),
            case("xavier_normal", Work::Fill(Init::xavier_normal())),
            case("trunc_normal", Work::Fill(Init::TruncNormal { mean: 0.0, std: 1.0, a: -2.0, b: 2.0 })),
        ]);
    }
    cases
}

/// A matrix with this number of elements, as square as powers of two make it.
pub fn shape(elements: u64) -> [u64; 2] {
    let rows = 1 << (elements.trailing_zeros() / 2);
    [rows, elements / rows]
}

/// The bytes of a benchmark's memory.
///
/// # Errors
/// If there are no elements, or more than `max` bytes. `whose` names the memory.
pub fn bytes_of(elements: u64, max: u64, whose: &str) -> anyhow::Result<u64> {
    elements.checked_mul(4).filter(|&bytes| 0 < bytes && bytes <= max).with_context(|| {
        format!("{elements} elements of 4 bytes do not fit {whose} ({max} bytes); give another --elements")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_all_elements() {
        for elements in [1, 2, 3, 4, 1000, 1 << 20, 1 << 26, (1 << 26) + 1] {
            let [rows, columns] = shape(elements);
            assert_eq!(rows * columns, elements);
        }
        assert_eq!(shape(1 << 26), [1 << 13, 1 << 13]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(bytes_of(16, 64, "the host").unwrap(), 64);
        for elements in [0, 17, u64::MAX] {
            let error = bytes_of(elements, 64, "the host").unwrap_err().to_string();
            assert!(error.contains("--elements"), "{error}");
        }
    }
}
