//! Fills of memory, on the CPU.

use js_sys::Uint8Array;
use seedbed::{DType, Error, Init, Key, Region, host};
use wasm_bindgen::prelude::*;

use crate::tensor::placement;
use crate::thrown;

/// The elements that are computed at once. The module's own memory then stays small, whatever the tensor is.
const CHUNK: u64 = 1 << 20;

/// Fills JavaScript's memory with the elements of a tensor.
#[wasm_bindgen]
pub fn fill(
    destination: &Uint8Array,
    dtype: &str,
    init: &str,
    numbers: &[u64],
    seed: u64,
    offset: u64,
) -> Result<(), JsError> {
    let (key, init) = (Key { seed, offset }, init.parse::<Init>().map_err(thrown)?);
    let dtype = dtype.parse::<DType>().map_err(|error| thrown(error.into()))?;
    let region = placement(dtype, numbers).map_err(thrown)?.region;
    let expected = region.element_count().map_err(thrown)?;
    let actual = u64::from(destination.length()) / dtype.size();
    if expected != actual {
        return Err(thrown(Error::LengthMismatch { expected, actual }));
    }
    let shape = region.shape();
    // Each element of an orthogonal matrix depends on all others; the runs of a shard have gaps between them.
    let first = match (&init, numbers) {
        (Init::Orthogonal { .. }, _) | (_, [_, _, 2, ..]) => None,
        (_, [.., start, _]) if numbers[2] == 1 => Some(*start),
        _ => Some(0),
    };
    let Some(first) = first.filter(|_| expected > 0) else {
        return part(destination, dtype, &region, expected, &init, key);
    };
    for begin in (0..expected).step_by(CHUNK as usize) {
        let count = CHUNK.min(expected - begin);
        let bytes = |elements: u64| (elements * dtype.size()) as u32;
        let chunk = Region::new(shape).elements(first + begin..first + begin + count);
        part(&destination.subarray(bytes(begin), bytes(begin + count)), dtype, &chunk, count, &init, key)?;
    }
    Ok(())
}

/// Fills `destination` with a region of `count` elements at once.
fn part(
    destination: &Uint8Array,
    dtype: DType,
    region: &Region<'_>,
    count: u64,
    init: &Init,
    key: Key,
) -> Result<(), JsError> {
    let bytes = (count * dtype.size()) as usize;
    let mut words: Vec<u32> = Vec::new();
    words.try_reserve_exact(bytes.div_ceil(4)).map_err(|_| {
        JsError::new(&format!("no memory for {bytes} bytes at once; fill the tensor in parts"))
    })?;
    words.resize(bytes.div_ceil(4), 0);
    let memory = &mut bytemuck::cast_slice_mut(&mut words)[..bytes];
    host::fill_bytes(memory, dtype, region.clone(), init, key).map_err(thrown)?;
    destination.copy_from(memory);
    Ok(())
}
