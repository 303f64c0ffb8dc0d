//! The golden programs: what each of them fills.

use seedbed::DType::{self, BF16, F16, F32};
use seedbed::Init;

use crate::cases::{Case, elements, every_initialiser, fill, overlaps, shard, words};
use crate::format::Fill;

/// All golden programs.
pub fn all() -> Vec<Case> {
    let one = |name: &str, what: &str, dtype: DType, text: &str| {
        Case::one(name, what, fill("weight", dtype, [96, 80], text))
    };
    vec![
        one("constant", "A constant.", F32, "constant(0.1)"),
        Case::one(
            "zeros",
            "Zeros, which a clear writes: the program has no dispatch.",
            Fill { offset: 256, ..fill("weight", F32, [160, 120], "zeros") },
        ),
        one("uniform", "A uniform distribution.", F32, "uniform(-0.3,0.7)"),
        one("normal", "A normal distribution.", F32, "normal(0.25,0.02)"),
        one("normal_f16", "Elements of two bytes.", F16, "normal(0.25,0.02)"),
        Case::one(
            "odd_offset",
            "Elements of two bytes from byte 2 on: the first and the last share a word with bytes that stay.",
            Fill { offset: 2, ..fill("weight", BF16, [81, 64], "normal(0,1)") },
        ),
        one("log_normal", "A log-normal distribution.", F32, "log_normal(-0.5,0.75)"),
        one(
            "trunc_normal",
            "A truncated normal distribution, by a table of quantiles.",
            F32,
            "trunc_normal(0,1,-2,2)",
        ),
        one("eye", "The identity matrix.", F32, "eye"),
        Case::one(
            "dirac",
            "The identity of a grouped convolution.",
            fill("weight", F32, [12, 5, 3, 3], "dirac(groups=3)"),
        ),
        one("sparse", "A sparse matrix.", F32, "sparse(0.9,std=0.1)"),
        Case::packed(
            "orthogonal",
            "Orthogonal matrices: many dispatches, each of which needs the result of the one before, and scratch \
             buffers that begin as zeros.",
            1,
            1,
            vec![
                fill("tall", F32, [70, 33], "orthogonal"),
                fill("wide", F16, [24, 36], "orthogonal(gain=-2)"),
                fill("square", BF16, [40, 40], "orthogonal"),
            ],
        ),
        Case::one(
            "shard",
            "A shard of a larger tensor: 37 rows and 45 columns, strided in the tensor.",
            Fill { region: shard([100, 30], [37, 45]), ..fill("weight", F32, [1024, 768], "xavier_normal") },
        ),
        Case::one(
            "row_pitch",
            "Rows of 66 bytes that are 128 bytes apart: the bytes between rows stay.",
            Fill { offset: 130, row_pitch: Some(128), ..fill("weight", F16, [40, 33], "kaiming_uniform") },
        ),
        Case::one(
            "beyond_block_2_32",
            "A range of elements around the first one of block 2^32: the high half of a block's number counts.",
            Fill {
                region: elements((1 << 34) - 4001, (1 << 34) + 5002),
                ..fill("weight", F32, [1 << 20, 1 << 16], "normal(0,1)")
            },
        ),
        forty_tensors(),
        overlaps(),
        Case::one("words", "The raw words of a stream, around the end of its counter.", words(2000)),
        initialisers("initialisers_f16", F16),
        initialisers("initialisers_bf16", BF16),
    ]
}

/// Every initialiser but orthogonal, whose kernels take some drivers minutes to compile.
fn initialisers(name: &str, dtype: DType) -> Case {
    let mut fills = every_initialiser(dtype, [&[24, 36], &[12, 6, 3, 3]]);
    fills.retain(|fill| !matches!(fill.init, Some(Init::Orthogonal { .. })));
    let what = format!("Every initialiser but orthogonal, in one list, in {dtype}.");
    Case::packed(name, &what, 1, 1, fills)
}

/// Forty small tensors of three kinds, which share dispatches.
fn forty_tensors() -> Case {
    let kinds = ["normal(0,0.02)", "ones", "uniform(-0.1,0.1)"];
    let fills = (0..40_u64).map(|number| {
        let dtype = if kinds[number as usize % 3] == "ones" { BF16 } else { F32 };
        let shape = [3 + number, 5 + 3 * (number % 7)];
        fill(&format!("layers.{number}.weight"), dtype, shape, kinds[number as usize % 3])
    });
    Case::packed(
        "forty_tensors",
        "Forty small tensors in two buffers, which share dispatches: each dispatch binds many parameter blocks.",
        2,
        1,
        fills.collect(),
    )
}
