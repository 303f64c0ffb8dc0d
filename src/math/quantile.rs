//! Portable inverse transform: the sequence of `shaders/math/quantile.wgsl`, whose comments explain it.

use super::box_muller::select;
#[cfg(test)]
use crate::math::truncated_normal::QuantileTable;

/// The quantile of `u = (w + 1/2) / 2^32`: its steps in a row, for tests.
#[cfg(test)]
pub(crate) fn quantile(w: u32, table: &QuantileTable) -> f32 {
    let (segment, t) = segment(w);
    cubic(table.coefficients[segment as usize], t)
}

// The steps of `quantile`. `src/host/tile.rs` has a loop for each.

/// The segment of the table, and `t` in it.
#[inline(always)]
pub(crate) fn segment(w: u32) -> (u32, f32) {
    let v = select(w, !w, w >= 0x8000_0000);
    let high = f32::from_bits(0x5300_0000 | (v >> 16)) - 549_760_008_192.0; // - 2^39 - 2^22
    let low = f32::from_bits(0x4A80_0001 | ((v << 1) & 0x1_FFFF)); // 2^22 + low half + 1/2
    let y = (high + low).to_bits().min(0x4EFF_FFFF);

    let segment = ((y - 0x3F00_0000) >> 20) + ((w >> 31) << 8);
    let t = f32::from_bits(0x3F80_0000 | ((y << 3) & 0x007F_FFF8)) - 1.5; // in [-1/2, 1/2)
    (segment, t)
}

#[inline(always)]
pub(crate) fn cubic(c: [f32; 4], t: f32) -> f32 {
    let mut z = c[3] * t;
    z += c[2];
    z *= t;
    z += c[1];
    z *= t;
    z + c[0]
}

#[cfg(test)]
mod tests {
    use crate::math::literals::assert_same_literals;

    #[test]
    fn constants_are_the_shaders() {
        let shaders = [include_str!("../../shaders/math/quantile.wgsl")];
        assert_same_literals(&shaders, include_str!("quantile.rs"), 10);
    }
}
