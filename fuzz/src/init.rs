//! Initialisers in their textual form.

use std::sync::OnceLock;

use seedbed::host;
use seedbed::program::{Content, Destination, Device, FillSpec, Placement, Planner};
use seedbed::{DType, Init, Key, Math};

use super::{accepted, choose, one_line, sections};

/// The most elements that are made.
const MAX_MADE: u64 = 256;

/// Reads an initialiser. The sections are the text and a shape such as `4,6`. What is printed reads the same. What resolves has
/// finite moments, unless the text names infinity or NaN, and is the same fill. The planner accepts what the host does.
pub fn run(input: &[u8]) {
    let mut sections = sections(input);
    let Ok(text) = str::from_utf8(sections.next().unwrap_or_default()) else { return };
    let Some(init) = accepted(text.parse::<Init>()) else { return };
    check_text(init);
    let shape = sections.next().and_then(|text| {
        str::from_utf8(text)
            .ok()?
            .split(',')
            .map(|size| size.trim().parse().ok())
            .collect::<Option<Vec<u64>>>()
    });
    let usual: &[u64] = choose(text.as_bytes(), &[&[4, 6], &[5], &[3, 2, 2, 2], &[], &[4, 6]]);
    let dtype = choose(input, &[DType::F32, DType::F16, DType::BF16]);
    check_fill(init, shape.as_deref().unwrap_or(usual), dtype);
}

/// Prints the initialiser and reads it, as text and as JSON.
fn check_text(init: Init) {
    let printed = init.to_string();
    let again: Init = printed.parse().unwrap_or_else(|error| panic!("{printed}: {error}"));
    // NaN is not equal to itself.
    assert_eq!(format!("{again:?}"), format!("{init:?}"), "{printed}");
    assert_eq!(again.to_string(), printed);
    let json = serde_json::to_string(&init).expect("a text");
    let read: Init = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
    assert_eq!(read.to_string(), printed);
}

fn check_fill(init: Init, shape: &[u64], dtype: DType) {
    let resolved = accepted(init.resolve(shape));
    let (mean, std) = (accepted(init.mean(shape)), accepted(init.std(shape)));
    assert_eq!(resolved.is_some(), mean.is_some(), "{init} {shape:?}");
    assert_eq!(resolved.is_some(), std.is_some(), "{init} {shape:?}");
    // A matrix can be too large for the memory.
    if !matches!(init, Init::Orthogonal { .. }) {
        let checked = accepted(host::check(&init, DType::F32, shape));
        assert_eq!(resolved.is_some(), checked.is_some(), "{init} {shape:?}");
    }
    let is_finite = !matches!(init, Init::Constant { value } if !value.is_finite());
    if let (Some(mean), Some(std), true) = (mean, std, is_finite) {
        assert!(mean.is_finite() && std.is_finite() && std >= 0.0, "{init} {shape:?}: {mean} {std}");
    }
    let elements = shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size));
    let checked = accepted(host::check(&init, dtype, shape)).is_some();
    let Some(elements) = elements.filter(|&elements| elements <= MAX_MADE) else { return };
    // All elements of a shape of few elements can be planned.
    let planned = accepted(planner().check(&init, dtype, shape)).is_some();
    assert_eq!(planned, checked, "{init} {shape:?} {dtype}");
    let bytes = fill(init, dtype, shape, elements);
    assert_eq!(bytes.is_some(), checked, "{init} {shape:?} {dtype}");
    let Some(bytes) = bytes else { return };
    if is_finite {
        let mut elements = bytes.chunks(dtype.size() as usize);
        assert!(elements.all(|element| is_number(element, dtype)), "{init} {shape:?} {dtype}");
    }
    if let Some(resolved) = resolved {
        check_text(resolved);
        assert_eq!(fill(resolved, dtype, shape, elements), Some(bytes), "{init} is not {resolved}");
    }
    plan(init, dtype, shape, elements * dtype.size());
}

/// The bytes of a tensor. `None`: an error.
fn fill(init: Init, dtype: DType, shape: &[u64], elements: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0xA5; (elements * dtype.size()) as usize];
    accepted(host::fill_bytes(&mut bytes, dtype, shape, &init, Key::new(7))).map(|()| bytes)
}

/// Whether the bits of an element are those of a finite number.
fn is_number(element: &[u8], dtype: DType) -> bool {
    match (dtype, element) {
        (DType::F16, &[a, b]) => seedbed::half::f16::from_ne_bytes([a, b]).is_finite(),
        (DType::BF16, &[a, b]) => seedbed::half::bf16::from_ne_bytes([a, b]).is_finite(),
        (DType::F32, &[a, b, c, d]) => f32::from_ne_bytes([a, b, c, d]).is_finite(),
        _ => false,
    }
}

/// Plans a fill that the host can make. The program is valid.
fn plan(init: Init, dtype: DType, shape: &[u64], bytes: u64) {
    let size = bytes.next_multiple_of(4) + 8;
    let spec = FillSpec {
        name: Some("w"),
        destination: Destination { buffer: 0, size, can_clear: true },
        placement: &Placement::new(dtype, shape),
        content: Content::Init(&init),
        key: Key::new(7),
    };
    let program = planner().plan(&[spec]).unwrap_or_else(|error| panic!("{init} {shape:?} {dtype}: {error}"));
    program
        .validate(&vec![size; program.destinations as usize])
        .unwrap_or_else(|error| panic!("{init}: {error}"));
    program.buffers.iter().for_each(|buffer| one_line(&buffer.label));
}

fn planner() -> &'static Planner {
    static PLANNER: OnceLock<Planner> = OnceLock::new();
    PLANNER.get_or_init(|| Planner::new(Device::webgpu(), Math::Portable))
}
