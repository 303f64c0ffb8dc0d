//! The parameter block that a dispatch reads: `Params` of `shaders/params.wgsl`.

use bytemuck::{Pod, Zeroable};

use crate::Key;
use crate::dispatch::Dispatch;
use crate::distribution::Distribution;

/// The uniform block of one dispatch. Fields are documented where they are used, in
/// `shaders/params.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub(crate) struct Params {
    seed: [u32; 2],
    counter: [u32; 2],
    blocks: u32,
    row: u32,
    origin: u32,
    begin: u32,
    end: u32,
    zero: u32,
    value: u32,
    mean: f32,
    std_dev: f32,
    /// WGSL rounds the struct's size up to its alignment of 8.
    padding: u32,
}

impl Params {
    pub(crate) fn new(distribution: Distribution, key: Key, dispatch: &Dispatch) -> Self {
        let halves = |v: u64| [v as u32, (v >> 32) as u32];
        let (value, mean, std_dev) = match distribution {
            Distribution::Constant { bits } => (bits, 0.0, 0.0),
            Distribution::Words => (0, 0.0, 0.0),
            Distribution::Normal { mean, std } => (0, mean, std),
        };
        Self {
            seed: halves(key.seed),
            counter: halves(key.counter(dispatch.first_block)),
            blocks: dispatch.blocks,
            row: dispatch.row(),
            origin: dispatch.origin,
            begin: dispatch.begin,
            end: dispatch.end,
            zero: 0,
            value,
            mean,
            std_dev,
            padding: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;
    use crate::shaders::{Kernel, Source};

    #[test]
    fn layout_is_the_shaders() {
        let module = Source::every(Kernel::NORMAL_VEC4)[0].parse();
        let (_, ty) = module.types.iter().find(|(_, t)| t.name.as_deref() == Some("Params")).unwrap();
        let naga::TypeInner::Struct { members, span } = &ty.inner else { panic!("not a struct") };
        let shader: Vec<_> =
            members.iter().map(|m| (m.name.as_deref().unwrap(), m.offset as usize)).collect();
        macro_rules! offsets {
            ($($field:ident),*) => { vec![$((stringify!($field), offset_of!(Params, $field))),*] };
        }
        let rust = offsets!(seed, counter, blocks, row, origin, begin, end, zero, value, mean, std_dev);
        assert_eq!(shader, rust);
        assert_eq!(*span as usize, size_of::<Params>());
    }
}
