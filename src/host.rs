//! The same functions in Rust, bit for bit: the oracle of the tests, and an engine for machines
//! without an adapter.
//!
//! [`philox`] and [`box_muller`] mirror `shaders/philox_u32.wgsl` and `shaders/box_muller.wgsl`
//! function for function, under the same names and in the same order.

pub mod box_muller;
mod engine;
pub mod philox;
mod rng;

pub use engine::{fill, fill_words};
pub use rng::PhiloxRng;
