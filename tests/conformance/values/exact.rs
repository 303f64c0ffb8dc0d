//! The bits that the contract prescribes.

use seedbed::{Fans, Init, Key, Region, host};

use crate::Check;
use crate::harness::assertions::{assert_same_bits, assert_same_words};
use crate::harness::engines::{Device, Engine};
use crate::reference;

pub const CHECKS: &[Check] = &[
    Check::host("exact::derived_keys", derived_keys),
    Check::host("exact::generator", generator),
    Check::engine("exact::published_words", published_words),
    Check::engine("exact::words", words),
    Check::engine("exact::carries", carries),
    Check::engine("exact::constants", constants),
    Check::engine("exact::mean_and_std", mean_and_std),
    Check::engine("exact::xavier_normal", xavier_normal),
    Check::engine("exact::parts", parts),
    Check::device("exact::sixteen_mebi_normals", sixteen_mebi_normals),
];

/// Keys without a regular pattern.
const KEYS: [Key; 3] = [
    Key { seed: 0x0123_4567_89AB_CDEF, offset: 0 },
    Key { seed: 42, offset: 0xFEDC_BA98_7654_3210 },
    Key { seed: u64::MAX, offset: 0x0000_0001_0000_0001 },
];

/// The shape of the largest tensor. Checks fill parts of it.
const ENDLESS: [u64; 1] = [1 << 60];

fn check_words(engine: &Engine, key: Key, elements: std::ops::Range<u64>) {
    let expected: Vec<u32> = elements.clone().map(|e| reference::word(key, e)).collect();
    let actual = engine.words(Region::new(ENDLESS.as_slice()).elements(elements.clone()), key);
    assert_same_words(&actual, &expected, (key, elements));
}

/// Derived keys are those of the contract (section 2).
fn derived_keys() {
    for key in KEYS {
        for data in [0, 1, 1 << 32, u64::MAX] {
            let [w0, w1, w2, w3] = reference::block(key, data).map(u64::from);
            let expected = Key { seed: w0 | w1 << 32, offset: w2 | w3 << 32 };
            assert_eq!(key.fold_in(data), expected, "fold_in({data}) of {key:?}");
        }
        assert!(key.split(5).eq((0..5).map(|d| key.fold_in(d))), "split of {key:?}");
        // These hashes of FNV-1a-64 are published (draft-eastlake-fnv, appendix C).
        for (name, hash) in
            [("", 0xCBF2_9CE4_8422_2325), ("a", 0xAF63_DC4C_8601_EC8C), ("foobar", 0x8594_4171_F739_67E8)]
        {
            assert_eq!(key.named(name), key.fold_in(hash), "{name:?} of {key:?}");
        }
    }
}

/// The host's generator gives the words of the stream in their order.
fn generator() {
    use rand_core::Rng;
    for key in KEYS {
        let mut generator = host::PhiloxRng::new(key);
        for element in 0..9 {
            assert_eq!(generator.next_u32(), reference::word(key, element), "{key:?}, word {element}");
        }
        for position in [0, 1, 2, 3, 4, 7, (1 << 34) - 2] {
            let words: [u32; 2] = [0, 1].map(|i| reference::word(key, position + i));
            generator.set_word_position(position.into());
            assert_eq!(generator.word_position(), position.into());
            assert_eq!(
                generator.next_u64(),
                u64::from(words[0]) | u64::from(words[1]) << 32,
                "{key:?}, {position}"
            );
        }
    }
}

/// An engine meets the published answers whose counter a key can express: the upper half of such a counter is
/// 0.
fn published_words(engine: &Engine) {
    let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let mut reached = 0;
    for answer in reference::known_answers() {
        let ([c0, c1, 0, 0], [k0, k1]) = (answer.counter, answer.key) else {
            continue;
        };
        let key = Key { seed: join(k0, k1), offset: join(c0, c1) };
        assert_same_words(&engine.words([4], key), &answer.output, key);
        reached += 1;
    }
    assert_eq!(reached, 1);
}

fn words(engine: &Engine) {
    for key in KEYS {
        check_words(engine, key, 0..70_001);
        for start in [1, 2, 3, 5, 1_000_003] {
            check_words(engine, key, start..start + 1023);
        }
    }
}

/// Counters pass 2^32 and 2^64, because of the offset, of the element, or of both.
fn carries(engine: &Engine) {
    let seed = 0x9E37_79B9_7F4A_7C15;
    for offset in [(1 << 32) - 3, u64::MAX - 2, (7 << 32) - 300, u64::MAX - 1000] {
        check_words(engine, Key { seed, offset }, 0..4099);
        check_words(engine, Key { seed, offset }, 3..4099);
    }
    // Block 2^32 begins at element 2^34.
    for offset in [0, 1, (1 << 32) - 1, u64::MAX - (1 << 32)] {
        for carry in [1_u64 << 34, 2 << 34, 5 << 34] {
            check_words(engine, Key { seed, offset }, carry - 2049..carry + 2050);
            check_words(engine, Key { seed, offset }, carry - 4..carry + 1);
        }
    }
    check_words(engine, Key { seed, offset: 5 }, ENDLESS[0] - 4097..ENDLESS[0]);
    let (start, end) = ((1 << 34) - 4096, (1 << 34) + 4097);
    assert_same_bits(
        &engine.fill(
            Region::from(&ENDLESS).elements(start..end),
            &Init::normal(0.0, 1.0),
            Key { seed, offset: 5 },
        ),
        &Engine::Host.fill([8193], &Init::normal(0.0, 1.0), Key { seed, offset: 5 + start / 4 })[..],
        "normals around block 2^32",
    );
}

