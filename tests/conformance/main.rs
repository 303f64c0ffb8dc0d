//! The numeric contract, checked on every engine that this machine has.
//!
//! A trial is called `engine::kind::check`. Engines are the host and each adapter, some
//! of them in several variants (`engines.rs`); the kinds of check are kept apart, because passing means something else in each:
//!
//! | kind | passing means |
//! |---|---|
//! | `exact` | these bits are those that the contract prescribes |
//! | `memory` | a fill writes its own bytes, all of them and no others, wherever they lie |
//! | `windows` | the limits of a device do not change a bit |
//! | `bounded` | the values are as close to the exact real numbers as the contract promises |
//! | `statistical` | a fixed stream does not look unlike its distribution, at a stated level |
//! | `errors` | a mistake is named, records nothing, and leaves everything usable |
//!
//! What the checks compare with is written from the papers and the contract alone
//! (`reference.rs`); the library's own host engine is one of the engines under test. Where a check
//! compares an adapter with the host, another one has compared the host with the reference.
//!
//! A trial of an adapter that this machine lacks is listed as ignored, with the reason. The
//! environment variable `SEEDBED_REQUIRE_ADAPTERS` (such as `lavapipe,gl,swiftshader`) turns a
//! missing adapter into a failure.

mod harness {
    pub mod destinations;
    pub mod engines;
    pub mod random;
}

mod values {
    pub mod bounded;
    pub mod exact;
    pub mod golden;
    pub mod halves;
    pub mod identities;
    pub mod initialiser_statistics;
    pub mod initialisers;
    pub mod orthogonal;
    pub mod scales;
    pub mod sparse;
    pub mod statistical;
    pub mod torch;
    pub mod truncated;
    pub mod uniform;
}

mod placement {
    pub mod fill_all;
    pub mod halves_memory;
    pub mod memory;
    pub mod shards;
    pub mod windows;
}

mod errors {
    pub mod fills;
    pub mod initialisers;
}

mod reference;

use std::process::ExitCode;

use harness::engines::{self, Device, Engine, Slot};
use libtest_mimic::{Arguments, Trial};

/// One check. It panics where something is wrong, and the trial fails with that message.
struct Check {
    name: &'static str,
    on: On,
}

/// What a check runs on.
enum On {
    /// The host alone: it is about keys, the reference or the host's own functions.
    Host(fn()),
    /// The host and every adapter.
    Engine(fn(&Engine)),
    /// Every adapter: it is about buffers and command encoders.
    Device(fn(&Device)),
    /// Every adapter that can make a buffer of so many bytes.
    DeviceWithBuffer(u64, fn(&Device)),
}

impl Check {
    const fn host(name: &'static str, check: fn()) -> Self {
        Self { name, on: On::Host(check) }
    }

    const fn engine(name: &'static str, check: fn(&Engine)) -> Self {
        Self { name, on: On::Engine(check) }
    }

    const fn device(name: &'static str, check: fn(&Device)) -> Self {
        Self { name, on: On::Device(check) }
    }

    const fn device_with_buffer(name: &'static str, bytes: u64, check: fn(&Device)) -> Self {
        Self { name, on: On::DeviceWithBuffer(bytes, check) }
    }

    fn on_host(&self) -> Option<Trial> {
        let run: Box<dyn FnOnce() + Send> = match self.on {
            On::Host(check) => Box::new(check),
            On::Engine(check) => Box::new(move || check(&Engine::Host)),
            On::Device(_) | On::DeviceWithBuffer(..) => return None,
        };
        Some(trial(format!("host::{}", self.name), run))
    }

    fn on_slot(&self, slot: &Slot) -> Option<Trial> {
        let name = format!("{}::{}", slot.name, self.name);
        let adapter = match &slot.adapter {
            Ok(adapter) => adapter.clone(),
            Err(reason) => return self.is_for_devices().then(|| ignored(name, reason.clone())),
        };
        Some(match self.on {
            On::Host(_) => return None,
            On::Engine(check) => trial(name, move || adapter.with_engine(check)),
            On::Device(check) => trial(name, move || adapter.with_device(check)),
            On::DeviceWithBuffer(bytes, check) => match adapter.largest_buffer() {
                largest if largest < bytes => {
                    ignored(name, format!("its buffers have at most {largest} bytes"))
                }
                _ => trial(name, move || adapter.with_device(check)),
            },
        })
    }

    fn is_for_devices(&self) -> bool {
        !matches!(self.on, On::Host(_))
    }
}

fn trial(name: String, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, || {
        run();
        Ok(())
    })
}

fn failed(name: String, message: String) -> Trial {
    Trial::test(name, || Err(message.into()))
}

/// The reason stands in brackets before the name. Run all the same (`--include-ignored`), it fails.
fn ignored(name: String, reason: String) -> Trial {
    failed(name, reason.clone()).with_kind(reason).with_ignored_flag(true)
}

/// A trial per known adapter that says whether it is there, and one per name that nobody knows.
fn presence(slots: &[Slot], required: &[String]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for slot in slots {
        let name = format!("{}::adapter", slot.name);
        trials.push(match slot.adapter.clone() {
            Ok(adapter) => trial(name, move || {
                adapter.with_device(|device| println!("{}", device.description()));
            }),
            Err(reason) if required.contains(&slot.adapter_name) => {
                failed(name, format!("{reason}, and {} requires it", engines::REQUIRE))
            }
            Err(reason) => ignored(name, reason),
        });
    }
    for name in required {
        if !slots.iter().any(|slot| slot.adapter_name == *name) {
            let message =
                format!("{} names {name:?}; there are {}", engines::REQUIRE, engines::KNOWN.join(", "));
            trials.push(failed(format!("{name}::adapter"), message));
        }
    }
    trials
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let slots = engines::discover();
    let checks: Vec<&Check> = [
        values::bounded::CHECKS,
        values::exact::CHECKS,
        values::uniform::CHECKS,
        values::scales::CHECKS,
        values::identities::CHECKS,
        values::sparse::CHECKS,
        values::truncated::CHECKS,
        values::orthogonal::CHECKS,
        values::halves::CHECKS,
        values::initialisers::CHECKS,
        values::torch::CHECKS,
        values::golden::CHECKS,
        placement::memory::CHECKS,
        placement::halves_memory::CHECKS,
        placement::shards::CHECKS,
        placement::fill_all::CHECKS,
        placement::windows::CHECKS,
        values::statistical::CHECKS,
        values::initialiser_statistics::CHECKS,
        errors::fills::CHECKS,
        errors::initialisers::CHECKS,
        reference::CHECKS,
    ]
    .into_iter()
    .flatten()
    .collect();

    let mut trials = presence(&slots, &engines::required());
    trials.extend(checks.iter().filter_map(|check| check.on_host()));
    for slot in &slots {
        trials.extend(checks.iter().filter_map(|check| check.on_slot(slot)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
