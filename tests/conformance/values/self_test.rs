//! The self-test passes on every adapter, and names what is wrong with kernels that were altered.

use std::sync::atomic::{AtomicBool, Ordering};

use pollster::block_on;
use seedbed::self_test::{Direction, Extent, Hint, Outcome, SelfTest};

use crate::Check;
use crate::harness::engines::Device;

pub const CHECKS: &[Check] = &[
    Check::device("exact::self_test", passes),
    Check::device("exact::self_test_of_altered_kernels", altered_kernels_are_named),
    Check::device("exact::short_self_test_of_altered_kernels", short_test_finds_altered_kernels),
    Check::device("errors::self_test_of_broken_kernels", broken_kernels_are_failures),
];

fn passes(device: &Device) {
    for extent in [Extent::Short, Extent::Full] {
        let report =
            block_on(device.recorder.self_test(&device.gpu.queue, extent)).expect("a device that works");
        assert!(report.passed(), "{report}");
        let is_run = |outcome: &Outcome| *outcome == Outcome::Passed;
        assert!(report.checks.iter().all(|check| is_run(&check.outcome)), "{report:?}");
    }
}

/// A change of kernels, and what the self-test has to say.
struct Alteration {
    name: &'static str,
    /// Texts, and what takes their place. At least one occurs.
    texts: &'static [(&'static str, &'static str)],
    /// The beginnings of the names of the checks that run.
    only: &'static [&'static str],
    /// The check that finds a difference.
    check: &'static str,
    hint: Hint,
}

/// The exact error of a sum: `sum + miss` is the exact sum (Knuth's TwoSum).
const SUM: &str = "
    let product = keep4(u * params.range);
    let low = vec4<f32>(params.low);
    let sum = keep4(product + low);
    let other = keep4(sum - product);
    let miss = keep4(keep4(product - keep4(sum - other)) + keep4(low - other));";

const UNIFORM: &str = "let x = keep4(keep4(u * params.range) + params.low);";

/// The checks that hints are drawn from.
const CAUSES: [&str; 2] = ["raw words", "f32 "];

fn alterations() -> Vec<Alteration> {
    // A sum that is rounded towards zero: the last unit is taken away where the sum is too large.
    let truncated = concat_leaked(&[
        SUM,
        "
    let is_too_large = (miss != vec4<f32>(0.0)) & ((miss < vec4<f32>(0.0)) != (sum < vec4<f32>(0.0)));
    let unit = select(vec4<u32>(0u), vec4<u32>(1u), is_too_large);
    let x = bitcast<vec4<f32>>(bitcast<vec4<u32>>(sum) - unit);",
    ]);
    // A product and a sum that are rounded once: the errors of both (Dekker's product) are added.
    let fused = concat_leaked(&[
        SUM,
        "
    let range = vec4<f32>(params.range);
    let wide_u = keep4(u * 4097.0);
    let high_u = keep4(wide_u - keep4(wide_u - u));
    let low_u = keep4(u - high_u);
    let wide_r = keep4(range * 4097.0);
    let high_r = keep4(wide_r - keep4(wide_r - range));
    let low_r = keep4(range - high_r);
    var error = keep4(keep4(high_u * high_r) - product);
    error = keep4(error + keep4(high_u * low_r));
    error = keep4(error + keep4(low_u * high_r));
    error = keep4(error + keep4(low_u * low_r));
    let x = keep4(sum + keep4(miss + error));",
    ]);
    vec![
        Alteration {
            name: "sums are truncated",
            texts: leaked(vec![(UNIFORM, truncated)]),
            only: &["uniform("],
            check: "f32 sums",
            hint: Hint::RoundingDirection(Direction::TowardZero),
        },
        Alteration {
            name: "products and sums are fused",
            texts: leaked(vec![(UNIFORM, fused)]),
            only: &["uniform("],
            check: "f32 products and sums",
            hint: Hint::FusedOrReordered,
        },
        Alteration {
            name: "a constant is one unit off",
            texts: &[("0.500008166", "0.500008225")],
            only: &["normals of every"],
            check: "normals of every upper half of a word",
            hint: Hint::FusedOrReordered,
        },
        Alteration {
            name: "f16 is truncated",
            texts: &[("(magnitude + odd - vec4<u32>(0x37FFF001u))", "(magnitude - vec4<u32>(0x38000000u))")],
            only: &["normal("],
            check: "normal(mean=0.5,std=0.02)",
            hint: Hint::RoundingDirection(Direction::TowardZero),
        },
        Alteration {
            name: "subnormals are flushed",
            texts: &[("select(subnormal, normal,", "select(vec4<u32>(0u), normal,")],
            only: &["subnormal"],
            check: "subnormal f16 elements",
            hint: Hint::FlushedSubnormals,
        },
        Alteration {
            name: "the counter's carry is lost",
            texts: &[("params.counter.y + u32(low < block)", "params.counter.y")],
            only: &["normal: any"],
            check: "raw words past block 2^32",
            hint: Hint::IntegerPath,
        },
        Alteration {
            name: "a product's high word lacks a carry",
            texts: &[("(middle >> 16u) + (other >> 16u)", "(middle >> 16u)"), ("(p0 >> 32u)", "(p0 >> 33u)")],
            only: &["normal("],
            check: "normal(mean=0.5,std=0.02)",
            hint: Hint::IntegerPath,
        },
        Alteration {
            name: "one word too many is written",
            texts: &[(
                "if at >= begin && at < end {\n        destination[at]",
                "if at >= begin && at <= end {\n        destination[at]",
            )],
            only: &[],
            check: "raw words, in one list",
            hint: Hint::OutOfRangeWrite,
        },
        Alteration {
            name: "one half too many is written",
            texts: &[("&& at + 1u < end;", "&& at + 1u <= end;")],
            only: &["normal: any place, in one list"],
            check: "normal: any place, in one list",
            hint: Hint::OutOfRangeWrite,
        },
        Alteration {
            name: "the first word is not written",
            texts: &[(
                "if at >= begin && at < end {\n        destination[at]",
                "if at > begin && at < end {\n        destination[at]",
            )],
            only: &[],
            check: "raw words",
            hint: Hint::NotWritten,
        },
    ]
}

