//! `rand_distr`'s StandardNormal on all cores: baseline-rand_distr ELEMENTS

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Elements of one generator, as a program would seed them.
const PART: usize = 1 << 16;

fn main() {
    let elements: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).expect("ELEMENTS");
    let mut out = vec![0.0_f32; elements];
    report("rand_distr over SmallRng, rayon", elements, || normals::<SmallRng>(&mut out));
    report("rand_distr over ChaCha8, rayon", elements, || normals::<ChaCha8Rng>(&mut out));
}

fn normals<R: Rng + SeedableRng>(out: &mut [f32]) {
    out.par_chunks_mut(PART).enumerate().for_each(|(part, out)| {
        let mut rng = R::seed_from_u64(part as u64);
        for x in out {
            let z: f32 = StandardNormal.sample(&mut rng);
            *x = 0.02 * z;
        }
    });
}

/// As `sample.py` does it.
fn report(name: &str, elements: usize, mut once: impl FnMut()) {
    once();
    let (begin, mut times) = (Instant::now(), Vec::new());
    while times.len() < 7 || (times.len() < 101 && begin.elapsed() < Duration::from_millis(1500)) {
        let start = Instant::now();
        once();
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let seconds = times[times.len() / 2];
    println!(
        r#"{{"name": "{name}", "version": "0.6.0", "case": "normal", "dtype": "f32", "elements": {elements}, "seconds": {seconds}}}"#
    );
}
