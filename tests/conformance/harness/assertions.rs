//! Assertions about elements, bytes of buffers, and errors.

use std::fmt::{Debug, LowerHex};

use bytemuck::Pod;
use seedbed::{DType, Error};

use super::engines::SENTINEL;

/// Asserts that f32 elements have the same bits, and names the first one that differs. -0 differs from 0, and
/// a NaN equals itself.
pub fn assert_same_bits(actual: &[f32], expected: &[f32], what: impl Debug) {
    assert_same_words(bytemuck::cast_slice(actual), bytemuck::cast_slice(expected), what);
}

/// Asserts that words are the same, and names the first one that differs.
pub fn assert_same_words(actual: &[u32], expected: &[u32], what: impl Debug) {
    assert_same(actual, expected, what);
}

/// Asserts that the bits of 16-bit elements are the same, and names the first one that differs.
pub fn assert_same_halves(actual: &[u16], expected: &[u16], what: impl Debug) {
    assert_same(actual, expected, what);
}

fn assert_same<T: PartialEq + LowerHex>(actual: &[T], expected: &[T], what: impl Debug) {
    assert_eq!(actual.len(), expected.len(), "{what:?}: elements");
    let differing = || actual.iter().zip(expected).enumerate().filter(|(_, (a, e))| a != e);
    if let Some((i, (a, e))) = differing().next() {
        let count = differing().count();
        panic!(
            "{what:?}: {count} of {} elements differ; element {i} is {a:#010x}, not {e:#010x}",
            actual.len()
        );
    }
}

/// Asserts that bytes are those of the same elements of this type.
pub fn assert_same_elements(dtype: DType, actual: &[u8], expected: &[u8], what: impl Debug) {
    match dtype.size() {
        2 => assert_same_halves(&collect(actual), &collect(expected), what),
        _ => assert_same_bits(&collect(actual), &collect(expected), what),
    }
}

/// Asserts that a buffer holds the f32 elements at their byte offsets, and the sentinel in all other bytes.
pub fn assert_only(bytes: &[u8], written: &[(u64, &[f32])], what: impl Debug) {
    // The comparison is one of words, because a message about elements says more than one about bytes.
    assert_same_words(&collect(bytes), &collect(&sentinels_and(bytes.len(), written)), what);
}

/// Asserts that a buffer holds the 16-bit elements at their byte offsets, and the sentinel in all other
/// bytes.
pub fn assert_only_halves(bytes: &[u8], written: &[(u64, &[u16])], what: impl Debug) {
    assert_same_halves(&collect(bytes), &collect(&sentinels_and(bytes.len(), written)), what);
}

/// A buffer of the sentinel, with these elements at their byte offsets.
fn sentinels_and<T: Pod>(len: usize, written: &[(u64, &[T])]) -> Vec<u8> {
    let mut bytes = vec![SENTINEL; len];
    for (offset, values) in written {
        let values: &[u8] = bytemuck::cast_slice(values);
        bytes[*offset as usize..][..values.len()].copy_from_slice(values);
    }
    bytes
}

/// The elements that these bytes are. The bytes need not be aligned.
pub fn collect<T: Pod>(bytes: &[u8]) -> Vec<T> {
    bytemuck::pod_collect_to_vec(bytes)
}

/// Asserts that the result is an error, and that the error's message starts with these words.
pub fn assert_starts(result: Result<(), Error>, message: &str) {
    let error = match result {
        Ok(()) => panic!("no error, where {message:?} was expected"),
        Err(error) => error.to_string(),
    };
    assert!(error.starts_with(message), "{error:?} does not start with {message:?}");
}
