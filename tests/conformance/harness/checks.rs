//! Checks, and the trials that each check becomes: one trial per engine.

use libtest_mimic::Trial;

use super::engines::{self, Device, Engine, Slot};

/// A check panics where something is wrong, and its trial fails with the message of the panic.
pub struct Check {
    name: &'static str,
    on: On,
}

/// The engines that a check runs on.
enum On {
    /// The host alone. Such a check is about keys, the reference or the host's own functions.
    Host(fn()),
    /// The host and every adapter.
    Engine(fn(&Engine)),
    /// Every adapter. Such a check is about buffers and command encoders.
    Device(fn(&Device)),
    /// Every adapter that can make a buffer of this number of bytes.
    DeviceWithBuffer(u64, fn(&Device)),
}

impl Check {
    pub const fn host(name: &'static str, check: fn()) -> Self {
        Self { name, on: On::Host(check) }
    }

    pub const fn engine(name: &'static str, check: fn(&Engine)) -> Self {
        Self { name, on: On::Engine(check) }
    }

    pub const fn device(name: &'static str, check: fn(&Device)) -> Self {
        Self { name, on: On::Device(check) }
    }

    pub const fn device_with_buffer(name: &'static str, bytes: u64, check: fn(&Device)) -> Self {
        Self { name, on: On::DeviceWithBuffer(bytes, check) }
    }

    /// The check's trial on the host, if the check is for the host.
    pub fn on_host(&self) -> Option<Trial> {
        let run: Box<dyn FnOnce() + Send> = match self.on {
            On::Host(check) => Box::new(check),
            On::Engine(check) => Box::new(move || check(&Engine::Host)),
            On::Device(_) | On::DeviceWithBuffer(..) => return None,
        };
        Some(trial(format!("host::{}", self.name), run))
    }

    /// The check's trial on an adapter, if the check is for adapters.
    pub fn on_slot(&self, slot: &Slot) -> Option<Trial> {
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

/// A trial that is ignored, with the reason in brackets before its name. With `--include-ignored` the trial
/// fails.
fn ignored(name: String, reason: String) -> Trial {
    failed(name, reason.clone()).with_kind(reason).with_ignored_flag(true)
}

/// A trial per slot that says whether its adapter is there, and a trial that fails for each required name
/// that is not known.
pub fn presence(slots: &[Slot], required: &[String]) -> Vec<Trial> {
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
