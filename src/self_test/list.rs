//! The list of trials: every kernel that a device would use, and the words where arithmetic is most likely to
//! fail.

use std::ops::Range;

use super::report::Extent;
use super::trial::Recording::{self, Apart, Together};
use super::trial::{Job, Probe, Trial};
use crate::dtype::DType::{self, BF16, F16, F32};
use crate::host;
use crate::init::Init;
use crate::key::Key;
use crate::layout::region::Region;

/// The seed of all trials.
const SEED: u64 = 0x5EED_BED0_5E1F_7E57;
/// The key of most fills.
const KEY: Key = Key { seed: SEED, offset: 0 };
/// A key whose counters wrap within each fill.
const WRAPPING: Key = Key { seed: !SEED, offset: u64::MAX - 5 };

/// Blocks of [`KEY`] with extreme words: the first blocks that have the word 0 in positions 0, 1, 2 and 3,
/// then the first blocks that have the word 2^32 - 1 there.
const EDGES: [u64; 8] = [
    0x29C1_5A27,
    0x3587_2F15,
    0x4CDB_E317,
    0x8E0A_0268,
    0xB37F_6AEE,
    0x1_8C47_6257,
    0x1_AD18_9F11,
    0x2_7914_F655,
];

/// A number of normals in which every upper half of a word occurs, both among the words of radii and among
/// the words of angles.
const ALL_HALVES: u64 = 1 << 21;

/// The element types that initialisers write.
const TYPES: [DType; 3] = [F32, F16, BF16];

/// A matrix of whole vectors. llvmpipe gives a tensor a dispatch of its own from slightly fewer blocks on.
const MATRIX: [u64; 2] = [70, 64];
/// A vector that crosses block 2^32, which begins at element 2^34.
const ENDLESS: [u64; 1] = [1 << 36];
const CARRY: u64 = 1 << 34;

/// The trials of this extent.
pub(super) fn trials(extent: Extent) -> Vec<Trial> {
    match extent {
        Extent::Short => short(),
        Extent::Full => full(),
    }
}

/// Two trials, each with one kernel: normals, then raw words. Both trials also cover counters that carry, and
/// the smallest and the largest word.
fn short() -> Vec<Trial> {
    let mut words = Trial::new("raw words", Apart);
    let mut normals = Trial::new("normals", Apart);
    let mut both = |region: Region<'static>, key: Key| {
        words.add(Job::words(region.clone(), key));
        normals.add(Job::new(F32, region, Init::normal(0.25, 0.75), key))
    };
    both([1 << 14].into(), KEY);
    both(carry(512), KEY);
    both([64].into(), WRAPPING);
    for key in edges() {
        both([8].into(), key);
    }
    vec![normals, words]
}

fn full() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (name, recording) in [("raw words", Apart), ("raw words, in one list", Together)] {
        trials.push(words(name, recording));
    }
    trials.push(words_far_on());
    trials.push(edges_of("words 0 and 2^32 - 1: raw words", |region, key| vec![Job::words(region, key)]));
    trials.extend(arithmetic());
    let inits = [
        ("uniform", Init::uniform(-0.3, 0.7)),
        ("normal", Init::normal(0.25, 0.02)),
        ("log_normal", Init::log_normal(-0.5, 0.75)),
        ("trunc_normal", Init::trunc_normal(0.0, 1.0, -2.0, 2.0)),
    ];
    for (name, init) in inits {
        let jobs = |region: Region<'static>, key: Key| {
            TYPES.map(|dtype| Job::new(dtype, region.clone(), init, key)).to_vec()
        };
        trials.push(edges_of(format!("words 0 and 2^32 - 1: {name}"), jobs));
    }
    trials.push(every_half());
    for row in Init::signatures() {
        trials.push(example(row.example));
    }
    trials.push(constants());
    trials.push(subnormals());
    trials.push(tails());
    let inits = inits.into_iter().chain([
        ("constant", Init::constant(0.1)),
        ("eye", Init::Eye),
        ("sparse", Init::Sparse { sparsity: 0.3, std: 0.02 }),
        ("orthogonal", Init::orthogonal()),
    ]);
    for (number, (name, init)) in inits.enumerate() {
        // Drivers spend most of the time on compiling kernels. So each generator has every type and every
        // grid, but not every pair of a type and a grid: the next generator has other pairs.
        let mut apart = TYPES.to_vec();
        let together = apart.remove(number % TYPES.len());
        trials.push(places(format!("{name}: any place"), init, &apart, Apart));
        trials.push(places(format!("{name}: any place, in one list"), init, &[together], Together));
    }
    trials.push(far_on());
    trials.push(small_tensors());
    for size in [64, 257] {
        trials.push(orthogonal(size));
    }
    trials
}

