//! Cases: what the golden programs and the golden lists fill.

use seedbed::{DType, Init};

use crate::format::{Decimal, Fill, Index, KeyText, Part};

pub const SEED: u64 = 42;

/// Bytes behind the last fill of a buffer, which no fill may change.
const MARGIN: u64 = 48;

/// Fills of some buffers.
pub struct Case {
    pub name: String,
    /// What an executor or a planner that fails here gets wrong, in a sentence.
    pub what: String,
    pub seed: u64,
    pub large: bool,
    /// The sizes of the buffers in bytes.
    pub buffers: Vec<u64>,
    pub fills: Vec<Fill>,
}

impl Case {
    /// A case of one buffer, in which the fills have their places.
    pub fn placed(name: &str, what: &str, fills: Vec<Fill>) -> Self {
        let end = fills.iter().map(end).max().unwrap_or(0);
        let buffers = vec![end.next_multiple_of(4) + MARGIN];
        Self { name: name.into(), what: what.into(), seed: SEED, large: false, buffers, fills }
    }

    /// A case of one fill.
    pub fn one(name: &str, what: &str, fill: Fill) -> Self {
        Self::placed(name, what, vec![fill])
    }

    /// A case of `buffers` buffers, into which the fills go in turns. Fills of a buffer follow each other, each
    /// behind a gap of at least `gap` elements. A fill's offset has no other alignment than that of its type.
    pub fn packed(name: &str, what: &str, buffers: u32, gap: u64, mut fills: Vec<Fill>) -> Self {
        let mut ends = vec![0; buffers as usize];
        for (number, fill) in (0..).zip(&mut fills) {
            fill.buffer = number % buffers;
            let end_of_buffer: &mut u64 = &mut ends[fill.buffer as usize];
            fill.offset = end_of_buffer.next_multiple_of(fill.dtype.size()) + gap * fill.dtype.size();
            *end_of_buffer = end(fill);
        }
        let buffers = ends.into_iter().map(|end| end.next_multiple_of(4) + MARGIN).collect();
        Self { buffers, ..Self::placed(name, what, fills) }
    }
}

/// The end of a fill, in bytes of its buffer.
fn end(fill: &Fill) -> u64 {
    fill.placement().bytes(u64::MAX).expect("a placement that is right").end
}

pub fn init(text: &str) -> Init {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A fill of a whole tensor from the beginning of buffer 0 on.
pub fn fill(name: &str, dtype: DType, shape: impl Into<Vec<u64>>, text: &str) -> Fill {
    Fill {
        buffer: 0,
        offset: 0,
        shape: shape.into(),
        dtype,
        init: Some(init(text)),
        name: Some(name.into()),
        key: None,
        region: None,
        row_pitch: None,
    }
}

/// Raw words, whose stream begins 200 blocks before the counter wraps from 2^64 - 1 to 0.
pub fn words(elements: u64) -> Fill {
    let key = KeyText { seed: Decimal(0x5EED_BED0_5EED_BED0), offset: Decimal(u64::MAX - 199) };
    Fill { init: None, name: None, key: Some(key), ..fill("", DType::U32, [elements], "zeros") }
}

pub fn shard(start: impl Into<Vec<u64>>, shape: impl Into<Vec<u64>>) -> Option<Part> {
    Some(Part::Shard { start: start.into(), shape: shape.into() })
}

pub fn elements(start: u64, end: u64) -> Option<Part> {
    let index = |index| if index < 1 << 53 { Index::Number(index) } else { Index::Text(Decimal(index)) };
    Some(Part::Elements { elements: [index(start), index(end)] })
}

/// Fills that overwrite each other in part: the last one wins.
pub fn overlaps() -> Case {
    let at = |offset: u64, name: &str, dtype, elements: u64, text: &str| Fill {
        offset,
        ..fill(name, dtype, [elements], text)
    };
    Case::placed(
        "overlaps",
        "Fills that overwrite each other in part: fills take effect in their order.",
        vec![
            fill("first", DType::F32, [50, 40], "normal(0,1)"),
            at(400, "second", DType::F32, 300, "ones"),
            at(1000, "third", DType::BF16, 777, "uniform(-1,1)"),
            at(1402, "fourth", DType::BF16, 11, "constant(-2)"),
            at(40, "fifth", DType::F32, 100, "zeros"),
        ],
    )
}

/// A fill for each initialiser of the library, with the initialiser's name. The shape is the first of `shapes`
/// that the initialiser takes.
pub fn every_initialiser(dtype: DType, shapes: [&[u64]; 2]) -> Vec<Fill> {
    let planner = crate::planner();
    let fills = Init::signatures().map(|signature| {
        let init = init(signature.example);
        let shape = shapes.into_iter().find(|&shape| planner.check(&init, dtype, shape).is_ok());
        let shape = shape.unwrap_or_else(|| panic!("no shape for {}", signature.example));
        let name = signature.to_string();
        let name = name.split('(').next().expect("a name");
        fill(name, dtype, shape, signature.example)
    });
    fills.collect()
}
