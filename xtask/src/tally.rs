//! Adding up the results that several test programs print.

use std::fmt;

/// Totals over every `test result: …` line of a `cargo test` run.
#[derive(Default, Debug, PartialEq)]
pub struct Tally {
    programs: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Counts `line` if it is a test program's summary, as libtest and libtest-mimic print it:
    /// `test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.10s`.
    pub fn add(&mut self, line: &str) {
        let Some(summary) = line.trim_start().strip_prefix("test result: ") else {
            return;
        };
        self.programs += 1;
        for part in summary.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(count), Some(what)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(count) = count.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }

    /// Whether no test program got as far as a summary: the build failed, say.
    pub fn is_empty(&self) -> bool {
        self.programs == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} ignored", self.passed, self.failed, self.ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn summaries_add_up() {
        let mut tally = Tally::default();
        assert!(tally.is_empty());
        for line in [
            "running 3 tests\n",
            "test philox ... ok\n",
            "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.10s\n",
            "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 9 filtered out; finished in 12.34s\n",
        ] {
            tally.add(line);
        }
        assert_eq!(tally, Tally { programs: 2, passed: 17, failed: 2, ignored: 3 });
        assert_eq!(tally.to_string(), "17 passed, 2 failed, 3 ignored");
    }
}
