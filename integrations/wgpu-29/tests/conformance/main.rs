//! The recorder on a device of wgpu 29, on every adapter that wgpu 29 finds: what it writes is what
//! `seedbed::host` writes, byte for byte, and mistakes are errors before anything is recorded.
//!
//! A trial is called `adapter::check`. lavapipe is used in three variants, which take different kernels. An
//! adapter that the environment variable `SEEDBED_REQUIRE_ADAPTERS` names and that is missing is a failure.
//!
//! The rules of a recorder are the library's, and the library's own tests are many more. These tests are
//! about the calls of wgpu 29.

mod device;
mod mistakes;
mod values;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use device::{Device, Variant, adapters};

type Check = (&'static str, fn(&Device));

const CHECKS: [Check; 15] = [
    ("self_test", values::self_test),
    ("every_initialiser_and_type", values::every_initialiser_and_type),
    ("places", values::places),
    ("lists", values::lists),
    ("stored_programs", values::stored_programs),
    ("small_bindings", values::small_bindings),
    ("beyond_one_binding", values::beyond_one_binding),
    ("prepared", values::prepared),
    ("two_threads", values::two_threads),
    ("mistakes", mistakes::mistakes),
    ("buffers_that_can_not_be_bound", mistakes::buffers_that_can_not_be_bound),
    ("programs_that_do_not_fit", mistakes::programs_that_do_not_fit),
    ("lost_devices", mistakes::lost_devices),
    ("devices_that_can_not_fill", mistakes::devices_that_can_not_fill),
    ("out_of_memory", mistakes::out_of_memory),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // OpenGL's context is used by one thread at a time.
    arguments.test_threads = Some(1);
    let found = adapters();
    let mut trials: Vec<_> = required().into_iter().map(|name| presence(&found, name)).collect();
    if found.is_empty() {
        trials.push(Trial::test("adapter", || Err("wgpu 29 finds no adapter that can compute".into())));
    }
    for (name, adapter) in &found {
        for variant in Variant::of(name, adapter) {
            trials.extend(CHECKS.map(|(check, run)| {
                let (name, adapter) = (variant.name(name), adapter.clone());
                Trial::test(format!("{name}::{check}"), move || {
                    run(&Device::open(&name, &adapter, variant));
                    Ok(())
                })
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The adapters without which the tests fail.
fn required() -> Vec<String> {
    let list = std::env::var("SEEDBED_REQUIRE_ADAPTERS").unwrap_or_default();
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn presence(found: &[(String, wgpu::Adapter)], name: String) -> Trial {
    let is_there = found.iter().any(|(found, _)| *found == name);
    Trial::test(format!("{name}::adapter"), move || {
        if is_there { Ok(()) } else { Err(Failed::from("it is required, and not on this machine")) }
    })
}
