//! The same functions in Rust, bit for bit: the oracle of the tests, and an engine for machines
//! without an adapter.
//!
//! Modules with the names of files of `shaders/` mirror those, in the same order, step for step: [`philox`], [`box_muller`],
//! and privately those of the other initialisers. The others fill memory with what those compute.

mod cache_line;
mod fill;
mod orthogonal;
mod parallel;
mod rng;
mod simd;
mod spans;
mod tile;

pub use crate::math::{box_muller, exp, philox};
pub use fill::{Element, check, fill, fill_bytes, fill_words};
pub use rng::PhiloxRng;
