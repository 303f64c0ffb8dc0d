//! PyTorch's stateless generator has the same keys and words, bit for bit. Its normals are compared within
//! their own error.

use seedbed::{Init, Key};
use serde_json::Value;

use crate::Check;
use crate::harness::assertions::assert_same_words;
use crate::harness::engines::Engine;

pub const CHECKS: &[Check] = &[
    Check::host("exact::torch_keys", keys),
    Check::engine("exact::torch_uniforms", uniforms),
    Check::engine("bounded::torch_normals", normals),
];

struct Case {
    key: Key,
    json: Value,
}

fn cases() -> Vec<Case> {
    let vectors: Value =
        serde_json::from_str(include_str!("../../vectors/torch_stateless.json")).expect("a file of JSON");
    let cases = vectors["cases"].as_array().expect("an array of cases");
    assert!(!cases.is_empty());
    cases
        .iter()
        .map(|json| Case {
            key: Key { seed: hex(&json["seed"]), offset: hex(&json["offset"]) },
            json: json.clone(),
        })
        .collect()
}

fn hex(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().expect("a string"), 16).expect("a hexadecimal number")
}

fn key(pair: &Value) -> Key {
    Key { seed: hex(&pair[0]), offset: hex(&pair[1]) }
}

/// The bits of the f32 values of a field.
fn values(case: &Case, field: &str) -> Vec<u32> {
    let values = case.json[field].as_array().expect("an array of values");
    assert!(!values.is_empty());
    values.iter().map(|bits| u32::try_from(hex(bits)).expect("32 bits")).collect()
}

/// Keys of `split` and `fold_in` are those of PyTorch.
fn keys() {
    for case in cases() {
        let split: Vec<Key> =
            case.json["split3"].as_array().expect("an array of keys").iter().map(key).collect();
        assert_eq!(case.key.split(3).collect::<Vec<_>>(), split, "split of {:?}", case.key);

        let folded = case.json["fold_in"].as_object().expect("an object of keys");
        assert!(folded.len() >= 5);
        for (data, expected) in folded {
            let data = data.parse().expect("a number");
            assert_eq!(case.key.fold_in(data), key(expected), "fold_in({data}) of {:?}", case.key);
        }
    }
}

/// Uniform values are `u = (word mod 2^24) * 2^-24` and `x = u * (high - low) + low`, with each operation
/// rounded. So PyTorch's values pin 24 bits of every word.
fn uniforms(engine: &Engine) {
    for case in cases() {
        let expected = values(&case, "uniform_bits");
        let filled = engine.fill([expected.len() as u64], &Init::uniform(0.0, 1.0), case.key);
        assert_same_words(bytemuck::cast_slice(&filled), &expected, case.key);
        let words = engine.words([expected.len() as u64], case.key);
        let uniforms: Vec<f32> = words.iter().map(|w| (w & 0x00FF_FFFF) as f32 / 16_777_216.0).collect();
        assert_same_words(bytemuck::cast_slice(&uniforms), &expected, case.key);

        let bounds = &case.json["uniform_low_high"];
        let [low, high] = [0, 1].map(|i| bounds[i].as_f64().expect("a number") as f32);
        let expected = values(&case, "uniform_low_high_bits");
        let init = Init::uniform(low.into(), high.into());
        let filled = engine.fill([expected.len() as u64], &init, case.key);
        assert_same_words(bytemuck::cast_slice(&filled), &expected, case.key);
        let scaled: Vec<u32> =
            uniforms.iter().take(expected.len()).map(|u| (u * (high - low) + low).to_bits()).collect();
        assert_same_words(&scaled, &expected, case.key);
    }
}

/// PyTorch computes normals in f32, and these are up to 1.6e-5 from the exact values. Normals of the contract
/// are within 5.5 ulp of the exact values, which is less than 3e-6.
fn normals(engine: &Engine) {
    for case in cases() {
        let torch: Vec<f32> = values(&case, "normal_bits").into_iter().map(f32::from_bits).collect();
        let ours = engine.fill([torch.len() as u64], &Init::normal(0.0, 1.0), case.key);
        for (i, (ours, torch)) in ours.iter().zip(&torch).enumerate() {
            let distance = (f64::from(*ours) - f64::from(*torch)).abs();
            assert!(distance <= 2e-5, "{:?}, element {i}: {ours} is {distance:e} from {torch}", case.key);
        }
    }
}
