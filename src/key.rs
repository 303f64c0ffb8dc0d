//! The key of a stream, and the keys derived from it.

#[cfg(feature = "random")]
use crate::error::Error;
use crate::math::philox::philox4x32_10;

/// A position in a stream of random words: `seed` selects one of 2^64 streams, and `offset` is the block of
/// four words at which to begin.
///
/// **A key belongs to one tensor.** Two tensors that are filled with one key get correlated values, whatever the
/// shapes, scales and types, because both draw the same words. [`Key::named`] gives each parameter of
/// a model a key of its own.
///
/// Block `b` is Philox4x32-10 of the counter `offset + b`. Element `e` of a tensor takes word
/// `e % 4` of block `e / 4`. Streams and derived keys equal those of PyTorch's stateless generator
/// (`torch.func._random`) for the same `(seed, offset)`.
///
/// ```
/// use seedbed::Key;
///
/// let model = Key::new(42);
/// let weight = model.named("transformer.h.0.attn.c_attn.weight");
/// assert_ne!(weight, model.named("transformer.h.1.attn.c_attn.weight"));
/// ```
///
/// The feature `serde` serialises a `Key` as its two fields. A missing offset is 0. Both fields have 64 bits;
/// JavaScript's numbers hold only 53 of them.
///
/// ```
/// # #[cfg(feature = "serde")] {
/// # use seedbed::Key;
/// let key: Key = serde_json::from_str(r#"{"seed":42}"#)?;
/// assert_eq!(serde_json::to_string(&key)?, r#"{"seed":42,"offset":0}"#);
/// # }
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Key {
    /// The Philox key.
    pub seed: u64,
    /// The counter of block 0. Counters wrap modulo 2^64.
    #[cfg_attr(feature = "serde", serde(default))]
    pub offset: u64,
}

impl Key {
    /// The stream of `seed`, from its beginning.
    pub const fn new(seed: u64) -> Self {
        Self { seed, offset: 0 }
    }

    /// A key from the operating system's entropy, a different key at every call (feature `random`).
    ///
    /// # Errors
    /// [`Error::Entropy`] where the system has none to give.
    #[cfg(feature = "random")]
    pub fn random() -> Result<Self, Error> {
        use rand::TryRng;
        let mut entropy = rand::rngs::SysRng;
        let mut word = || entropy.try_next_u64().map_err(|e| Error::Entropy(e.to_string()));
        Ok(Self { seed: word()?, offset: word()? })
    }

    /// The key that `data` derives from this key: the four words of block `data` make its seed and its
    /// offset. Equals PyTorch's `fold_in`, bit for bit.
    #[must_use]
    pub const fn fold_in(self, data: u64) -> Self {
        let w = philox4x32_10(self.counter(data), self.seed);
        Self { seed: w[0] as u64 | (w[1] as u64) << 32, offset: w[2] as u64 | (w[3] as u64) << 32 }
    }

    /// The keys `fold_in(0)`, `fold_in(1)`, … `fold_in(n - 1)`. Equal PyTorch's `split`, bit for bit.
    pub fn split(self, n: u64) -> impl Iterator<Item = Self> + Clone {
        (0..n).map(move |d| self.fold_in(d))
    }

    /// The key of the parameter called `name`: folds in the 64-bit FNV-1a hash of the name's UTF-8 bytes.
    /// So a parameter's values depend on its own name, never on how many parameters come before.
    #[must_use]
    pub const fn named(self, name: &str) -> Self {
        self.fold_in(fnv1a_64(name.as_bytes()))
    }

    /// The stream whose block `j` is the key of the permutation of column `j` of a sparse matrix.
    pub(crate) const fn sparse_columns(self) -> Self {
        self.named("sparse.columns")
    }

    /// The Philox counter of a block.
    pub(crate) const fn counter(self, block: u64) -> u64 {
        self.offset.wrapping_add(block)
    }
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv, section 6).
const fn fnv1a_64(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv1a_known_answers() {
        // draft-eastlake-fnv, appendix C.
        assert_eq!(fnv1a_64(b""), 0xcbf29ce484222325);
        assert_eq!(fnv1a_64(b"a"), 0xaf63dc4c8601ec8c);
        assert_eq!(fnv1a_64(b"foobar"), 0x85944171f73967e8);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serialises_as_its_fields() {
        for key in [Key::new(7), Key { seed: u64::MAX, offset: u64::MAX - 1 }] {
            let json = serde_json::to_string(&key).unwrap();
            assert_eq!(json, format!(r#"{{"seed":{},"offset":{}}}"#, key.seed, key.offset));
            assert_eq!(serde_json::from_str::<Key>(&json).unwrap(), key);
        }
        for bad in ["{}", r#"{"seed":-1}"#, r#"{"seed":1,"ofset":2}"#, r#"{"seed":18446744073709551616}"#] {
            assert!(serde_json::from_str::<Key>(bad).is_err(), "{bad}");
        }
    }

    #[cfg(feature = "random")]
    #[test]
    fn random_keys_differ() {
        assert_ne!(Key::random().unwrap(), Key::random().unwrap());
    }
}
