//! Distances from the exact real numbers (contract, section 5). The unit for radius, cosine and sine is the
//! last digit of the exact value; distances of normals are relative, in units of 2^-23.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use seedbed::host::box_muller::{double_cos_sin, half_radius};
use seedbed::{FillRecorder, Init, Key, Math, Region, TensorView};

use crate::Check;
use crate::harness::assertions::assert_same_words;
use crate::harness::engines::{Device, Engine};
use crate::reference::directed::DIRECTED;
use crate::reference::{self, relative_ulps, ulps};

pub const CHECKS: &[Check] = &[
    Check::host("bounded::every_word", every_word),
    Check::engine("bounded::normals", normals),
    Check::engine("bounded::directed_normals", directed_normals),
    Check::device("bounded::native_math", native_math),
];

const RADIUS_BOUND: f64 = 2.5;
const ANGLE_BOUND: f64 = 2.5;
const NORMAL_BOUND: f64 = 5.5;

/// The largest errors of a function, over all words.
#[derive(Default)]
struct Worst {
    ulps: f64,
    word: u32,
    /// The largest relative error, in units of 2^-23.
    relative: f64,
}

/// Whether a distance exceeds the bound. A NaN exceeds every bound.
fn exceeds(distance: f64, bound: f64) -> bool {
    distance.is_nan() || distance > bound
}

impl Worst {
    #[inline]
    fn add(&mut self, word: u32, actual: f32, exact: f64) {
        self.take(ulps(actual, exact), word, relative_ulps(actual, exact));
    }

    #[inline]
    fn take(&mut self, ulps: f64, word: u32, relative: f64) {
        if exceeds(ulps, self.ulps) {
            (self.ulps, self.word) = (ulps, word);
        }
        if exceeds(relative, self.relative) {
            self.relative = relative;
        }
    }

    fn check(&self, what: &str, bound: f64) {
        println!("{what}: {:.4} ulp ({:#010x}), relatively {:.4}", self.ulps, self.word, self.relative);
        assert!(self.ulps <= bound, "{what} of {:#010x} is {} ulp away", self.word, self.ulps);
    }
}

/// The radius, cosine and sine of all 2^32 words are within their bounds. The normals of all 2^64 pairs
/// follow, because the relative errors of the factors add up and the product is rounded once.
fn every_word() {
    const CHUNK: u64 = 1 << 20;
    let next = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let [mut radius, mut cos, mut sin] = [(); 3].map(|()| Worst::default());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let [mut radius, mut cos, mut sin] = [(); 3].map(|()| Worst::default());
                    loop {
                        let start = next.fetch_add(CHUNK, Ordering::Relaxed);
                        if start >= 1 << 32 {
                            return (radius, cos, sin);
                        }
                        for word in start..start + CHUNK {
                            let word = word as u32;
                            // Doubling and halving are exact.
                            radius.add(word, 2.0 * half_radius(word), reference::radius(word));
                            let [c, s] = double_cos_sin(word).map(|x| 0.5 * x);
                            let [exact_cos, exact_sin] = reference::cos_sin(word);
                            cos.add(word, c, exact_cos);
                            sin.add(word, s, exact_sin);
                        }
                    }
                })
            })
            .collect();
        for worker in workers {
            let (r, c, s) = worker.join().expect("a worker that does not panic");
            for (worst, other) in [(&mut radius, r), (&mut cos, c), (&mut sin, s)] {
                worst.take(other.ulps, other.word, other.relative);
            }
        }
    });
    radius.check("radius", RADIUS_BOUND);
    cos.check("cosine", ANGLE_BOUND);
    sin.check("sine", ANGLE_BOUND);

    // The error is (1 + a) (1 + b) (1 + c) - 1, where rounding to nearest is c: at most half a unit of 2^-23.
    let unit = 2_f64.powi(-23);
    let factor = |relative: f64| 1.0 + relative * unit;
    let normal =
        (factor(radius.relative) * factor(cos.relative.max(sin.relative)) * factor(0.5) - 1.0) / unit;
    println!("normal: relatively {normal:.4} at the most");
    assert!(normal <= NORMAL_BOUND, "a normal may be {normal} away");
}

fn assert_near(normal: f32, key: Key, element: u64) {
    let exact = reference::normal(key, element);
    let distance = relative_ulps(normal, exact);
    assert!(
        distance <= NORMAL_BOUND,
        "{key:?}, element {element}: {normal:e} is {distance} from {exact:e}, relatively, in units of 2^-23"
    );
}

fn normals(engine: &Engine) {
    for (key, start) in [(Key::new(0), 0), (Key { seed: 0xB0B5_1ED5, offset: 1 << 63 }, (1 << 40) + 3)] {
        let region = Region::from([1_u64 << 50]).elements(start..start + (1 << 21));
        for (element, normal) in (start..).zip(engine.fill(region, &Init::normal(0.0, 1.0), key)) {
            assert_near(normal, key, element);
        }
    }
}

fn directed_normals(engine: &Engine) {
    let key = Key::new(0);
    for (role, word, pair) in DIRECTED {
        assert_eq!(reference::word(key, pair + role as u64), word, "a wrong entry of the table");
        let region = Region::from([1_u64 << 40]).elements(pair..pair + 2);
        for (element, normal) in (pair..).zip(engine.fill(region, &Init::normal(0.0, 1.0), key)) {
            assert_near(normal, key, element);
        }
    }
}

/// `Math::Native` promises the same words, but only the precision of WGSL: an absolute error of 2^-11 for
/// sine and cosine (WGSL, section 15.7.4), at radii up to 6.8.
fn native_math(device: &Device) {
    let native = FillRecorder::with_math(&device.gpu.device, Math::Native);
    let (key, len) = (Key::new(3), 1 << 16);
    let buffer = device.gpu.storage_buffer(4 * len);
    device
        .submit(|encoder| native.fill_words(encoder, &TensorView::u32(&buffer, [len]), key))
        .expect("a fill that is right");
    let words: Vec<u32> = bytemuck::pod_collect_to_vec(&device.read(&buffer));
    assert_same_words(&words, &Engine::Host.words([len], key), "words");

    device
        .submit(|encoder| {
            native.fill(encoder, &TensorView::f32(&buffer, [len]), &Init::normal(0.0, 1.0), key)
        })
        .expect("a fill that is right");
    let normals: Vec<f32> = bytemuck::pod_collect_to_vec(&device.read(&buffer));
    for (element, normal) in (0..).zip(normals) {
        let distance = (f64::from(normal) - reference::normal(key, element)).abs();
        assert!(distance < 4e-3, "element {element}: {normal} is {distance:e} away");
    }
}
