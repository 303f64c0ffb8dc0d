//! Fills of host memory, with the same bits as the GPU: the oracle of the tests, and an engine for machines
//! without an adapter.
//!
//! The public functions of arithmetic ([`philox`], [`box_muller`], [`exp`]) mirror the shaders of the same
//! names, step for step and in the same order.

mod cache_line;
mod fill;
mod orthogonal;
mod parallel;
mod rng;
mod simd;
mod spans;
mod tile;

pub use crate::math::{box_muller, exp, philox};
pub use fill::{Element, check, fill, fill_buffer, fill_bytes, fill_words};
pub use rng::PhiloxRng;
