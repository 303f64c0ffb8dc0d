//! A list of the values that were used last, such as tables of quantiles.

use std::sync::{Mutex, PoisonError};

/// The number of values that a list keeps. Most models have fewer scales, and so fewer tables.
const CAPACITY: usize = 32;

/// The values that were used last, of which the newest is the last. Threads can share a list.
#[derive(Debug)]
pub(crate) struct Recent<T>(Mutex<Vec<T>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Recent<T> {
    /// The value that `is_it` accepts, or else a new one. A new value takes the place of the one that was not
    /// used for the longest time, if the list is full.
    ///
    /// # Errors
    /// The errors of `make`, which leave the list as it was.
    pub(crate) fn get_or_make<E>(
        &self,
        is_it: impl Fn(&T) -> bool,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        // A thread that panicked has left the list intact.
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = match values.iter().position(is_it) {
            Some(index) => values.remove(index),
            None => make()?,
        };
        values.push(value.clone());
        if values.len() > CAPACITY {
            values.remove(0);
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_longest_ago_goes() {
        let recent = Recent::default();
        let use_it = |wanted: usize| {
            let mut made = false;
            let make = || {
                made = true;
                Ok::<_, ()>(wanted)
            };
            assert_eq!(recent.get_or_make(|&value| value == wanted, make), Ok(wanted));
            made
        };
        assert!((0..CAPACITY).all(use_it));
        assert!(!(0..CAPACITY).any(use_it), "all of them are kept");
        assert!(!use_it(0), "which is the newest now");
        assert!(use_it(CAPACITY), "which takes the place of 1");
        assert!(!use_it(0));
        assert!(use_it(1));
    }

    #[test]
    fn an_error_keeps_nothing() {
        let recent = Recent::default();
        assert_eq!(recent.get_or_make(|_| true, || Err("none")), Err("none"));
        assert_eq!(recent.get_or_make(|_| true, || Ok::<_, &str>(1)), Ok(1));
    }
}
