//! The numeric contract, checked on every engine that this machine has.
//!
//! Checks stand in folders by what they test:
//!
//! | folder | its files hold | kinds |
//! |---|---|---|
//! | `harness/` | no checks: engines, trials, assertions, and cases that several checks use | |
//! | `reference/` | the contract in its plainest form, and checks of the reference itself | `reference` |
//! | `values/` | checks of the values that a fill writes | `exact`, `bounded`, `statistical` |
//! | `placement/` | checks of where a fill writes, and of small limits of a device | `memory`, `windows` |
//! | `errors/` | checks of what a mistake does | `errors` |
//!
//! A trial is called `engine::kind::check`. Engines are the host and each adapter; some adapters are used in
//! several variants (`harness/engines.rs`). Passing means something else for each kind:
//!
//! | kind | passing means |
//! |---|---|
//! | `exact` | the bits are those that the contract prescribes |
//! | `bounded` | the values are as close to the exact real numbers as the contract promises |
//! | `statistical` | a fixed stream differs from its distribution no more than by chance, at a stated level |
//! | `memory` | a fill writes all of its own bytes and no others, at any offset |
//! | `windows` | the limits of a device do not change a bit |
//! | `errors` | a mistake is named, records nothing, and leaves everything usable |
//! | `reference` | the reference meets values that others have published or computed |
//!
//! The reference is written from the papers and the contract alone. The library's host engine is one of the
//! engines under test: if one check compares an adapter with the host, another check compares the host with
//! the reference.
//!
//! A trial of an adapter that this machine lacks is listed as ignored, with the reason. The environment
//! variable `SEEDBED_REQUIRE_ADAPTERS` (such as `lavapipe,gl,swiftshader`) turns a missing adapter into a
//! failure.

#![expect(clippy::single_range_in_vec_init, reason = "a list of one range")]

mod harness {
    pub mod assertions;
    pub mod cases;
    pub mod checks;
    pub mod destinations;
    pub mod engines;
    pub mod random;
    pub mod ranges;
    pub mod shards;
    pub mod statistics;
}

mod reference;

mod values {
    pub mod bounded;
    pub mod exact;
    pub mod golden;
    #[cfg(feature = "serde")]
    pub mod golden_files;
    pub mod halves;
    pub mod identities;
    pub mod initialiser_statistics;
    pub mod initialisers;
    pub mod log_normal;
    pub mod orthogonal;
    pub mod ranges;
    pub mod scales;
    pub mod self_test;
    pub mod shards;
    pub mod sparse;
    pub mod statistical;
    pub mod torch;
    pub mod truncated;
    pub mod uniform;
}

mod placement {
    pub mod fill_all;
    pub mod memory;
    pub mod program;
    pub mod ranges;
    pub mod recipes;
    pub mod sequences;
    pub mod shards;
    pub mod windows;
}

mod errors {
    pub mod devices;
    pub mod fill_all;
    pub mod fills;
    pub mod handles;
    pub mod initialisers;
}

use std::process::ExitCode;

use libtest_mimic::Arguments;

use harness::checks::{Check, presence};
use harness::engines;

const CHECKS: &[&[Check]] = &[
    reference::CHECKS,
    values::bounded::CHECKS,
    values::exact::CHECKS,
    values::golden::CHECKS,
    #[cfg(feature = "serde")]
    values::golden_files::CHECKS,
    values::halves::CHECKS,
    values::identities::CHECKS,
    values::initialiser_statistics::CHECKS,
    values::initialisers::CHECKS,
    values::log_normal::CHECKS,
    values::orthogonal::CHECKS,
    values::ranges::CHECKS,
    values::scales::CHECKS,
    values::self_test::CHECKS,
    values::shards::CHECKS,
    values::sparse::CHECKS,
    values::statistical::CHECKS,
    values::torch::CHECKS,
    values::truncated::CHECKS,
    values::uniform::CHECKS,
    placement::fill_all::CHECKS,
    placement::memory::CHECKS,
    placement::program::CHECKS,
    placement::ranges::CHECKS,
    placement::recipes::CHECKS,
    placement::sequences::CHECKS,
    placement::shards::CHECKS,
    placement::windows::CHECKS,
    errors::devices::CHECKS,
    errors::fill_all::CHECKS,
    errors::fills::CHECKS,
    errors::handles::CHECKS,
    errors::initialisers::CHECKS,
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let slots = engines::discover();
    let checks: Vec<&Check> = CHECKS.iter().copied().flatten().collect();
    let mut trials = presence(&slots, &engines::required());
    trials.extend(checks.iter().filter_map(|check| check.on_host()));
    for slot in &slots {
        trials.extend(checks.iter().filter_map(|check| check.on_slot(slot)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
