//! Other distributions than an initialiser's, from the same streams: `host::PhiloxRng` under `rand_distr`.
//! `cargo run --release --example rand_distr`.
//!
//! The generator gives the words of a key's stream, so a draw has an address: a key and a word. Every thread
//! draws the same values, in any order. `rand_distr` promises values for one version of itself. `rand_distr`
//! computes normals by another method than `Init::normal`, so the same words give other numbers.

use std::ops::Range;
use std::thread;

use rand_distr::{Beta, Distribution, Gamma, StandardNormal, StandardUniform, Zipf};
use seedbed::{Key, host::PhiloxRng};

const DRAWS: usize = 100_000;

/// Draws from the stream `name` and compares the mean with the distribution's.
///
/// Seed and alpha are fixed, so a test that passes once always passes. A pass means that the mean is within
/// five standard errors; with a random seed the chance to fail would be 6e-7. A pass says nothing about the
/// tails.
fn sample(
    experiment: Key,
    name: &str,
    distribution: impl Distribution<f64>,
    mean: f64,
    variance: f64,
) -> f64 {
    let rng = PhiloxRng::new(experiment.named(name));
    let sampled = distribution.sample_iter(rng).take(DRAWS).sum::<f64>() / DRAWS as f64;
    let error = (variance / DRAWS as f64).sqrt();
    println!("{name:<16}mean {sampled:>9.5}, expected {mean:>9.5} ± {error:.5}");
    assert!((sampled - mean).abs() < 5.0 * error, "{name}: the mean is off");
    sampled
}

/// One draw for each item, each from its own stream, so that a rejection sampler may take any number of
/// words.
fn lifetimes(experiment: Key, items: Range<u64>) -> Vec<f64> {
    let gamma = Gamma::new(0.5, 2.0).expect("the shape and the scale are positive");
    let key = experiment.named("lifetime");
    items.map(|item| gamma.sample(&mut PhiloxRng::new(key.fold_in(item)))).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let experiment = Key::new(42);

    // Each name has its own stream, so one more draw from one stream changes no other stream.
    let noise = sample(experiment, "noise", StandardNormal, 0.0, 1.0);
    sample(experiment, "waiting time", Gamma::new(2.0, 1.5)?, 3.0, 4.5);
    sample(experiment, "click rate", Beta::new(2.0, 5.0)?, 2.0 / 7.0, 10.0 / (49.0 * 8.0));
    // Zipf's law for n = 1000 ranks: P(k) is proportional to k^-1.5. The moments are sums of powers.
    let powers = |exponent: f64| (1..=1000).map(|k| f64::from(k).powf(exponent)).sum::<f64>();
    let mean = powers(-0.5) / powers(-1.5);
    let variance = powers(0.5) / powers(-1.5) - mean * mean;
    sample(experiment, "word rank", Zipf::new(1000.0, 1.5)?, mean, variance);
    assert_eq!(noise, sample(experiment, "noise", StandardNormal, 0.0, 1.0));

    // Each item has its own stream, so any split over any number of threads gives the same, here the last
    // part first.
    let alone = lifetimes(experiment, 0..10_000);
    let together = thread::scope(|scope| {
        let part = |i: u64| scope.spawn(move || lifetimes(experiment, 2500 * i..2500 * (i + 1)));
        let [d, c, b, a] = [part(3), part(2), part(1), part(0)];
        [a, b, c, d].into_iter().flat_map(|part| part.join().expect("no draw panics")).collect::<Vec<_>>()
    });
    assert_eq!(alone, together);
    println!("{} lifetimes, the same from one thread and from four", alone.len());

    // Draws of a fixed number of words allow a jump to any draw: an f64 of `StandardUniform` takes two words.
    let mut rng = PhiloxRng::new(experiment.named("shuffle"));
    let millionth: Option<f64> = StandardUniform.sample_iter(rng.clone()).nth(1_000_000);
    rng.set_word_position(2 * 1_000_000);
    let jumped: f64 = StandardUniform.sample(&mut rng);
    assert_eq!(millionth, Some(jumped));
    println!("draw 1,000,000 of a stream, at once: {jumped}");
    Ok(())
}
