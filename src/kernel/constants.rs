//! Numbers that Rust and WGSL share. Each is declared here, and the prelude of a module declares it in WGSL.

/// Declares constants for Rust, and a list of them for [`wgsl`].
macro_rules! shared {
    ($(#[doc = $list_doc:literal])* $list:ident: $($(#[doc = $doc:literal])* $name:ident: $type:ty = $value:expr;)*) => {
        $($(#[doc = $doc])* pub(crate) const $name: $type = $value;)*

        $(#[doc = $list_doc])*
        pub(crate) const $list: &[Constant] = &[$(Constant {
            name: stringify!($name),
            value: $name as u32,
            docs: &[$($doc),*],
        }),*];
    };
}

/// A constant of WGSL, of the type u32.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Constant {
    name: &'static str,
    value: u32,
    docs: &'static [&'static str],
}

/// Declares constants in WGSL.
pub(crate) fn wgsl(constants: &[Constant]) -> String {
    constants
        .iter()
        .map(|Constant { name, value, docs }| {
            let comments: String = docs.iter().map(|doc| format!("//{doc}\n")).collect();
            format!("{comments}const {name}: u32 = {value}u;\n")
        })
        .collect()
}

/// A constant that depends on the kernel.
pub(crate) const fn of_kernel(name: &'static str, value: u32, docs: &'static [&'static str]) -> Constant {
    Constant { name, value, docs }
}

/// Bytes of a vector: what an invocation writes at once where it can.
pub(crate) const VECTOR_BYTES: u64 = 16;

shared! {
    /// The constants of a fill's kernel.
    FILL:
    /// Rows of the largest batched grid, and parameter blocks that a batched kernel binds.
    MAX_GRID_ROWS: u32 = 64;
    /// Vectors of a constant that an invocation writes in strips.
    STRIP_VECTORS: u32 = 16;
    /// Invocations of a group that writes its strips side by side.
    STRIP_INVOCATIONS: u32 = 128;
}

shared! {
    /// The constants of the kernels of an orthogonal matrix.
    ORTHOGONAL:
    /// Reflections that are applied together.
    PANEL: u64 = 32;
    /// Rows whose products are added one after the other. The sums of chunks are then added in their order.
    CHUNK: u64 = 128;
    /// Partial sums of squares that run side by side in a chunk, and over chunks.
    PARTIALS: u64 = 8;
    /// Rows that an invocation updates.
    UPDATE_ROWS: u64 = 16;
    /// Index in the state at which 2 / |v|^2 of each column begins, after a sum and an error for each partial sum.
    TAU: u64 = 2 * PANEL * PARTIALS;
}

/// Words of the state of an orthogonal matrix's panel.
pub(crate) const STATE_WORDS: u64 = TAU + PANEL;
