//! The same functions in Rust, bit for bit: the oracle of the tests, and an engine for machines
//! without an adapter.
//!
//! Modules with the names of files of `shaders/` mirror those, in the same order, step for step: [`philox`], [`box_muller`],
//! and privately those of the other initialisers. The others fill memory with what those compute.

pub mod box_muller;
mod engine;
mod lines;
#[cfg(test)]
mod literals;
pub(crate) mod narrow;
pub(crate) mod orthogonal;
pub(crate) mod permute;
pub mod philox;
mod pieces;
pub(crate) mod quantile;
mod rng;
pub(crate) mod sparse;
mod tile;
mod values;
mod vectors;

pub use engine::{Element, check, fill, fill_bytes, fill_words};
pub use rng::PhiloxRng;
