//! The parameter block of a work item.

use super::split::WorkItem;
use crate::init::kernel_args::{Generator, KernelArgs};
use crate::kernel::params::FillParams;
use crate::key::Key;
use crate::math::division::reciprocal;
use crate::math::permutation::Rectangle;
use crate::math::philox::BLOCK;

/// The fields that say where a work item writes, in a binding that begins at element `binding_start` of the buffer.
/// Splitting sees to it that positions and strides fit u32. Only the origin may lie before the binding, and wrap.
pub(super) fn placed(item: &WorkItem, binding_start: u64) -> FillParams {
    let begin = item.position - binding_start;
    let mut params = FillParams::default();
    // The shader counts from the innermost dimension out.
    for (i, dim) in item.dims.iter().rev().enumerate() {
        params.dim_count[i] = dim.count as u32;
        params.src_stride[i] = dim.src_stride as u32;
        params.dst_stride[i] = dim.dst_stride as u32;
        [params.dim_factor[i], params.dim_shift[i]] = reciprocal(dim.count as u32);
    }
    if !item.dims.is_empty() {
        [params.run_factor, params.run_shift] = reciprocal(item.invocations_per_run as u32);
    }
    FillParams {
        invocations: item.invocations as u32,
        origin: (begin as u32).wrapping_sub((item.element % BLOCK) as u32),
        begin: begin as u32,
        end: (begin + item.run) as u32,
        dims: item.dims.len() as u32,
        invocations_per_run: item.invocations_per_run as u32,
        ..params
    }
}

/// The block of a work item. `matrix_start` is the element at the beginning of the bound part of a matrix, for a generator
/// that copies one.
pub(super) fn encode(
    args: &KernelArgs,
    key: Key,
    item: &WorkItem,
    binding_start: u64,
    matrix_start: u64,
) -> FillParams {
    let first_element = item.first_block() * BLOCK;
    let KernelArgs { generator, value, mean, std, low, range, min, max, matrix, identity, zeros, .. } = *args;
    let index = matrix.index_of(first_element);
    let params = FillParams {
        seed: halves(key.seed),
        counter: halves(key.counter(item.first_block())),
        value,
        mean,
        std_dev: std,
        low,
        range,
        min_value: min,
        max_value: max,
        // Rows and columns of a matrix that was checked fit 31 bits.
        rows: matrix.rows as u32,
        columns: matrix.columns as u32,
        first_row: index.row,
        first_column: index.column,
        group: identity.group as u32,
        inputs: identity.inputs as u32,
        field: identity.field as u32,
        centre: identity.centre as u32,
        zeros,
        ..placed(item, binding_start)
    };
    match generator {
        Generator::Sparse => {
            let columns = key.sparse_columns();
            let Rectangle { width, height, .. } = Rectangle::of(matrix.rows as u32);
            FillParams {
                second_seed: halves(columns.seed),
                second_counter: halves(columns.offset),
                width,
                height,
                ..params
            }
        }
        Generator::Copy => FillParams { matrix_origin: (first_element - matrix_start) as u32, ..params },
        _ => params,
    }
}

/// The same block, for a row of a batched grid that so many of the item's invocations come before.
pub(super) fn in_row(params: FillParams, first_invocation: u32) -> FillParams {
    FillParams { first_invocation, ..params }
}

/// The low and the high half of a 64-bit number.
pub(super) fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}
