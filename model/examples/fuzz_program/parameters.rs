//! Parameters of models, some of whose shapes are odd.

use rand::RngExt;
use rand::rngs::SmallRng;
use seedbed_model::{Dtype, Parameter};

use crate::corpus::Corpus;

/// A few parameters.
pub fn parameters(corpus: &Corpus, random: &mut SmallRng) -> Vec<Parameter> {
    if random.random_bool(0.2) {
        return corpus.special.clone();
    }
    let count = random.random_range(1..7);
    let mut parameters: Vec<Parameter> = Vec::new();
    for _ in 0..count {
        let name = element(random, &corpus.names).clone();
        if parameters.iter().all(|other| other.name != name) {
            parameters.push(Parameter { name, shape: shape(random), dtype: dtype(random) });
        }
    }
    parameters
}

fn shape(random: &mut SmallRng) -> Vec<u64> {
    let usual: [&[u64]; 10] =
        [&[1], &[8], &[64], &[4, 6], &[8, 8], &[48, 16], &[2, 3, 4], &[4, 2, 3, 3], &[16, 1, 3], &[1, 12]];
    let odd: [&[u64]; 22] = [
        &[],
        &[0],
        &[0, 5],
        &[5, 0],
        &[0, 0],
        &[1, 1, 1, 1, 1, 1],
        &[2, 1, 2, 1, 2, 1],
        &[1 << 32, 1 << 31],
        &[1 << 60],
        &[1 << 59],
        &[1 << 30, 1 << 29],
        &[0, 1 << 40, 1 << 40],
        &[1 << 40, 0, 1 << 40],
        &[1 << 40, 1 << 40, 0],
        &[1 << 63],
        &[u64::MAX],
        &[65536, 0],
        &[300, 2],
        &[1 << 20, 2, 2],
        &[3, 1 << 20, 2],
        &[1 << 40, 1 << 40, 1 << 40, 0, 3],
        &[1 << 33],
    ];
    match random.random_range(0..100) {
        0..70 => element(random, &usual).to_vec(),
        70..99 => element(random, &odd).to_vec(),
        _ => vec![65536, 1],
    }
}

fn dtype(random: &mut SmallRng) -> Dtype {
    use Dtype::{BF16, BOOL, C64, F4, F6_E2M3, F8_E4M3, F16, F32, F64, I64, U8, U64};
    match random.random_bool(0.7) {
        true => *element(random, &[F32, F32, F16, BF16]),
        false => *element(random, &[F64, I64, U8, BOOL, F8_E4M3, F4, F6_E2M3, C64, U64]),
    }
}

fn element<'a, T>(random: &mut SmallRng, list: &'a [T]) -> &'a T {
    &list[random.random_range(0..list.len())]
}
