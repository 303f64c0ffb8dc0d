//! The parameter blocks that kernels read. Each is declared once, here; the prelude of a module declares the same struct
//! in WGSL.

use bytemuck::{Pod, Zeroable};

/// A type that Rust and WGSL share.
trait Shared {
    const WGSL: &'static str;
}

impl Shared for u32 {
    const WGSL: &'static str = "u32";
}

impl Shared for f32 {
    const WGSL: &'static str = "f32";
}

impl Shared for [u32; 2] {
    const WGSL: &'static str = "vec2<u32>";
}

impl Shared for [u32; 4] {
    const WGSL: &'static str = "vec4<u32>";
}

/// Declares a block for Rust, and its text in WGSL, where it is called `Params`.
macro_rules! uniform_block {
    ($(#[doc = $block_doc:literal])* $block:ident { $($(#[doc = $doc:literal])* $field:ident: $type:ty,)* }) => {
        $(#[doc = $block_doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
        pub(crate) struct $block {
            $($(#[doc = $doc])* pub(crate) $field: $type,)*
        }

        impl $block {
            /// The fields and their offsets in bytes.
            #[cfg(test)]
            pub(super) const OFFSETS: &[(&str, usize)] =
                &[$((stringify!($field), std::mem::offset_of!($block, $field))),*];

            /// The same struct in WGSL.
            pub(super) fn wgsl() -> String {
                let mut text = String::from("struct Params {\n");
                $(
                    $(text += concat!("    //", $doc, "\n");)*
                    text += &format!("    {}: {},\n", stringify!($field), <$type as Shared>::WGSL);
                )*
                text + "}\n"
            }
        }
    };
}

/// Strided dimensions of a work item. A region with more becomes several work items.
pub(crate) const MAX_STRIDED_DIMS: usize = 4;

uniform_block! {
    /// The parameters of one work item: a run of elements, or runs within strided dimensions. A kernel reads the fields that
    /// it needs. A position counts elements from the beginning of the binding.
    FillParams {
        /// Philox key: the seed's low and high half.
        seed: [u32; 2],
        /// Philox counter of the first block: low and high half of `offset + block`.
        counter: [u32; 2],
        /// Philox key and counter of a second stream, for the columns' permutations (generator/sparse.wgsl).
        second_seed: [u32; 2],
        second_counter: [u32; 2],
        /// Invocations of the work item that come before this row of a batched grid.
        first_invocation: u32,
        /// Invocations of the work item. A few of them may have nothing to write.
        invocations: u32,
        /// Position of the first block, modulo 2^32: its first elements may lie before the binding.
        origin: u32,
        /// Positions of the first run: begin <= position < end.
        begin: u32,
        end: u32,
        /// Strided dimensions around the runs (addressing/strided.wgsl), and invocations of a run.
        dims: u32,
        invocations_per_run: u32,
        /// 0 at run time, which no compiler can know (math/keep.wgsl).
        zero: u32,
        /// Of each strided dimension, innermost first: its length, and the distance of neighbours in it, in elements of the
        /// logical tensor and of the destination.
        dim_count: [u32; MAX_STRIDED_DIMS],
        src_stride: [u32; MAX_STRIDED_DIMS],
        dst_stride: [u32; MAX_STRIDED_DIMS],
        /// Factor and shift that divide by `dim_count`.
        dim_factor: [u32; MAX_STRIDED_DIMS],
        dim_shift: [u32; MAX_STRIDED_DIMS],
        /// Factor and shift that divide by `invocations_per_run`.
        run_factor: u32,
        run_shift: u32,
        /// Bit pattern of a constant.
        value: u32,
        /// Mean; of a truncated normal distribution the mode.
        mean: f32,
        /// Standard deviation; of a copied matrix the gain.
        std_dev: f32,
        /// Lower bound and width of a uniform distribution.
        low: f32,
        range: f32,
        /// No element is smaller or larger than these.
        min_value: f32,
        max_value: f32,
        /// The matrix: its rows and columns, and the index of the first block.
        rows: u32,
        columns: u32,
        first_row: u32,
        first_column: u32,
        /// Pattern of the ones of an identity (generator/identity.wgsl).
        group: u32,
        inputs: u32,
        field: u32,
        centre: u32,
        /// Zeros in a column, and the rectangle in which its rows are permuted (generator/sparse.wgsl).
        zeros: u32,
        width: u32,
        height: u32,
        /// Index of the first block's elements in the bound part of the matrix (generator/copy.wgsl).
        matrix_origin: u32,
        /// Padding to the alignment of a vec4.
        padding: u32,
        more_padding: [u32; 2],
    }
}

uniform_block! {
    /// The parameters of one dispatch of an orthogonal matrix. A quad is four neighbouring columns.
    OrthogonalParams {
        /// Philox key: the seed's low and high half.
        seed: [u32; 2],
        /// Philox counter of the first block of the panel's first column.
        counter: [u32; 2],
        /// Blocks of one column: the number of rows, divided by four and rounded up.
        column_blocks: u32,
        /// The whole matrix, which has at least as many rows as columns. The result may be its transpose.
        rows: u32,
        columns: u32,
        /// First column of the panel, which is also the first row and column that the panel changes.
        start: u32,
        /// Quads of a row of the panel's Householder vectors.
        width: u32,
        /// Rows of the binding: first_row <= row < end_row.
        first_row: u32,
        end_row: u32,
        /// Chunks of rows that the panel changes in this window.
        first_chunk: u32,
        chunks: u32,
        /// Whether this is the first window of the panel, and the last.
        is_first: u32,
        is_last: u32,
        /// The matrix that is projected or updated: quads of a row, and the quads that are worked on.
        stride: u32,
        first_quad: u32,
        quads: u32,
        /// The sums of that matrix: quads of a row, and the first quad.
        sum_stride: u32,
        first_sum: u32,
        /// Elements of the result that are stored, counted in the whole.
        first_element: u32,
        end_element: u32,
        /// Whether the result is the transpose.
        is_transposed: u32,
        /// Workgroups in all, and in one row of the grid.
        groups: u32,
        group_row: u32,
        /// 0 at run time, which no compiler can know (math/keep.wgsl).
        zero: u32,
    }
}
