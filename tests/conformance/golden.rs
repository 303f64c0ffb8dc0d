//! Contract version 1 in two numbers.

use seedbed::{Init, Key};
use sha2::{Digest, Sha256};

use crate::Check;
use crate::engines::Engine;

pub const CHECKS: &[Check] = &[
    Check::engine("exact::golden_words", golden_words),
    Check::engine("exact::golden_normals", golden_normals),
];

const SHAPE: [u64; 1] = [1 << 20];

// SHA-256 of the little-endian bytes of the first 2^20 elements of `Key::new(0)`. A change of either
// is another contract: it needs another `CONTRACT_VERSION`, and breaks whoever relies on this one.
const WORDS: &str = "9efae438ee00331fbc790a97ffb739576a04b80d8386d05506b8b379b202ac19";
const NORMALS: &str = "25cb5e02b4a35eaf89493c0ed3757f7abeb1b89101375385dde5c7a92c5adb7b";

fn golden_words(engine: &Engine) {
    let words = engine.words(SHAPE, Key::new(0));
    check(words.iter().flat_map(|word| word.to_le_bytes()).collect(), WORDS);
}

fn golden_normals(engine: &Engine) {
    let normals = engine.fill(SHAPE, &Init::normal(0.0, 1.0), Key::new(0));
    check(normals.iter().flat_map(|normal| normal.to_le_bytes()).collect(), NORMALS);
}

fn check(bytes: Vec<u8>, expected: &str) {
    assert_eq!(seedbed::CONTRACT_VERSION, 1, "a new contract has new golden values");
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, expected);
}
