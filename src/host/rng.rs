//! The stream as a random number generator of the `rand` ecosystem.

use std::convert::Infallible;

use rand_core::{SeedableRng, TryRng};

use crate::key::Key;
use crate::math::philox::philox4x32_10;

/// A generator of the words of a key's stream, one after the other, as [`fill_words`](super::fill_words)
/// writes them.
///
/// `PhiloxRng` implements `rand_core` 0.10's traits, so the distributions of `rand` and `rand_distr` can draw
/// from a key's stream. `PhiloxRng` is not a cryptographic generator.
///
/// ```
/// use rand_core::Rng;
/// use seedbed::{Key, host};
///
/// let mut words = [0; 6];
/// host::fill_words(&mut words, [6], Key::new(7))?;
/// let mut rng = host::PhiloxRng::new(Key::new(7));
/// assert_eq!(words, std::array::from_fn(|_| rng.next_u32()));
/// # Ok::<(), seedbed::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhiloxRng {
    key: Key,
    /// The position of the next word. 66 bits count the words of a stream.
    position: u128,
    /// The block that holds the next word. Stale if the next word is the first of a block.
    words: [u32; 4],
}

impl PhiloxRng {
    /// A generator at the first word of the key's stream.
    pub fn new(key: Key) -> Self {
        Self { key, position: 0, words: [0; 4] }
    }

    /// The key of the stream.
    pub fn key(&self) -> Key {
        self.key
    }

    /// The position of the next word: the number of words before it.
    pub fn word_position(&self) -> u128 {
        self.position
    }

    /// Moves to a word of the stream, in constant time. Positions wrap modulo 2^66.
    pub fn set_word_position(&mut self, position: u128) {
        self.position = position % (1 << 66);
        self.words = self.block();
    }

    fn block(&self) -> [u32; 4] {
        philox4x32_10(self.key.counter((self.position / 4) as u64), self.key.seed)
    }

    fn next_word(&mut self) -> u32 {
        let index = (self.position % 4) as usize;
        if index == 0 {
            self.words = self.block();
        }
        self.position = (self.position + 1) % (1 << 66);
        self.words[index]
    }
}

impl TryRng for PhiloxRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.next_word())
    }

    /// The next two words, the low half first.
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        rand_core::utils::next_u64_via_u32(self)
    }

    /// The next words, in little-endian order. Unused bytes of the last word are dropped.
    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        for bytes in destination.chunks_mut(4) {
            bytes.copy_from_slice(&self.next_word().to_le_bytes()[..bytes.len()]);
        }
        Ok(())
    }
}

impl SeedableRng for PhiloxRng {
    /// The key's seed, then the key's offset, both little-endian.
    type Seed = [u8; 16];

    fn from_seed(seed: [u8; 16]) -> Self {
        let value = u128::from_le_bytes(seed);
        Self::new(Key { seed: value as u64, offset: (value >> 64) as u64 })
    }

    /// The beginning of [`Key::new`]'s stream.
    fn seed_from_u64(seed: u64) -> Self {
        Self::new(Key::new(seed))
    }
}

#[cfg(test)]
mod tests {
    use rand_core::Rng;

    use super::*;

    #[test]
    fn positions() {
        let mut rng = PhiloxRng::seed_from_u64(9);
        let words: Vec<u32> = (0..11).map(|_| rng.next_u32()).collect();
        for (i, word) in words.iter().enumerate() {
            rng.set_word_position(i as u128);
            assert_eq!(rng.next_u32(), *word);
            assert_eq!(rng.word_position(), i as u128 + 1);
        }
        rng.set_word_position((1 << 66) - 1);
        rng.next_u32();
        assert_eq!(rng.next_u32(), words[0]);
    }

    #[test]
    fn wider_draws_are_the_same_words() {
        let mut rng = PhiloxRng::from_seed(*b"\x09\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0");
        assert_eq!(rng.key(), Key { seed: 9, offset: 1 });
        let [a, b, c]: [u32; 3] = std::array::from_fn(|_| rng.next_u32());
        rng.set_word_position(0);
        assert_eq!(rng.next_u64(), u64::from(a) | u64::from(b) << 32);
        let mut bytes = [0; 3];
        rng.fill_bytes(&mut bytes);
        assert_eq!(bytes, c.to_le_bytes()[..3]);
    }
}
