//! Words at the edges of the contract's formulas.

/// The quantity that a directed word determines.
#[derive(Clone, Copy)]
pub enum Role {
    Radius,
    Angle,
}

use Role::{Angle, Radius};

/// Words at the edges of the contract's formula, among the first 2^34 words of `Key::new(0)`: the quantity
/// that the word determines, the word, and the first element of its pair. The edges are the ends of `u1`,
/// powers of two and of their roots, and the octants of `u2`.
pub const DIRECTED: [(Role, u32, u64); 50] = [
    (Radius, 0x0000_0000, 12_922_966_362),
    (Radius, 0x0000_0002, 3_304_761_632),
    (Radius, 0x0000_0003, 10_936_647_656),
    (Radius, 0x0000_7FFF, 12_570_305_154),
    (Radius, 0x0000_FFFF, 2_374_876_596),
    (Radius, 0x0001_0000, 5_383_825_866),
    (Radius, 0x0001_0001, 8_452_453_680),
    (Radius, 0x00FF_FFFF, 8_537_357_896),
    (Radius, 0x0100_0000, 8_706_632_068),
    (Radius, 0x5A82_7998, 7_370_352_148),
    (Radius, 0x5A82_7999, 10_654_473_150),
    (Radius, 0x5A82_799A, 2_267_571_810),
    (Radius, 0x7FFF_FFFF, 4_934_972_786),
    (Radius, 0x8000_0000, 8_191_531_328),
    (Radius, 0xB504_F332, 1_126_251_352),
    (Radius, 0xB504_F333, 4_240_993_220),
    (Radius, 0xFFFF_FFFC, 2_619_376_062),
    (Radius, 0xFFFF_FFFD, 1_453_024_970),
    (Radius, 0xFFFF_FFFE, 1_124_989_170),
    (Radius, 0xFFFF_FFFF, 8_098_165_446),
    (Angle, 0x0000_0000, 5_992_377_490),
    (Angle, 0x0000_0001, 11_600_211_446),
    (Angle, 0x1FFF_FFFE, 607_853_948),
    (Angle, 0x1FFF_FFFF, 2_052_708_704),
    (Angle, 0x2000_0000, 10_495_973_080),
    (Angle, 0x2000_0001, 161_352_694),
    (Angle, 0x3FFF_FFFE, 2_946_316_300),
    (Angle, 0x4000_0000, 16_014_844_224),
    (Angle, 0x4000_0001, 6_666_275_776),
    (Angle, 0x5FFF_FFFE, 1_400_126_348),
    (Angle, 0x5FFF_FFFF, 11_117_070_672),
    (Angle, 0x6000_0000, 3_682_949_390),
    (Angle, 0x6000_0001, 9_336_984_612),
    (Angle, 0x7FFF_FFFE, 7_712_399_484),
    (Angle, 0x7FFF_FFFF, 7_426_317_472),
    (Angle, 0x8000_0000, 2_592_375_474),
    (Angle, 0x8000_0001, 1_819_058),
    (Angle, 0x9FFF_FFFE, 5_728_470_392),
    (Angle, 0x9FFF_FFFF, 9_876_490_142),
    (Angle, 0xA000_0000, 9_904_359_472),
    (Angle, 0xA000_0001, 14_163_035_550),
    (Angle, 0xBFFF_FFFE, 4_212_152_644),
    (Angle, 0xBFFF_FFFF, 804_127_696),
    (Angle, 0xC000_0000, 1_668_051_984),
    (Angle, 0xC000_0001, 5_781_150_716),
    (Angle, 0xDFFF_FFFE, 2_545_034_592),
    (Angle, 0xDFFF_FFFF, 1_120_699_508),
    (Angle, 0xE000_0001, 8_174_221_102),
    (Angle, 0xFFFF_FFFE, 1_117_418_818),
    (Angle, 0xFFFF_FFFF, 6_153_212_236),
];
