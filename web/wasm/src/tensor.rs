//! A tensor as JavaScript describes it.

use seedbed::program::Placement;
use seedbed::{DType, Error, Region};

/// Reads a placement from the numbers that `numbers` of `web/src/tensor.ts` writes: the byte offset; the row
/// pitch, 2^64 - 1 for none; the kind of the part, 0 for none, 1 for a range of elements, 2 for a shard; the number of
/// dimensions; the shape; and the part's numbers. A shard's numbers are those of its start, then its shape.
pub(crate) fn placement(dtype: DType, numbers: &[u64]) -> Result<Placement<'static>, Error> {
    let malformed = || Error::Program { reason: "a tensor has too few numbers".to_owned() };
    let [offset, pitch, part, rank, ref rest @ ..] = *numbers else { return Err(malformed()) };
    let (shape, rest) = rest.split_at_checked(rank as usize).ok_or_else(malformed)?;
    let region = Region::new(shape.to_vec());
    let region = match (part, rest) {
        (0, _) => region,
        (1, &[start, end]) => region.elements(start..end),
        (2, [ranks, rest @ ..]) => {
            let (start, local) = rest.split_at_checked(*ranks as usize).ok_or_else(malformed)?;
            region.shard(start, local)
        }
        _ => return Err(malformed()),
    };
    let row_pitch = (pitch != u64::MAX).then_some(pitch);
    Ok(Placement { offset, row_pitch, ..Placement::new(dtype, region) })
}
