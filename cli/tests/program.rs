//! `seedbed program`: what it prints, and that it is what the library plans.

mod common;

use common::{run, succeed, text};
use seedbed::program::{Content, Destination, Device, FillSpec, Placement, Planner, Program};
use seedbed::{DType, Init, Key, Math};

const NORMAL: &str = "xavier_normal(gain=1)";

#[test]
fn a_kernel_has_marks_bindings_and_workgroups() {
    let printed = succeed(&[&"program", &NORMAL, &"--shape", &"768,3072"]);
    for expected in [
        "// xavier_normal(gain=1), shape [768, 3072], f32",
        "for any WebGPU device: Gpu, without 64-bit integers",
        "==== kernel 0: seedbed::normal_f32_vectorized",
        "entry point fill, workgroups of 256",
        "bindings: uniform of 240 bytes, storage",
        "2304 x 1",
        "0[0..9437184]",
        "// ---- shaders/math/box_muller.wgsl",
        "// ---- shaders/entry/guarded.wgsl",
    ] {
        assert!(printed.contains(expected), "{expected} is not in:\n{printed}");
    }
    // Everything but the kernel is a comment.
    naga::front::wgsl::parse_str(&printed).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&printed)));
}

#[test]
fn one_kernel_of_many() {
    let all = succeed(&[&"program", &"orthogonal", &"--shape", &"96,64"]);
    assert!(all.contains("==== kernel 1: seedbed::orthogonal_reflect"), "{all}");
    let one = succeed(&[&"program", &"orthogonal", &"--shape", &"96,64", &"--kernel", &"1"]);
    assert!(
        one.contains("shaders/orthogonal/reflect.wgsl") && !one.contains("shaders/orthogonal/update.wgsl")
    );
    naga::front::wgsl::parse_str(&one).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&one)));
}

#[test]
fn json_is_the_program_of_the_library() {
    let json = succeed(&[
        &"program",
        &"trunc_normal(std=0.02)",
        &"--shape",
        &"100,7",
        &"--dtype",
        &"bf16",
        &"--seed",
        &"0x2a",
        &"--json",
    ]);
    let printed: Program = serde_json::from_str(&json).unwrap();
    let init: Init = "trunc_normal(std=0.02)".parse().unwrap();
    let planned = Planner::new(Device::webgpu(), Math::Portable)
        .plan(&[FillSpec {
            name: None,
            destination: Destination { buffer: 0, size: 1400, can_clear: true },
            placement: &Placement::new(DType::BF16, [100, 7]),
            content: Content::Init(&init),
            key: Key::new(42),
        }])
        .unwrap();
    assert_eq!(printed, planned);
    printed.validate(&[1400]).unwrap();
}

#[test]
fn mistakes_are_named() {
    for (arguments, message) in [
        (&[NORMAL, "--shape", "768"][..], "Fan in and fan out can not be computed"),
        (&[NORMAL, "--shape", "4294967296,4294967296"], "more than 2^60 elements"),
        (&[NORMAL, "--shape", "2,2", "--kernel", "3"], "--kernel 3: the program has 1 kernels"),
        (&[NORMAL, "--shape", "2,2", "--limits", "no such adapter"], "no adapter matches"),
        (&[NORMAL, "--shape", "2,2", "--limits", ""], "give webgpu"),
    ] {
        let mut all: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"program"];
        all.extend(arguments.iter().map(|argument| argument as &dyn AsRef<std::ffi::OsStr>));
        let output = run(&all);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(message) && output.stdout.is_empty(), "{error}");
    }
}
