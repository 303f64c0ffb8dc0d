//! One trial per adapter and check, for programs that take `--adapter`. An adapter that is not on this
//! machine says "ignored", unless `SEEDBED_REQUIRE_ADAPTERS` (a list such as `lavapipe,gl,swiftshader`) names
//! it.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// A check of an adapter, which it takes by its name.
pub type Check = (&'static str, fn(&str) -> Result<(), Failed>);

/// The adapters that tests know by name, and how to tell them among those that are present.
type Known = (&'static str, fn(backend: &str, name: &str) -> bool);
const KNOWN: [Known; 3] = [
    ("lavapipe", |backend, name| backend == "vulkan" && name.contains("llvmpipe")),
    ("gl", |backend, _| backend == "gl"),
    ("swiftshader", |_, name| name.contains("SwiftShader")),
];

/// Runs the checks on the adapters that are `present`, each given by its backend and its name.
pub fn run(present: &[(String, String)], checks: &[Check]) -> ExitCode {
    let arguments = Arguments::from_args();
    let required = std::env::var("SEEDBED_REQUIRE_ADAPTERS").unwrap_or_default();
    let required: Vec<_> = required.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();

    let mut trials = Vec::new();
    for (known, matches) in KNOWN {
        match present.iter().find(|(backend, name)| matches(backend, name)) {
            Some((_, name)) => trials.extend(trials_on(known, name, checks)),
            None if required.contains(&known) => trials
                .push(Trial::test(format!("{known}::is_there"), move || {
                    Err(Failed::from(format!("{known} is required, but it is not among the adapters")))
                })),
            None => {
                let missing = trials_on(known, known, checks).into_iter();
                trials.extend(
                    missing.map(|trial| trial.with_kind("not on this machine").with_ignored_flag(true)),
                );
            }
        }
    }
    for unknown in required.iter().filter(|name| KNOWN.iter().all(|(known, _)| known != *name)) {
        let message = format!(
            "SEEDBED_REQUIRE_ADAPTERS names {unknown:?}; the tests know lavapipe, gl and swiftshader"
        );
        trials.push(Trial::test(format!("{unknown}::is_known"), || Err(Failed::from(message))));
    }
    // A GPU that happens to be there.
    for (_, name) in
        present.iter().filter(|(backend, name)| !KNOWN.iter().any(|(_, matches)| matches(backend, name)))
    {
        trials.extend(trials_on(name, name, checks));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials_on(label: &str, adapter: &str, checks: &[Check]) -> Vec<Trial> {
    let trial = |&(test, run): &Check| {
        let adapter = adapter.to_owned();
        Trial::test(format!("{label}::{test}"), move || run(&adapter))
    };
    checks.iter().map(trial).collect()
}