fn concat_leaked(parts: &[&str]) -> &'static str {
    parts.concat().leak()
}

fn leaked(texts: Vec<(&'static str, &'static str)>) -> &'static [(&'static str, &'static str)] {
    texts.leak()
}

fn altered(device: &Device, extent: Extent, only: &[&str], texts: &[(&str, &str)]) -> SelfTest {
    let is_altered = AtomicBool::new(false);
    let alter = |wgsl: &mut String| {
        for (text, other) in texts.iter().filter(|(text, _)| wgsl.contains(text)).collect::<Vec<_>>() {
            *wgsl = wgsl.replace(text, other);
            is_altered.store(true, Ordering::Relaxed);
        }
    };
    let recorder = device.fresh_recorder();
    let only = |name: &str| only.iter().any(|beginning| name.starts_with(beginning));
    let report = block_on(recorder.self_test_of_altered_kernels(&device.gpu.queue, extent, &only, &alter));
    assert!(is_altered.into_inner(), "no kernel has {texts:?}");
    report.expect("a device that works")
}

fn altered_kernels_are_named(device: &Device) {
    for Alteration { name, texts, only, check, hint } in alterations() {
        let report = altered(device, Extent::Full, &[only, &CAUSES[..]].concat(), texts);
        assert!(!report.passed(), "{name}: {report}");
        let difference = report.differences().find(|(of, _)| *of == check);
        let (_, difference) = difference.unwrap_or_else(|| panic!("{name}: {check} passed: {report}"));
        assert_eq!(difference.hint, hint, "{name}: {difference}");
        assert_ne!(difference.expected, difference.found);
    }
}

fn short_test_finds_altered_kernels(device: &Device) {
    let names = |texts: &[(&str, &str)]| {
        let report = altered(device, Extent::Short, &[""], texts);
        report.differences().map(|(name, difference)| (name.to_owned(), difference.hint)).collect::<Vec<_>>()
    };
    let failed = names(&[("0x9E3779B9", "0x9E3779B8")]);
    let both = ["normals", "raw words"].map(|name| (name.to_owned(), Hint::IntegerPath));
    assert_eq!(failed, both);
    let failed = names(&[("0.500008166", "0.500008225")]);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].0, "normals");
    // One carry in 2^32 blocks.
    assert_eq!(names(&[("params.counter.y + u32(low < block)", "params.counter.y")]), both);
}

/// A kernel that does not compile is a failure of its checks, and of no others.
fn broken_kernels_are_failures(device: &Device) {
    let report = altered(device, Extent::Short, &[""], &[("fn half_radius(", "fn half_radius)")]);
    assert!(!report.passed());
    let [normals, words] = &report.checks[..] else { panic!("{report:?}") };
    assert_eq!(words.outcome, Outcome::Passed);
    assert!(matches!(normals.outcome, Outcome::Failed(_)), "{report:?}");
    assert!(report.to_string().contains("does not compile"), "{report}");
    let report = block_on(device.recorder.self_test(&device.gpu.queue, Extent::Short)).expect("a device");
    assert!(report.passed(), "{report}");
}
