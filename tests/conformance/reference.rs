//! The contract in its plainest form: Philox as the paper defines it, and Box-Muller in f64. This code is
//! slow, short, and independent of the library's arithmetic.

pub mod directed;
pub mod exp;
pub mod half;
pub mod identity;
pub mod scale;
pub mod sparse;
pub mod truncated;

use std::f64::consts::PI;

use seedbed::Key;

use crate::Check;

pub const CHECKS: &[Check] = &[
    Check::host("reference::philox_meets_the_published_answers", philox_meets_the_published_answers),
    Check::host("reference::box_muller_meets_known_values", box_muller_meets_known_values),
    Check::host("reference::ulps_are_relative", ulps_are_relative),
    Check::host("reference::halves_meet_known_values", half::meets_known_values),
    Check::host("reference::truncated_normals_meet_known_values", truncated::meets_known_values),
    Check::host("reference::jax_constant", truncated::jax_constant),
    Check::host("reference::permutations_are_permutations", sparse::is_a_permutation),
];

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11,
/// section 3.3).
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let multiply = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    let ([mut c0, mut c1, mut c2, mut c3], [mut k0, mut k1]) = (counter, key);
    for _ in 0..10 {
        let (high0, low0) = multiply(0xD251_1F53, c0);
        let (high1, low1) = multiply(0xCD9E_8D57, c2);
        (c0, c1, c2, c3) = (high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0);
        k0 = k0.wrapping_add(0x9E37_79B9);
        k1 = k1.wrapping_add(0xBB67_AE85);
    }
    [c0, c1, c2, c3]
}

/// A published answer, which is one line of the file.
pub struct KnownAnswer {
    pub counter: [u32; 4],
    pub key: [u32; 2],
    pub output: [u32; 4],
}

pub fn known_answers() -> Vec<KnownAnswer> {
    fn words<const N: usize>(words: &mut impl Iterator<Item = u32>) -> [u32; N] {
        std::array::from_fn(|_| words.next().expect("ten words in a line"))
    }
    include_str!("../vectors/philox4x32_10.txt")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let mut line = line
                .split_whitespace()
                .map(|word| u32::from_str_radix(word, 16).expect("a hexadecimal word"));
            KnownAnswer { counter: words(&mut line), key: words(&mut line), output: words(&mut line) }
        })
        .collect()
}

/// A block of the stream of a key (contract, section 1).
pub fn block(key: Key, block: u64) -> [u32; 4] {
    let halves = |x: u64| [x as u32, (x >> 32) as u32];
    let [c0, c1] = halves(key.offset.wrapping_add(block));
    philox4x32_10([c0, c1, 0, 0], halves(key.seed))
}

/// The word of an element (contract, section 1).
pub fn word(key: Key, element: u64) -> u32 {
    block(key, element / 4)[(element % 4) as usize]
}

/// The radius `sqrt(-2 ln u1)` of a word. f64 holds `u1 = (w + 1/2) / 2^32` exactly.
pub fn radius(w: u32) -> f64 {
    let u1 = (f64::from(w) + 0.5) / 4_294_967_296.0;
    (-2.0 * u1.ln()).sqrt()
}

/// The cosine and sine of `2 pi u2`, where `u2 = (w + 1/2) / 2^32`. The angle is reduced to [-pi/4, pi/4] in
/// integers, so that values close to 0 are as exact as the others.
pub fn cos_sin(w: u32) -> [f64; 2] {
    // The unit of angles is 2^-33 of the circle, so a quadrant has 2^31 units.
    let angle = 2 * i64::from(w) + 1;
    let quadrant = (angle + (1 << 30)) >> 31;
    let rest = angle - (quadrant << 31);
    let (sin, cos) = (rest as f64 * (PI / 4_294_967_296.0)).sin_cos();
    match quadrant {
        0 | 4 => [cos, sin],
        1 => [-sin, cos],
        2 => [-cos, -sin],
        3 => [sin, -cos],
        _ => unreachable!("a circle has four quadrants"),
    }
}

/// The standard normal of an element (contract, section 5).
pub fn normal(key: Key, element: u64) -> f64 {
    let words = block(key, element / 4);
    let pair = (element % 4 / 2 * 2) as usize;
    radius(words[pair]) * cos_sin(words[pair + 1])[(element % 2) as usize]
}

