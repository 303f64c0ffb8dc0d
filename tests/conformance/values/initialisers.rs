//! Every initialiser with every element type: parts equal wholes, and engines equal each other.

use seedbed::half::{bf16, f16};
use seedbed::{Init, Key, Region, host};

use crate::Check;
use crate::harness::assertions::assert_same_elements;
use crate::harness::cases::{Case, every_initialiser};
use crate::harness::engines::{Device, Engine};
use crate::reference::half::ALL;

pub const CHECKS: &[Check] = &[
    Check::engine("exact::parts_of_every_initialiser", parts),
    Check::device("exact::every_initialiser_at_length", at_length),
    Check::host("exact::typed_slices", typed_slices),
    Check::host("exact::no_initialiser_is_left_out", no_initialiser_is_left_out),
];

const KEY: Key = Key { seed: 0xA110_F7E3, offset: (1 << 32) - 40_000 };

/// A part of a tensor holds the elements of the whole, wherever the part begins and ends.
fn parts(engine: &Engine) {
    for Case { init, shape, .. } in every_initialiser([97, 101]) {
        let len: u64 = shape.iter().product();
        for dtype in ALL {
            let whole = engine.fill_bytes(dtype, &shape[..], &init, KEY);
            for (start, end) in
                [(0, 1), (1, 2), (2, len), (3, 4), (5, 1000), (4095, 8192), (len - 1, len), (7, 7)]
            {
                let region = Region::from(&shape[..]).elements(start..end);
                let part = engine.fill_bytes(dtype, region, &init, KEY);
                let expected = &whole[(start * dtype.size()) as usize..(end * dtype.size()) as usize];
                assert_same_elements(dtype, &part, expected, (&init, dtype, start, end));
            }
        }
    }
}

/// An adapter writes the host's bits with every initialiser, over more than 2^20 elements that begin and end
/// within a block.
fn at_length(device: &Device) {
    for Case { init, shape, .. } in every_initialiser([1031, 1021]) {
        let len: u64 = shape.iter().product();
        assert!(len > (1 << 20) + 100);
        for (dtype, start) in ALL.into_iter().zip([3, 5, 1]) {
            let region = Region::from(&shape[..]).elements(start..len - 2);
            let actual = device.fill_bytes(dtype, region.clone(), &init, KEY);
            let expected = Engine::Host.fill_bytes(dtype, region, &init, KEY);
            if actual != expected {
                assert_same_elements(dtype, &actual, &expected, (&init, dtype));
            }
        }
    }
}

/// The lists of these checks have every initialiser of PyTorch that the library's table has, and both frameworks with
/// variance scaling. `orthogonal` has checks of its own.
fn no_initialiser_is_left_out() {
    let cases = every_initialiser([6, 9]).into_iter().map(|case| case.init);
    let names: Vec<String> = cases
        .chain([Init::orthogonal()])
        .map(|init| init.to_string().split('(').next().expect("a name").to_owned())
        .collect();
    for signature in Init::signatures() {
        let listed = match signature.framework {
            None => names.iter().any(|name| name == signature.name),
            Some(framework) => names.iter().any(|name| name.starts_with(&format!("{}::", framework.name()))),
        };
        assert!(listed, "{signature} is in no list of the checks");
    }
}

/// The host fills typed slices as it fills bytes.
fn typed_slices() {
    for Case { init, shape, .. } in every_initialiser([31, 37]) {
        let len = shape.iter().product::<u64>() as usize;
        let mut singles = vec![7.0_f32; len];
        let mut halves = vec![f16::NAN; len];
        let mut brains = vec![bf16::NAN; len];
        host::fill(&mut singles, &shape[..], &init, KEY).expect("a fill that is right");
        host::fill(&mut halves, &shape[..], &init, KEY).expect("a fill that is right");
        host::fill(&mut brains, &shape[..], &init, KEY).expect("a fill that is right");
        let bytes: [&[u8]; 3] =
            [bytemuck::cast_slice(&singles), bytemuck::cast_slice(&halves), bytemuck::cast_slice(&brains)];
        for (dtype, bytes) in ALL.into_iter().zip(bytes) {
            let expected = Engine::Host.fill_bytes(dtype, &shape[..], &init, KEY);
            assert_same_elements(dtype, bytes, &expected, (&init, dtype));
        }
    }
}
