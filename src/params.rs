//! The parameter block that a job reads: `Params` of `shaders/params.wgsl`.

use bytemuck::{Pod, Zeroable};

use crate::Key;
use crate::init::kernel_args::KernelArgs;
use crate::jobs::{Job, LEVELS};
use crate::layout::matrix::Matrix;
use crate::math::division::reciprocal;
use crate::math::permutation::Rectangle;
use crate::math::philox::BLOCK;

/// The parameter block of one job. Fields are documented where they are used, in
/// `shaders/params.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub(crate) struct Params {
    seed: [u32; 2],
    counter: [u32; 2],
    second_seed: [u32; 2],
    second_counter: [u32; 2],
    pub(crate) first_store: u32,
    pub(crate) stores: u32,
    pub(crate) origin: u32,
    pub(crate) begin: u32,
    pub(crate) end: u32,
    pub(crate) levels: u32,
    pub(crate) stores_of_run: u32,
    zero: u32,
    pub(crate) level_count: [u32; LEVELS],
    pub(crate) level_stride: [u32; LEVELS],
    pub(crate) level_pitch: [u32; LEVELS],
    pub(crate) level_factor: [u32; LEVELS],
    pub(crate) level_shift: [u32; LEVELS],
    pub(crate) run_factor: u32,
    pub(crate) run_shift: u32,
    value: u32,
    mean: f32,
    std_dev: f32,
    low: f32,
    range: f32,
    least: f32,
    most: f32,
    rows: u32,
    columns: u32,
    first_row: u32,
    first_column: u32,
    group: u32,
    inputs: u32,
    field: u32,
    centre: u32,
    zeros: u32,
    width: u32,
    height: u32,
    source_origin: u32,
    padding: u32,
    more_padding: [u32; 2],
}

impl Params {
    /// Where a job writes, in a binding that begins at an element of the buffer: jobs see to it that positions and
    /// steps fit u32; only the origin may lie before the binding, and wrap.
    pub(crate) fn placed(job: &Job, binding_start: u64) -> Self {
        let begin = job.position - binding_start;
        // The shader counts from the innermost level out.
        let mut params = Self::default();
        for (i, level) in job.levels.iter().rev().enumerate() {
            params.level_count[i] = level.count as u32;
            params.level_stride[i] = level.stride as u32;
            params.level_pitch[i] = level.pitch as u32;
            [params.level_factor[i], params.level_shift[i]] = reciprocal(level.count as u32);
        }
        if !job.levels.is_empty() {
            [params.run_factor, params.run_shift] = reciprocal(job.stores_of_run as u32);
        }
        Self {
            stores: job.stores as u32,
            origin: (begin as u32).wrapping_sub((job.element % BLOCK) as u32),
            begin: begin as u32,
            end: (begin + job.run) as u32,
            levels: job.levels.len() as u32,
            stores_of_run: job.stores_of_run as u32,
            ..params
        }
    }

    /// `source_start` is the element at the beginning of the bound part of a source, if there is one.
    pub(crate) fn new(args: &KernelArgs, key: Key, job: &Job, binding_start: u64, source_start: u64) -> Self {
        let first_element = job.first_block() * BLOCK;
        let common = Self {
            seed: halves(key.seed),
            counter: halves(key.counter(job.first_block())),
            ..Self::placed(job, binding_start)
        };
        match *args {
            KernelArgs::Constant { bits } => Self { value: bits, ..common },
            KernelArgs::Words => common,
            KernelArgs::Uniform { low, range, most } => Self { low, range, most, ..common },
            KernelArgs::Normal { mean, std } => Self { mean, std_dev: std, ..common },
            KernelArgs::TruncNormal { mode, std, least, most, .. } => {
                Self { mean: mode, std_dev: std, least, most, ..common }
            }
            KernelArgs::Identity { matrix, identity } => Self {
                group: identity.group as u32,
                inputs: identity.inputs as u32,
                field: identity.field as u32,
                centre: identity.centre as u32,
                ..common.on_matrix(matrix, first_element)
            },
            KernelArgs::Sparse { matrix, zeros, std } => {
                let columns = key.sparse_columns();
                let Rectangle { width, height, .. } = Rectangle::of(matrix.rows as u32);
                Self {
                    second_seed: halves(columns.seed),
                    second_counter: halves(columns.offset),
                    std_dev: std,
                    zeros,
                    width,
                    height,
                    ..common.on_matrix(matrix, first_element)
                }
            }
            KernelArgs::Orthogonal { gain, .. } => {
                Self { std_dev: gain, source_origin: (first_element - source_start) as u32, ..common }
            }
        }
    }

    /// The same, for one row of a grid of many jobs: so many of the job's invocations come before it.
    pub(crate) fn in_row(self, first_store: u32) -> Self {
        Self { first_store, ..self }
    }

    /// Rows and columns of a matrix that is checked fit 31 bits.
    fn on_matrix(self, matrix: Matrix, first_element: u64) -> Self {
        let place = matrix.place(first_element);
        Self {
            rows: matrix.rows as u32,
            columns: matrix.columns as u32,
            first_row: place.row,
            first_column: place.column,
            ..self
        }
    }
}

fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;
    use crate::shaders::{Kernel, Source};

    #[test]
    fn layout_is_the_shaders() {
        let module = Source::every(Kernel::NORMAL_WHOLE)[0].parse();
        let (_, ty) = module.types.iter().find(|(_, t)| t.name.as_deref() == Some("Params")).unwrap();
        let naga::TypeInner::Struct { members, span } = &ty.inner else { panic!("not a struct") };
        let shader: Vec<_> =
            members.iter().map(|m| (m.name.as_deref().unwrap(), m.offset as usize)).collect();
        macro_rules! offsets {
            ($($field:ident)*) => { vec![$((stringify!($field), offset_of!(Params, $field))),*] };
        }
        let rust = offsets!(
            seed counter second_seed second_counter first_store stores origin begin end levels
            stores_of_run zero level_count level_stride level_pitch level_factor level_shift run_factor run_shift value mean std_dev low range least most
            rows columns first_row first_column group inputs field centre zeros width height source_origin padding
            more_padding
        );
        assert_eq!(shader, rust);
        assert_eq!(*span as usize, size_of::<Params>());
    }
}
