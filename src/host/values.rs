//! One word -> one value: what `shaders/fill_uniform.wgsl` and `shaders/fill_identity.wgsl` compute.

use crate::distribution::Identity;
use crate::matrix::Place;

/// `low + range · u`, of at most `most`.
#[inline(always)]
pub(super) fn uniform(word: u32, low: f32, range: f32, most: f32) -> f32 {
    let u = (word & 0x00FF_FFFF) as i32 as f32 * (1.0 / 16_777_216.0);
    let x = u * range + low;
    if x > most { most } else { x }
}

/// Within the bounds.
#[inline(always)]
pub(super) fn within(x: f32, least: f32, most: f32) -> f32 {
    let at_least = if x < least { least } else { x };
    if at_least > most { most } else { at_least }
}

/// Of a matrix that is checked, whose rows and columns fit 31 bits.
#[inline(always)]
pub(super) fn identity(identity: Identity, place: Place) -> f32 {
    let member = u64::from(place.row) % identity.group;
    let is_one =
        member < identity.inputs && u64::from(place.column) == identity.field * member + identity.centre;
    if is_one { 1.0 } else { 0.0 }
}
