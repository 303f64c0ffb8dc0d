//! Derived keys. A key is two numbers: seed and offset.

use seedbed::Key;
use wasm_bindgen::prelude::*;

fn numbers(key: Key) -> Vec<u64> {
    vec![key.seed, key.offset]
}

/// `Key::fold_in`.
#[wasm_bindgen]
pub fn fold_in(seed: u64, offset: u64, data: u64) -> Vec<u64> {
    numbers(Key { seed, offset }.fold_in(data))
}

/// `Key::named`.
#[wasm_bindgen]
pub fn named(seed: u64, offset: u64, name: &str) -> Vec<u64> {
    numbers(Key { seed, offset }.named(name))
}
