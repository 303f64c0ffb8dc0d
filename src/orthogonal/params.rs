//! The parameter block that a dispatch reads: `Params` of `shaders/orthogonal_params.wgsl`.

use bytemuck::{Pod, Zeroable};

/// The uniform block of one dispatch. Fields are documented where they are used, in
/// `shaders/orthogonal_params.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub(crate) struct Params {
    pub(super) seed: [u32; 2],
    pub(super) counter: [u32; 2],
    pub(super) column_blocks: u32,
    pub(super) rows: u32,
    pub(super) columns: u32,
    pub(super) start: u32,
    pub(super) width: u32,
    pub(super) first_row: u32,
    pub(super) end_row: u32,
    pub(super) first_chunk: u32,
    pub(super) chunks: u32,
    pub(super) is_first: u32,
    pub(super) is_last: u32,
    pub(super) stride: u32,
    pub(super) first_quad: u32,
    pub(super) quads: u32,
    pub(super) sum_stride: u32,
    pub(super) first_sum: u32,
    pub(super) first_element: u32,
    pub(super) end_element: u32,
    pub(super) is_transposed: u32,
    pub(super) groups: u32,
    pub(super) group_row: u32,
    pub(super) zero: u32,
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;
    use crate::shaders::orthogonal::{Kernel, Source};

    #[test]
    fn layout_is_the_shaders() {
        let module = Source { kernel: Kernel::Normals, int64: false }.parse();
        let (_, ty) = module.types.iter().find(|(_, t)| t.name.as_deref() == Some("Params")).unwrap();
        let naga::TypeInner::Struct { members, span } = &ty.inner else { panic!("not a struct") };
        let shader: Vec<_> =
            members.iter().map(|m| (m.name.as_deref().unwrap(), m.offset as usize)).collect();
        macro_rules! offsets {
            ($($field:ident),*) => { vec![$((stringify!($field), offset_of!(Params, $field))),*] };
        }
        let rust = offsets!(
            seed,
            counter,
            column_blocks,
            rows,
            columns,
            start,
            width,
            first_row,
            end_row,
            first_chunk,
            chunks,
            is_first,
            is_last,
            stride,
            first_quad,
            quads,
            sum_stride,
            first_sum,
            first_element,
            end_element,
            is_transposed,
            groups,
            group_row,
            zero
        );
        assert_eq!(shader, rust);
        assert_eq!(*span as usize, size_of::<Params>());
    }
}
