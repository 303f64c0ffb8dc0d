//! Shapes and counts, in the integer types that programs use.

use std::borrow::Cow;

use crate::error::Error;

/// A count of elements or bytes: `u64`, `usize`, `u32`, `i64` or `i32`.
///
/// Integer literals without a suffix are `i32` in Rust, and some frameworks count in `i64`, so signed types are
/// accepted. The fill or check that uses a negative count returns [`Error::Negative`].
pub trait Count: Copy + private::Sealed {
    /// The count as `u64`. A negative count keeps its sign bit, so that later checks refuse it.
    #[doc(hidden)]
    fn to_u64(self) -> u64;

    /// A list of counts as a shape.
    #[doc(hidden)]
    fn shape_of(counts: &[Self]) -> Cow<'_, [u64]> {
        Cow::Owned(counts.iter().map(|count| count.to_u64()).collect())
    }

    /// A list of counts as a shape. The shape keeps the list's memory if possible.
    #[doc(hidden)]
    fn shape_from(counts: Vec<Self>) -> Vec<u64> {
        Self::shape_of(&counts).into_owned()
    }
}

/// A shape: the sizes of a tensor's dimensions, outermost first.
///
/// Arrays, slices and vectors of any [`Count`] are shapes, and `()` is the shape of a scalar. Slices of `u64` and,
/// on 64-bit targets, `usize` are borrowed, and vectors of these types keep their memory; all others are copied.
///
/// ```
/// use seedbed::Region;
///
/// let (rows, columns) = (768_usize, 3072_usize);
/// let expected = Region::from([768, 3072]);
/// assert_eq!(Region::from([rows, columns]), expected);
/// assert_eq!(Region::from(&[768_u32, 3072]), expected);
/// assert_eq!(Region::from(vec![768_i64, 3072]), expected);
/// assert_eq!(Region::from(()).element_count(), Ok(1));
/// ```
pub trait IntoShape<'a>: private::Sealed {
    /// The sizes.
    #[doc(hidden)]
    fn into_shape(self) -> Cow<'a, [u64]>;
}

mod private {
    pub trait Sealed {}
}

impl private::Sealed for u64 {}
impl Count for u64 {
    fn to_u64(self) -> u64 {
        self
    }

    fn shape_of(counts: &[Self]) -> Cow<'_, [u64]> {
        Cow::Borrowed(counts)
    }

    fn shape_from(counts: Vec<Self>) -> Vec<u64> {
        counts
    }
}

impl private::Sealed for usize {}
impl Count for usize {
    fn to_u64(self) -> u64 {
        self as u64
    }

    #[cfg(target_pointer_width = "64")]
    fn shape_of(counts: &[Self]) -> Cow<'_, [u64]> {
        Cow::Borrowed(bytemuck::cast_slice(counts))
    }

    #[cfg(target_pointer_width = "64")]
    fn shape_from(counts: Vec<Self>) -> Vec<u64> {
        bytemuck::allocation::cast_vec(counts)
    }
}

impl private::Sealed for u32 {}
impl Count for u32 {
    fn to_u64(self) -> u64 {
        self.into()
    }
}

impl private::Sealed for i64 {}
impl Count for i64 {
    fn to_u64(self) -> u64 {
        self as u64
    }
}

impl private::Sealed for i32 {}
impl Count for i32 {
    fn to_u64(self) -> u64 {
        i64::from(self) as u64
    }
}

macro_rules! shapes {
    ($([$($generics:tt)*] $type:ty, $self:ident => $shape:expr;)*) => {$(
        impl<$($generics)*> private::Sealed for $type {}
        impl<$($generics)*> IntoShape<'a> for $type {
            fn into_shape($self) -> Cow<'a, [u64]> {
                $shape
            }
        }
    )*};
}

shapes! {
    ['a, C: Count] &'a [C], self => C::shape_of(self);
    ['a, C: Count] &'a Vec<C>, self => C::shape_of(self);
    ['a, C: Count, const N: usize] &'a [C; N], self => C::shape_of(self);
    ['a, C: Count, const N: usize] [C; N], self => Cow::Owned(self.map(Count::to_u64).to_vec());
    ['a, C: Count] Vec<C>, self => Cow::Owned(C::shape_from(self));
    ['a] Cow<'a, [u64]>, self => self;
    ['a] (), self => Cow::Borrowed(&[]);
}

/// Checks a count that a caller may have computed in a signed type.
///
/// # Errors
/// [`Error::Negative`].
pub(crate) fn not_negative(quantity: &'static str, count: u64) -> Result<(), Error> {
    match count as i64 {
        0.. => Ok(()),
        _ => Err(Error::Negative { quantity, value: count }),
    }
}

/// Checks the dimensions of a shape.
///
/// # Errors
/// [`Error::Negative`].
pub(crate) fn check_dimensions(shape: &[u64]) -> Result<(), Error> {
    shape.iter().try_for_each(|&dimension| not_negative("a dimension of the shape", dimension))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape<'a>(shape: impl IntoShape<'a>) -> Cow<'a, [u64]> {
        shape.into_shape()
    }

    #[test]
    fn every_list_of_every_integer_is_a_shape() {
        macro_rules! check {
            ($($count:ty),*) => {$(
                let counts: [$count; 3] = [2, 0, 7];
                let vec = counts.to_vec();
                for shape in [shape(counts), shape(&counts), shape(&counts[..]), shape(&vec), shape(vec.clone())] {
                    assert_eq!(*shape, [2, 0, 7]);
                }
            )*};
        }
        check!(u64, usize, u32, i64, i32);
        assert!(shape(()).is_empty());
        assert_eq!(*shape([768, 3072]), [768, 3072]);
    }

    #[test]
    fn wide_slices_are_borrowed() {
        let wide = vec![1_u64, 2];
        assert!(matches!(shape(&wide), Cow::Borrowed(_)));
        let native = vec![1_usize, 2];
        assert_eq!(matches!(shape(&native), Cow::Borrowed(_)), cfg!(target_pointer_width = "64"));
    }

    #[test]
    fn negative_counts_are_named() {
        for shape in [shape([3, -1]), shape([3, -1_i64])] {
            let error = check_dimensions(&shape).unwrap_err();
            let message =
                "a dimension of the shape is -1 (as u64: 18446744073709551615); it must be 0 to 2^63 - 1";
            assert_eq!(error.to_string(), message);
        }
        assert_eq!(check_dimensions(&[0, i64::MAX as u64]), Ok(()));
    }
}