/// Keys whose block 0 has an extreme word, and whose block 1 has ordinary ones.
fn edges() -> [Key; 8] {
    EDGES.map(|offset| Key { seed: SEED, offset })
}

// The list calls these functions a hundred times, and a page downloads the list.

#[inline(never)]
fn range(shape: &[u64], elements: Range<u64>) -> Region<'static> {
    Region::from(shape.to_vec()).elements(elements)
}

#[inline(never)]
fn shard(shape: &[u64], start: [u64; 2], local: [u64; 2]) -> Region<'static> {
    Region::from(shape.to_vec()).shard(start, local).into_owned()
}

/// The elements around block 2^32: this many on each side.
fn carry(elements: u64) -> Region<'static> {
    range(&ENDLESS, CARRY - elements..CARRY + elements)
}

fn words(name: &str, recording: Recording) -> Trial {
    let mut trial = Trial::new(name, recording);
    for key in [KEY, WRAPPING] {
        trial.add(Job::words([70_001], key));
        trial.add(Job::words(MATRIX, key));
        trial.add(Job::words([1001], key).shifted(4));
        trial.add(Job::words(range(&[5000], 3..4099), key));
        trial.add(Job::words(shard(&MATRIX, [3, 8], [50, 40]), key).pitched(256));
        trial.add(Job::words(shard(&MATRIX, [5, 3], [50, 37]), key).pitched(152));
    }
    trial
}

/// Raw words of counters that pass 2^32 and 2^64, by the key's offset, by the element's index, or by both.
fn words_far_on() -> Trial {
    let mut trial = Trial::new("raw words past block 2^32", Apart);
    for offset in [0, (1 << 32) - 3, u64::MAX - (1 << 32), (7 << 32) - 300] {
        let key = Key { seed: SEED, offset };
        trial.add(Job::words([4096], key));
        for carry in [CARRY, 3 * CARRY] {
            trial.add(Job::words(range(&ENDLESS, carry - 2049..carry + 2050), key));
            trial.add(Job::words(range(&ENDLESS, carry - 2048..carry + 2048), key));
        }
    }
    trial.add(Job::words([4096], WRAPPING));
    let last = range(&[1 << 60], (1 << 60) - 4096..1 << 60);
    trial.add(Job::words(last, KEY));
    trial
}