/// The uniform value of a word in f32 (contract, section 4).
pub fn uniform(word: u32, low: f64, high: f64) -> f32 {
    let (low, high) = (low as f32, high as f32);
    let u = (word & 0x00FF_FFFF) as f32 / 16_777_216.0;
    let x = u * (high - low) + low;
    match low == high {
        true => high,
        false if x >= high => high.next_down(),
        false => x,
    }
}

/// The distance of two values in units of the last f32 digit of the exact value.
pub fn ulps(actual: f32, exact: f64) -> f64 {
    // The unit is 2^-23 of the power of two at or below the exact value.
    let binade = f64::from_bits(exact.abs().to_bits() & 0x7FF0_0000_0000_0000);
    (f64::from(actual) - exact).abs() / binade * 8_388_608.0
}

/// The relative distance of two values in units of 2^-23. At a power of two this unit is one ulp; just below
/// a power of two it is nearly two ulp.
pub fn relative_ulps(actual: f32, exact: f64) -> f64 {
    ((f64::from(actual) - exact) / exact).abs() * 8_388_608.0
}

fn philox_meets_the_published_answers() {
    let answers = known_answers();
    assert_eq!(answers.len(), 3);
    for KnownAnswer { counter, key, output } in answers {
        assert_eq!(philox4x32_10(counter, key), output, "counter {counter:08x?}, key {key:08x?}");
    }
}

/// The known values were computed with mpmath and 40 digits: `sqrt(-2*log((mpf(w)+0.5)/2**32))`, and the
/// cosine and sine of `2*pi*(mpf(w)+0.5)/2**32`.
fn box_muller_meets_known_values() {
    let near = |actual: f64, expected: f64| {
        assert!((actual / expected - 1.0).abs() < 1e-15, "{actual:e} is not {expected:e}");
    };
    for (w, expected) in [
        (0x0000_0000, 6.763_705_635_001_895),
        (0x0000_0001, 6.599_279_456_093_686),
        (0x1234_5678, 2.2993528134266863),
        (0x8000_0000, 1.1774100223177265),
        (0xB504_F333, 0.832_554_611_345_973_6),
        (0xFFFF_FFFE, 2.642_899_792_053_383e-5),
        (0xFFFF_FFFF, 1.525_878_906_294_409e-5),
    ] {
        near(radius(w), expected);
    }
    for (w, cos, sin) in [
        (0x0000_0000, 1.0, 7.314_590_396_335_798e-10),
        (0x1234_5678, 0.901_832_526_471_133_8, 0.432085748664188),
        (0x1FFF_FFFF, 0.707_106_781_703_767_2, 0.707_106_780_669_327_9),
        (0x2000_0000, 0.707_106_780_669_327_9, 0.707_106_781_703_767_2),
        (0x3FFF_FFFF, 7.314_590_396_335_798e-10, 1.0),
        (0x4000_0000, -7.314_590_396_335_798e-10, 1.0),
        (0x7FFF_FFFF, -1.0, 7.314_590_396_335_798e-10),
        (0x9ABC_DEF0, -0.792_289_658_205_944_3, -0.610_145_144_617_170_5),
        (0xBFFF_FFFF, -7.314_590_396_335_798e-10, -1.0),
        (0xD000_0000, 0.382_683_433_040_869_8, -0.9238795322313695),
        (0xE000_0000, 0.707_106_781_703_767_2, -0.707_106_780_669_327_9),
        (0xFFFF_FFFF, 1.0, -7.314_590_396_335_798e-10),
    ] {
        near(cos_sin(w)[0], cos);
        near(cos_sin(w)[1], sin);
    }
}

fn ulps_are_relative() {
    let one_up = f32::from_bits(1.0_f32.to_bits() + 1);
    assert_eq!(ulps(one_up, 1.0), 1.0);
    assert_eq!(ulps(-one_up * 1e-9, f64::from(-1e-9_f32)).round(), 1.0);
    assert_eq!(ulps(2.0, 1.75), 0.25 * 8_388_608.0);
    assert_eq!(relative_ulps(one_up, 1.0), 1.0);
    assert_eq!(relative_ulps(-1.0, -2.0), 0.5 * 8_388_608.0);
}
