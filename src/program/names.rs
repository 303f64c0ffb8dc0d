//! The names in a list of fills: a name that occurs twice gives two tensors the same stream.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use crate::error::Error;
use crate::key::Key;
use crate::layout::region::Region;

/// The names of the fills of a list that were checked so far.
pub(crate) struct Names<'a> {
    /// The number of fills in the list. A list of one needs no table.
    fills: usize,
    by_key: HashMap<Key, (&'a str, &'a Region<'a>), BuildHasherDefault<KeyHasher>>,
}

impl<'a> Names<'a> {
    /// An empty table, for a list of this many fills.
    pub(crate) fn of(fills: usize) -> Self {
        Self { fills, by_key: HashMap::default() }
    }

    /// Checks the next fill of the list against the earlier fills.
    ///
    /// # Errors
    /// [`Error::DuplicateName`] if an earlier fill has the same name and the same key, unless both write parts
    /// of a tensor of one shape.
    pub(crate) fn check(
        &mut self,
        name: Option<&'a str>,
        key: Key,
        region: &'a Region<'a>,
    ) -> Result<(), Error> {
        let Some(name) = name.filter(|_| self.fills > 1) else { return Ok(()) };
        match self.by_key.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert((name, region));
                Ok(())
            }
            Entry::Occupied(entry) => {
                let (other, of) = *entry.get();
                let parts = region.is_part() && of.is_part() && region.shape() == of.shape();
                if other != name || parts { Ok(()) } else { Err(Error::DuplicateName { name: name.into() }) }
            }
        }
    }
}

/// A hasher of keys. A key that was derived from a name is random already.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, word: u64) {
        // Keys that were not derived may differ only in low bits, but hash tables use the high bits too.
        self.0 = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_occurs_once_except_for_parts_of_a_tensor() {
        let model = Key::new(7);
        let whole = Region::from([4, 6]);
        let [upper, lower] = [0..12, 12..24].map(|range| Region::from([4, 6]).elements(range));
        let left = Region::from([4, 6]).shard([0, 0], [4, 3]);
        let other = Region::from([6, 4]).elements(0..12);
        let check = |fills: &[(&str, Key, &Region<'_>)]| {
            let mut names = Names::of(fills.len());
            fills.iter().try_for_each(|(name, key, region)| names.check(Some(name), *key, region))
        };
        let (a, b) = (model.named("a"), model.named("b"));
        assert_eq!(check(&[("a", a, &whole), ("b", b, &whole)]), Ok(()));
        assert_eq!(check(&[("a", a, &upper), ("a", a, &lower), ("a", a, &left)]), Ok(()));
        assert_eq!(check(&[("a", a, &whole), ("a", Key::new(8).named("a"), &whole)]), Ok(()), "two models");
        assert_eq!(check(&[("a", a, &whole), ("tied", a, &whole)]), Ok(()), "on purpose");
        for (first, second) in [(&whole, &whole), (&upper, &whole), (&whole, &upper), (&upper, &other)] {
            let result = check(&[("b", b, &whole), ("a", a, first), ("a", a, second)]);
            assert_eq!(result, Err(Error::DuplicateName { name: "a".into() }));
        }
        let mut names = Names::of(2);
        for _ in 0..2 {
            assert_eq!(names.check(None, a, &whole), Ok(()));
        }
    }
}
