//! The contract's arithmetic. A file here mirrors the file of `shaders/math` with the same name, function for
//! function in the same order; std alone is imported.

pub mod box_muller;
pub(crate) mod division;
pub mod exp;
#[cfg(test)]
pub(crate) mod literals;
pub(crate) mod permutation;
pub mod philox;
pub(crate) mod quantile;
pub(crate) mod rounding;
pub(crate) mod truncated_normal;
pub(crate) mod uniform;

/// Version of the numeric contract ([`docs/CONTRACT.md`]): what a key, an initialiser, an element
/// index and an element type determine. A change of any bit of any output changes this number.
///
/// [`docs/CONTRACT.md`]: https://github.com/seedbed-gpu/seedbed/blob/main/docs/CONTRACT.md
pub const CONTRACT_VERSION: u32 = 1;