/// Fills of blocks with the words 0 and 2^32 - 1 in each position, written as whole vectors and element by
/// element.
fn edges_of(name: impl Into<String>, jobs: impl Fn(Region<'static>, Key) -> Vec<Job>) -> Trial {
    let mut trial = Trial::new(name, Together);
    for key in edges() {
        for job in jobs([8].into(), key) {
            let size = job.placement.dtype.size();
            trial.add(job.clone());
            trial.add(job.shifted(size));
        }
    }
    trial
}

/// Three uniforms: the first takes one product for each element, the second one sum, the third one product
/// and one sum. A device that rounds in another direction is off by one unit in the first two. A device that
/// fuses operations is right in the first two and off in the third.
fn arithmetic() -> [Trial; 3] {
    let probe = |name: &str, [low, high]: [f64; 2], probe: Probe| -> Trial {
        let mut trial = Trial::new(name, Apart);
        trial.add(Job::new(F32, [1 << 14], Init::uniform(low, high), KEY));
        trial.probe = Some(probe);
        trial
    };
    // The difference of these bounds is 2^-4, and a product with 2^-4 is exact.
    let low = f64::from(-0.7_f32);
    [
        probe("f32 products", [0.0, 0.7], Probe::OneOperation),
        probe("f32 sums", [low, low + 0.0625], Probe::OneOperation),
        probe("f32 products and sums", [0.1, 0.73], Probe::TwoOperations),
    ]
}

fn every_half() -> Trial {
    let mut trial = Trial::new("normals of every upper half of a word", Apart);
    trial.add(Job::new(F32, [ALL_HALVES], Init::normal(0.0, 1.0), KEY));
    trial
}

/// An initialiser from its textual form, on a matrix, or on a convolution if the initialiser needs one.
fn example(text: &str) -> Trial {
    let mut trial = Trial::new(text, Apart);
    let init: Init = match text.parse() {
        Ok(init) => init,
        Err(error) => {
            trial.error = Some(error);
            return trial;
        }
    };
    let shape: &[u64] = match host::check(&init, F32, [61, 67]) {
        Ok(()) => &[61, 67],
        Err(_) => &[6, 13, 7, 9],
    };
    for dtype in TYPES {
        trial.add(Job::new(dtype, shape.to_vec(), init, KEY));
    }
    trial
}

fn constants() -> Trial {
    let mut trial = Trial::new("constants", Together);
    for value in [0.1, -1.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-40, -3e-6] {
        for dtype in TYPES {
            trial.add(Job::new(dtype, [131], Init::constant(value), KEY));
        }
    }
    // These zeros are large enough for a clear.
    trial.add(Job::new(F32, [1 << 15], Init::Zeros, KEY));
    trial.add(Job::new(F32, [100_003], Init::constant(0.3), KEY));
    trial
}

/// Subnormal f16 elements, which are part of the contract, unlike subnormal f32 results.
fn subnormals() -> Trial {
    let mut trial = Trial::new("subnormal f16 elements", Apart);
    for init in [
        Init::normal(0.0, 1e-5),
        Init::uniform(-6e-5, 6e-5),
        Init::trunc_normal(0.0, 1e-5, -2e-5, 2e-5),
        Init::log_normal(-12.0, 0.25),
    ] {
        trial.add(Job::new(F16, [4096], init, KEY));
    }
    trial
}

/// Truncated normals whose bounds lie in the tails of the distribution, or at infinity.
fn tails() -> Trial {
    let mut trial = Trial::new("trunc_normal in the tails", Apart);
    let infinity = f64::INFINITY;
    for (number, (mean, std, a, b)) in [
        (0.0, 1.0, 4.0, 5.0),
        (0.0, 1.0, -infinity, -6.0),
        (0.5, 2.0, 1.0, infinity),
        (0.0, 1.0, 0.0, 0.1),
        (0.0, 1.0, -30.0, -29.0),
        (0.0, 0.02, -infinity, infinity),
    ]
    .into_iter()
    .enumerate()
    {
        let init = Init::trunc_normal(mean, std, a, b);
        trial.add(Job::new(F32, [8192], init, KEY));
        trial.add(Job::new(TYPES[1 + number % 2], [4096], init, KEY));
    }
    trial
}

/// Fills of an initialiser at any place: whole vectors and single elements, runs and strided rows, and the
/// halves of words that two fills share.
fn places(name: String, init: Init, types: &[DType], recording: Recording) -> Trial {
    let mut trial = Trial::new(name, recording);
    let keys = match recording {
        Apart => &[KEY][..],
        // Two fills of each kind share a dispatch.
        Together => &[KEY, WRAPPING],
    };
    for &key in keys {
        for &dtype in types {
            let size = dtype.size();
            let job = |region: Region<'static>| Job::new(dtype, region, init, key);
            trial.add(job(MATRIX.into()));
            trial.add(job(range(&MATRIX, 1001..1999)).shifted(size));
            // These fills end and begin within a block, and within a word if the elements have 16 bits.
            trial.add(job(range(&MATRIX, 5..8)).shifted(size));
            trial.add_next(job(range(&MATRIX, 8..15)));
            trial.add_next(job(range(&MATRIX, 63..66)));
            trial.add(job(shard(&MATRIX, [3, 8], [50, 40])).pitched(64 * size));
            trial.add(job(shard(&MATRIX, [5, 3], [50, 37])).shifted(size).pitched(39 * size));
        }
    }
    trial
}

/// Elements on both sides of block 2^32: in a vector, in the rows of a matrix, in a shard.
fn far_on() -> Trial {
    let mut trial = Trial::new("elements past block 2^32", Together);
    let matrix = [1 << 18, 1 << 18];
    // Columns on both sides of the diagonal.
    let far = [1 << 17, (1 << 17) - 8];
    for (number, init) in [
        Init::normal(0.0, 1.0),
        Init::uniform(-0.3, 0.7),
        Init::log_normal(-0.5, 0.75),
        Init::trunc_normal(0.0, 1.0, -2.0, 2.0),
        Init::Eye,
        Init::sparse(0.3),
    ]
    .into_iter()
    .enumerate()
    {
        let dtype = TYPES[number % 3];
        for dtype in [F32, dtype] {
            trial.add(Job::new(dtype, range(&matrix, CARRY - 1000..CARRY + 1001), init, KEY));
            trial.add(Job::new(dtype, shard(&matrix, far, [4, 33]), init, WRAPPING));
        }
    }
    trial
}

/// Many tensors of many kinds in one list, as a model is filled.
fn small_tensors() -> Trial {
    let mut trial = Trial::new("three hundred small tensors, in one list", Together);
    for number in 0..300_u64 {
        let dtype = TYPES[(number / 5 % 3) as usize];
        let init = match number % 5 {
            0 | 1 => Init::normal(0.0, 0.02),
            2 => Init::uniform(-0.1, 0.1),
            3 => Init::constant(0.5),
            _ => Init::trunc_normal(0.0, 0.02, -0.04, 0.04),
        };
        let len = 1 + number * 37 % 300;
        trial.add(Job::new(dtype, [len], init, KEY.fold_in(number)).shifted(number % 4 / 3 * dtype.size()));
    }
    trial
}

/// Orthogonal matrices: square, tall and wide, whole and in part.
fn orthogonal(size: u64) -> Trial {
    let mut trial = Trial::new(format!("orthogonal matrices of {size}"), Apart);
    let init = Init::orthogonal();
    trial.add(Job::new(F32, [size, size], init, KEY));
    trial.add(Job::new(F16, [size, 40], init, KEY));
    trial.add(Job::new(BF16, range(&[33, size], size + 1..3 * size), init, WRAPPING));
    trial
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::math::philox::philox4x32_10;

    #[test]
    fn fills_do_not_overlap_and_the_host_makes_them() {
        for extent in [Extent::Short, Extent::Full] {
            let trials = trials(extent);
            let names: HashSet<_> = trials.iter().map(|trial| &trial.name).collect();
            assert_eq!(names.len(), trials.len());
            for trial in &trials {
                assert_eq!(trial.error, None, "{}", trial.name);
                let mut owner = vec![None; trial.bytes() as usize];
                for (number, job) in trial.jobs.iter().enumerate() {
                    for byte in job.rows().unwrap().flatten() {
                        assert_eq!(owner[byte].replace(number), None, "{}: byte {byte}", trial.name);
                    }
                }
                assert_eq!(trial.expected().unwrap().len(), owner.len());
                assert_ne!(trial.elements, 0);
            }
        }
    }

    #[test]
    fn every_upper_half_occurs() {
        let mut seen = vec![[false; 2]; 1 << 16];
        for block in 0..ALL_HALVES / 4 {
            let [w0, w1, w2, w3] = philox4x32_10(KEY.counter(block), KEY.seed);
            [w0, w2].iter().for_each(|word| seen[(word >> 16) as usize][0] = true);
            [w1, w3].iter().for_each(|word| seen[(word >> 16) as usize][1] = true);
        }
        assert!(seen.iter().flatten().all(|&seen| seen));
    }

    #[test]
    fn edges_have_their_words() {
        for (number, key) in edges().into_iter().enumerate() {
            let word = if number < 4 { 0 } else { u32::MAX };
            assert_eq!(philox4x32_10(key.counter(0), key.seed)[number % 4], word, "{number}");
        }
    }

    /// The f32 bounds of the sums differ by a power of two.
    #[test]
    fn single_operations_are_single() {
        let [products, sums, _] = arithmetic();
        let uniform = |trial: &Trial| match trial.jobs[0].source {
            crate::self_test::trial::Source::Init(Init::Uniform { low, high }) => [low as f32, high as f32],
            _ => panic!("{trial:?}"),
        };
        assert_eq!(uniform(&products)[0], 0.0);
        let [low, high] = uniform(&sums);
        assert_eq!(high - low, 0.0625);
    }
}