/// A constant is rounded once, to nearest even. A constant that becomes 0 keeps its sign.
fn constants(engine: &Engine) {
    let tie_to_even = f64::from(1.0_f32) + f64::from(f32::EPSILON) / 2.0;
    for (value, bits) in [
        (0.0, 0),
        (-0.0, 0x8000_0000),
        (1.0, 0x3F80_0000),
        (-1.0, 0xBF80_0000),
        (0.01, 0x3C23_D70A),
        (0.1, 0x3DCC_CCCD),
        (tie_to_even, 0x3F80_0000),
        (tie_to_even + 1e-15, 0x3F80_0001),
        (f64::from(f32::MAX), 0x7F7F_FFFF),
        (f64::from(f32::MIN_POSITIVE), 0x0080_0000),
        // These are the smallest subnormal, a larger one, and half of the smallest, which is a tie.
        (1.401298464324817e-45, 0x0000_0001),
        (-1e-40, 0x8001_16C2),
        (7.006492321624085e-46, 0),
        (f64::INFINITY, 0x7F80_0000),
        (f64::NEG_INFINITY, 0xFF80_0000),
    ] {
        let expected = [f32::from_bits(bits); 1027];
        assert_same_bits(&engine.fill([13, 79], &Init::constant(value), KEYS[0]), &expected, value);
    }
    let filled = engine.fill([1027], &Init::constant(f64::NAN), KEYS[0]);
    assert!(filled.iter().all(|x| x.is_nan()), "NaN became {:?}", filled.iter().find(|x| !x.is_nan()));
    assert_same_bits(&engine.fill([1027], &Init::Zeros, KEYS[0]), &[0.0; 1027], "zeros");
    assert_same_bits(&engine.fill([1027], &Init::Ones, KEYS[0]), &[1.0; 1027], "ones");
    assert_same_bits(&engine.fill((), &Init::Ones, KEYS[0]), &[1.0], "a scalar");
}

/// A normal is `x = z * std + mean`: two operations, each rounded. `std` and `mean` are rounded to f32
/// before.
fn mean_and_std(engine: &Engine) {
    let standard = engine.fill([100_003], &Init::normal(0.0, 1.0), KEYS[0]);
    for (mean, std) in
        [(0.0, 0.02), (1.0, 0.1), (-3.7, 1e-3), (1e6, 7.3), (0.1, 0.0), (0.0, 1e20), (-1e-3, 3.3)]
    {
        let expected: Vec<f32> = standard.iter().map(|z| z * std as f32 + mean as f32).collect();
        let actual = engine.fill([100_003], &Init::normal(mean, std), KEYS[0]);
        assert_same_bits(&actual, &expected, (mean, std));
    }
}

/// The standard deviation is `gain * sqrt(2 / (fan_in + fan_out))` in f64, rounded once. The fans are
/// PyTorch's.
fn xavier_normal(engine: &Engine) {
    for (shape, fan_in, fan_out, gain) in [
        (&[7_u64, 11][..], 11.0, 7.0, 1.0),
        (&[64, 3, 7, 7], 147.0, 3136.0, 5.0 / 3.0),
        (&[768, 97], 97.0, 768.0, std::f64::consts::SQRT_2),
        (&[8, 4, 3], 12.0, 24.0, 1.25),
        (&[5, 3], 3.0, 5.0, 0.0),
    ] {
        assert_eq!(Fans::of(shape), Ok(Fans { fan_in, fan_out }));
        let std = (gain * (2.0 / (fan_in + fan_out)).sqrt()) as f32;
        let standard = engine.fill(shape, &Init::normal(0.0, 1.0), KEYS[1]);
        let expected: Vec<f32> = standard.iter().map(|z| z * std + 0.0).collect();
        let actual = engine.fill(shape, &Init::XavierNormal { gain }, KEYS[1]);
        assert_same_bits(&actual, &expected, (shape, gain));
    }
}

/// A part of a tensor holds the elements of the whole, and its fans are those of the whole.
fn parts(engine: &Engine) {
    let (shape, init) = ([97_u64, 101], Init::xavier_normal());
    let whole = engine.fill(shape, &init, KEYS[2]);
    for (start, end) in [(0, 1), (1, 2), (0, 9797), (2, 9797), (3, 4), (5, 1000), (4096, 8192), (9796, 9797)]
    {
        let part = engine.fill(Region::from(&shape).elements(start as u64..end as u64), &init, KEYS[2]);
        assert_same_bits(&part, &whole[start..end], (start, end));
    }
    assert!(engine.fill(Region::from(&shape).elements(7..7), &init, KEYS[2]).is_empty());
}

/// An adapter has the same bits as the host. [`words`] and the bounded checks say that the host is right.
fn sixteen_mebi_normals(device: &Device) {
    let region = Region::from([(16 << 20) + 4099]).elements(3..(16 << 20) + 4098);
    let init = Init::normal(0.25, 0.02);
    let actual = device.fill(region.clone(), &init, KEYS[1]);
    assert_same_bits(&actual, &Engine::Host.fill(region, &init, KEYS[1]), "normals");
}
