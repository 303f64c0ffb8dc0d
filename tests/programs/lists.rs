//! The golden lists of fills: what each of them fills.

use seedbed::DType::{self, BF16, F16, F32};

use crate::cases::{Case, SEED, elements, every_initialiser, fill, overlaps, shard};
use crate::format::{Decimal, Fill, KeyText};

/// All golden lists.
pub fn all() -> Vec<Case> {
    let mut lists = Vec::new();
    for dtype in [F32, F16, BF16] {
        for mut fill in every_initialiser(dtype, [&[128, 200], &[24, 16, 5, 5]]) {
            let name = fill.name.replace("weight".into()).expect("the initialiser's name");
            let what = format!("The initialiser {name}, in {dtype}.");
            lists.push(Case::one(&format!("{name} {dtype}"), &what, fill));
        }
    }
    lists.extend(places());
    lists.extend(streams());
    lists.extend([transformer(), buffers(), overlaps(), empty(), large()]);
    lists
}

/// Parts of tensors, and places in a buffer.
fn places() -> Vec<Case> {
    let weight = |dtype: DType, shape: &[u64], text: &str| fill("weight", dtype, shape, text);
    vec![
        Case::one(
            "shard f32",
            "A shard of a larger matrix: the fans are those of the whole tensor.",
            Fill { region: shard([100, 30], [37, 45]), ..weight(F32, &[1024, 768], "xavier_normal") },
        ),
        Case::one(
            "shard bf16",
            "A shard that cuts three dimensions.",
            Fill {
                region: shard([3, 7, 11], [20, 9, 33]),
                ..weight(BF16, &[40, 50, 60], "kaiming_normal(mode=fan_out)")
            },
        ),
        Case::one(
            "shard sparse f16",
            "A shard of a sparse matrix: the zeros of a column are chosen in the whole column.",
            Fill { region: shard([17, 5], [60, 40]), ..weight(F16, &[128, 96], "sparse(0.5)") },
        ),
        Case::one(
            "shard orthogonal f32",
            "A shard of an orthogonal matrix, which is computed whole.",
            Fill { region: shard([10, 20], [30, 25]), ..weight(F32, &[64, 48], "orthogonal") },
        ),
        Case::one(
            "range f16",
            "A range of elements that begins and ends in the middle of a block.",
            Fill { offset: 6, region: elements(5, 30_003), ..weight(F16, &[200, 160], "normal") },
        ),
        Case::one(
            "row pitch f32",
            "Rows that are 256 bytes apart, as textures have them: the bytes between rows stay.",
            Fill { row_pitch: Some(256), ..weight(F32, &[50, 33], "uniform") },
        ),
        Case::one(
            "row pitch f16",
            "Rows of an odd number of elements, apart by an odd number of elements.",
            Fill { offset: 2, row_pitch: Some(70), ..weight(F16, &[64, 33], "normal") },
        ),
        Case::one(
            "shard with row pitch bf16",
            "A shard whose rows are apart.",
            Fill {
                offset: 514,
                region: shard([1, 3], [40, 61]),
                row_pitch: Some(256),
                ..weight(BF16, &[60, 90], "xavier_uniform")
            },
        ),
        Case::one(
            "offset f32",
            "Elements of four bytes from byte 4 on.",
            Fill { offset: 4, ..weight(F32, &[97, 101], "normal") },
        ),
        Case::one(
            "odd offset f16",
            "Elements of two bytes from byte 6 on: the first and the last share a word with bytes that stay.",
            Fill { offset: 6, ..weight(F16, &[100, 100], "uniform") },
        ),
        Case::one(
            "odd offset bf16",
            "Elements of two bytes from byte 2 on: the first shares a word with bytes that stay.",
            Fill { offset: 2, ..weight(BF16, &[99, 101], "normal") },
        ),
        Case::placed(
            "neighbours bf16",
            "Two tensors of two-byte elements that share a word.",
            vec![
                weight(BF16, &[101, 3], "normal"),
                Fill { offset: 606, ..fill("bias", BF16, [101], "uniform") },
            ],
        ),
    ]
}

