//! Which fills must be written one after the other, because their bytes overlap.

use std::collections::BTreeMap;
use std::ops::Range;

/// Assigns waves: the fills of a wave may be written in any order, or at once; a later wave is written after them.
#[derive(Default)]
pub(super) struct Waves {
    /// The last writes: buffer and first byte -> the end, and the wave. No two overlap.
    written: BTreeMap<(u32, u64), (u64, usize)>,
}

impl Waves {
    /// The wave of the next write: the one after all writes that it overlaps, or the first.
    pub(super) fn wave_of(&mut self, buffer: u32, bytes: &Range<u64>) -> usize {
        let mut wave = 0;
        // Of the writes that begin before the end, the last one ends last.
        while let Some((&(other, start), &(end, of))) = self.written.range(..(buffer, bytes.end)).next_back()
            && other == buffer
            && end > bytes.start
        {
            wave = wave.max(of + 1);
            // What is left of the older write on either side keeps its wave.
            self.written.remove(&(buffer, start));
            if start < bytes.start {
                self.written.insert((buffer, start), (bytes.start, of));
            }
            if bytes.end < end {
                self.written.insert((buffer, bytes.end), (end, of));
            }
        }
        self.written.insert((buffer, bytes.start), (bytes.end, wave));
        wave
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A write that overlaps earlier ones is in the first wave after theirs.
        #[test]
        fn waves_keep_the_order(fills in prop::collection::vec((0_u32..2, 0_u64..40, 1_u64..12), 0..60)) {
            let mut waves = Waves::default();
            let mut last = std::collections::HashMap::new();
            for (buffer, start, len) in fills {
                let bytes = start..start + len;
                let before = bytes.clone().filter_map(|byte| last.get(&(buffer, byte)).copied()).max();
                let wave = waves.wave_of(buffer, &bytes);
                prop_assert_eq!(wave, before.map_or(0, |before: usize| before + 1));
                last.extend(bytes.map(|byte| ((buffer, byte), wave)));
            }
        }
    }
}
