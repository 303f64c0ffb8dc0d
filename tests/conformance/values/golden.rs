//! Golden values: hashes that pin version 1 of the contract.

use seedbed::{DType, Init, Key};
use sha2::{Digest, Sha256};

use crate::Check;
use crate::harness::engines::Engine;

pub const CHECKS: &[Check] = &[
    Check::engine("exact::golden_words", golden_words),
    Check::engine("exact::golden_normals", golden_normals),
    Check::engine("exact::golden_log_normals", golden_log_normals),
    Check::engine("exact::golden_uniforms", golden_uniforms),
    Check::engine("exact::golden_truncated_normals", golden_truncated_normals),
    Check::engine("exact::golden_sparse", golden_sparse),
    Check::engine("exact::golden_halves", golden_halves),
];

const SHAPE: [u64; 1] = [1 << 20];

// Each hash is the SHA-256 of the little-endian bytes of the first 2^20 elements of `Key::new(0)`. A change
// of a hash is a change of the contract: it needs another `CONTRACT_VERSION`, and breaks every user who
// relies on this one.
const WORDS: &str = "9efae438ee00331fbc790a97ffb739576a04b80d8386d05506b8b379b202ac19";
const NORMALS: &str = "25cb5e02b4a35eaf89493c0ed3757f7abeb1b89101375385dde5c7a92c5adb7b";
/// The logarithms have mean 1 and standard deviation 2, PyTorch's defaults.
const LOG_NORMALS: &str = "1f71559b0973bd8d9ffe475dd9dbd04d63830cb3551d960cdee2d701c15d096f";
/// The values are uniform on [0, 1).
const UNIFORMS: &str = "21bc9a8dc649633f8197f2391458df58271dff02bc73d08a304fb7f9acc4ad3c";
/// The normal distribution has mean 0 and standard deviation 1, and is cut at ±2.
const TRUNCATED_NORMALS: &str = "98cb51968c75829e3c9ae0910862239ccda20383f5999365c2bd5486e0eceed0";
/// A matrix of 1024 rows and 1024 columns is half zero.
const SPARSE: &str = "6a89d6dad6cb838a960a70b4c8678cd93d05b3531a1912b5118b502a97bf852f";
const F16_NORMALS: &str = "95027d86ce0d69ad28694fca2df01c720438e274dd8717df4eebad9f2c978a10";
const BF16_NORMALS: &str = "ab9ba42c33300f8919fe7dfd23d2ab0ecdb7182412aaecd5306b69e65ad0185a";

fn golden_words(engine: &Engine) {
    let words = engine.words(SHAPE, Key::new(0));
    check(words.iter().flat_map(|word| word.to_le_bytes()).collect(), WORDS);
}

fn golden_normals(engine: &Engine) {
    let normals = engine.fill(SHAPE, &Init::normal(0.0, 1.0), Key::new(0));
    check(normals.iter().flat_map(|normal| normal.to_le_bytes()).collect(), NORMALS);
}

fn golden_log_normals(engine: &Engine) {
    check(engine.fill_bytes(DType::F32, SHAPE, &Init::log_normal(1.0, 2.0), Key::new(0)), LOG_NORMALS);
}

fn golden_uniforms(engine: &Engine) {
    check(engine.fill_bytes(DType::F32, SHAPE, &Init::uniform(0.0, 1.0), Key::new(0)), UNIFORMS);
}

fn golden_truncated_normals(engine: &Engine) {
    let init = Init::trunc_normal(0.0, 1.0, -2.0, 2.0);
    check(engine.fill_bytes(DType::F32, SHAPE, &init, Key::new(0)), TRUNCATED_NORMALS);
}

fn golden_sparse(engine: &Engine) {
    check(engine.fill_bytes(DType::F32, [1024, 1024], &Init::sparse(0.5), Key::new(0)), SPARSE);
}

fn golden_halves(engine: &Engine) {
    for (dtype, expected) in [(DType::F16, F16_NORMALS), (DType::BF16, BF16_NORMALS)] {
        check(engine.fill_bytes(dtype, SHAPE, &Init::normal(0.0, 1.0), Key::new(0)), expected);
    }
}

fn check(bytes: Vec<u8>, expected: &str) {
    assert_eq!(seedbed::CONTRACT_VERSION, 1, "a new contract has new golden values");
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, expected);
}