/// Streams: keys, and elements far from the beginning.
fn streams() -> Vec<Case> {
    // Block 2^32 begins at element 2^34.
    let far = |dtype: DType, text: &str| Fill {
        region: elements((1 << 34) - 4001, (1 << 34) + 5002),
        ..fill("weight", dtype, [1 << 20, 1 << 16], text)
    };
    let what =
        "A range of elements around the first one of block 2^32: the high half of a block's number counts.";
    vec![
        Case::one("block 2^32 f32", what, far(F32, "normal")),
        Case::one("block 2^32 bf16", what, far(BF16, "uniform")),
        Case::one(
            "shard beyond block 2^32 f16",
            "A shard whose rows lie on both sides of block 2^32.",
            Fill {
                region: shard([(1 << 18) - 3, 9], [6, 130]),
                ..fill("weight", F16, [1 << 20, 1 << 16], "xavier_normal")
            },
        ),
        Case::one(
            "element 2^53 f32",
            "A range of elements around number 2^53, from which on JavaScript's numbers are not exact.",
            Fill {
                region: elements((1 << 53) - 1001, (1 << 53) + 1002),
                ..fill("weight", F32, [1 << 30, 1 << 29], "uniform")
            },
        ),
        Case {
            seed: u64::MAX,
            ..Case::one("largest seed", "A seed of 64 bits.", fill("weight", F32, [60, 50], "normal"))
        },
        Case::one(
            "own key",
            "A fill without a name, whose key's counter wraps from 2^64 - 1 to 0.",
            Fill {
                name: None,
                key: Some(KeyText { seed: Decimal(SEED), offset: Decimal(u64::MAX - 99) }),
                ..fill("", F32, [40, 50], "normal")
            },
        ),
        Case::placed(
            "names",
            "Names whose UTF-8 bytes are hashed: an empty one, and some beyond ASCII.",
            ["", "décodeur.poids", "重み", "🌱"]
                .into_iter()
                .zip(0..)
                .map(|(name, number)| Fill { offset: 400 * number, ..fill(name, F32, [10, 10], "normal") })
                .collect(),
        ),
    ]
}

/// The tensors of two layers of a transformer, without gaps, in three types.
fn transformer() -> Case {
    let layer = |layer: u32| {
        let weights: [(&str, DType, &[u64], &str); 12] = [
            ("ln_1.weight", F32, &[64], "ones"),
            ("ln_1.bias", F32, &[64], "zeros"),
            ("attn.qkv.weight", BF16, &[192, 64], "normal(0,0.02)"),
            ("attn.qkv.bias", BF16, &[192], "zeros"),
            ("attn.proj.weight", BF16, &[64, 64], "orthogonal"),
            ("attn.proj.bias", BF16, &[65], "uniform(-0.125,0.125)"),
            ("ln_2.weight", F32, &[64], "ones"),
            ("ln_2.bias", F32, &[64], "zeros"),
            ("mlp.up.weight", F16, &[256, 64], "xavier_uniform"),
            ("mlp.up.bias", F16, &[255], "trunc_normal(std=0.02)"),
            ("mlp.down.weight", F16, &[64, 256], "kaiming_normal"),
            ("mlp.down.bias", F16, &[64], "constant(0.5)"),
        ];
        weights.map(|(name, dtype, shape, text)| fill(&format!("h.{layer}.{name}"), dtype, shape, text))
    };
    Case::packed(
        "transformer",
        "Two layers of a transformer in one buffer, without gaps: 24 tensors of three types.",
        1,
        0,
        [layer(0), layer(1)].concat(),
    )
}

/// Tensors in three buffers. The zeros are long enough to be cleared.
fn buffers() -> Case {
    let kinds = ["normal(0,0.02)", "zeros", "uniform(-0.1,0.1)", "ones"];
    let fills = (0..20_u64).map(|number| {
        let dtype = [F32, BF16, F16][number as usize % 3];
        let shape = if number == 9 { [200, 300] } else { [3 + number, 5 + 3 * (number % 7)] };
        fill(&format!("layers.{number}.weight"), dtype, shape, kinds[number as usize % 4])
    });
    Case::packed("three buffers", "Twenty tensors in three buffers, in turns.", 3, 1, fills.collect())
}

/// A scalar, and a tensor without elements.
fn empty() -> Case {
    Case::packed(
        "scalar and empty",
        "A scalar, which has no dimension and one element, and a tensor without elements.",
        1,
        1,
        vec![
            fill("scale", F32, [], "normal"),
            fill("empty", F32, [0, 7], "uniform"),
            fill("one", F16, [1], "ones"),
        ],
    )
}

/// 300 MiB: more than one binding holds, by WebGPU's default limits.
fn large() -> Case {
    let shape = [300, 512, 512];
    Case {
        large: true,
        ..Case::one("300 MiB", "One tensor of 300 MiB.", fill("weight", F32, shape, "uniform(-1,1)"))
    }
}
