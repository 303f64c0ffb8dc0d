//! The selection: `--adapter` -> an engine.

use std::fmt::Display;

use anyhow::{Result, ensure};
use seedbed::self_test::Extent;
use seedbed::{gpu, wgpu};

use crate::engine::{Engine, GpuEngine};
use crate::failure::Failure;
use crate::values::AdapterChoice;

/// The instance of wgpu with all adapters, unless the environment (`WGPU_BACKEND`) leaves some out.
fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env())
}

/// An adapter, and its name for `--adapter`.
pub struct Named {
    /// The name.
    pub name: String,
    /// The adapter.
    pub adapter: wgpu::Adapter,
}

impl Named {
    fn of((name, adapter): (String, wgpu::Adapter)) -> Self {
        Self { name, adapter }
    }

    /// Whether the adapter computes on the CPU.
    pub fn is_software(&self) -> bool {
        gpu::is_software(&self.adapter.get_info())
    }

    /// Opens the adapter.
    pub fn open(&self) -> Result<GpuEngine, seedbed::Error> {
        GpuEngine::open(self).map_err(|error| match error {
            // The library's error has a name that several adapters may share.
            seedbed::Error::RequestDevice { reason, .. } => {
                seedbed::Error::RequestDevice { adapter: self.name.clone(), reason }
            }
            error => error,
        })
    }

    /// The engine of this adapter. With `is_tested` the adapter first has to write what the host writes.
    fn trusted(&self, engine: GpuEngine, is_tested: bool) -> Result<Engine> {
        if is_tested {
            // Where the device can run no fill, `Engine::check` says so.
            if let Ok(report) = engine.self_test(Extent::Short) {
                trust(&self.name, report.passed(), &report)?;
            }
        }
        Ok(Engine::Gpu(Box::new(engine)))
    }
}

/// The error about an adapter that did not pass, with the report in words.
fn trust(name: &str, passed: bool, report: &dyn Display) -> Result<()> {
    ensure!(passed, "the self-test of {name} failed: {report}; `seedbed selftest` says more");
    Ok(())
}

/// All adapters, real GPUs first.
pub fn all() -> Vec<Named> {
    pollster::block_on(gpu::named_adapters(&instance())).into_iter().map(Named::of).collect()
}

/// The adapter that `--adapter NAME` means.
pub fn named(name: &str) -> Result<Named, Failure> {
    pollster::block_on(gpu::pick_named(&instance(), Some(name)))
        .map(Named::of)
        .map_err(|error| Failure::input(anyhow::Error::from(error).context(format!("--adapter {name}"))))
}

/// Opens the engine that the user asked for. With `is_tested` an adapter first has to pass the short self-test; the host
/// takes the place of one that does not. `local_rank` is that of one of several processes, which take turns at the
/// adapters that fit. `note` takes a line for the user.
pub fn engine(
    choice: &AdapterChoice,
    local_rank: Option<u64>,
    is_tested: bool,
    note: &mut dyn FnMut(String),
) -> Result<Engine, Failure> {
    match choice {
        AdapterChoice::Host => Ok(Engine::Host),
        AdapterChoice::Named(name) => {
            let adapter = match local_rank {
                Some(rank) => in_turn(name, rank)?,
                None => named(name)?,
            };
            let engine = adapter.open().map_err(Failure::run)?;
            Ok(engine_or_host(adapter.trusted(engine, is_tested), note))
        }
        AdapterChoice::Auto => Ok(auto(local_rank.unwrap_or(0), is_tested, note)),
    }
}

/// The engine, or the host and a warning where the engine can't be trusted.
fn engine_or_host(engine: Result<Engine>, note: &mut dyn FnMut(String)) -> Engine {
    engine.unwrap_or_else(|error| {
        note(format!("warning: {error:#}"));
        note("note: computing on the host (the bits are the same)".into());
        Engine::Host
    })
}

/// The first GPU that opens and passes, or the host. The host is preferred to a software adapter: both compute on the
/// same CPU, and the host needs no driver. `turn` says with which of the GPUs the search begins.
fn auto(turn: u64, is_tested: bool, note: &mut dyn FnMut(String)) -> Engine {
    let adapters = all();
    let gpus: Vec<_> = adapters.iter().filter(|adapter| !adapter.is_software()).collect();
    let backends: Vec<_> = gpus.iter().map(|gpu| gpu.adapter.get_info().backend).collect();
    let order = beginning_at(&backends, turn);
    let opened = order.into_iter().map(|index| gpus[index]);
    let opened = opened.map(|adapter| adapter.trusted(adapter.open()?, is_tested));
    match first(opened, note) {
        Ok(engine) => engine,
        Err(unusable) => {
            let why = match (unusable, adapters.len()) {
                (0, 0) => "there is no adapter",
                (0, _) => "there are only software adapters",
                _ => "no GPU can be used",
            };
            note(format!("note: {why}; computing on the host (the bits are the same)"));
            Engine::Host
        }
    }
}

/// The order in which a process tries adapters, given by their backends: those of the first backend, beginning with the
/// process's own, then the others. A GPU may have an adapter of each backend.
fn beginning_at<B: PartialEq>(backends: &[B], turn: u64) -> Vec<usize> {
    let is_first = |index: &usize| backends[*index] == backends[0];
    let (mut order, others): (Vec<_>, Vec<_>) = (0..backends.len()).partition(is_first);
    if !order.is_empty() {
        let turn = turn % order.len() as u64;
        order.rotate_left(turn as usize);
    }
    order.extend(others);
    order
}

/// The adapter for one of several processes: number `turn` of those that `--adapter NAME` could mean, in turns.
fn in_turn(name: &str, turn: u64) -> Result<Named, Failure> {
    let mut adapters = all();
    let infos: Vec<_> = adapters.iter().map(|adapter| adapter.adapter.get_info()).collect();
    let names: Vec<_> =
        adapters.iter().zip(&infos).map(|(adapter, info)| [adapter.name.clone(), gpu::name(info)]).collect();
    let fits = fitting(&names, name);
    let backends: Vec<_> = fits.iter().map(|&index| infos[index].backend).collect();
    match beginning_at(&backends, turn).first() {
        Some(&first) => Ok(adapters.swap_remove(fits[first])),
        // This error lists the adapters that exist.
        None => named(name),
    }
}

/// The adapters that a name means, given by their own names and by those that others may share: the one of this name, or
/// else those of this name, or else those whose names contain it.
fn fitting(names: &[[String; 2]], wanted: &str) -> Vec<usize> {
    let wanted = wanted.to_lowercase();
    let lower: Vec<_> = names.iter().map(|both| both.each_ref().map(|name| name.to_lowercase())).collect();
    let by = |fits: fn(&[String; 2], &str) -> bool| -> Vec<usize> {
        (0..lower.len()).filter(|&index| fits(&lower[index], &wanted)).collect()
    };
    let kinds = [
        by(|[own, _], wanted| own == wanted),
        by(|[_, shared], wanted| shared == wanted),
        by(|[own, _], wanted| own.contains(wanted)),
    ];
    kinds.into_iter().find(|fits| !fits.is_empty()).unwrap_or_default()
}

/// The first engine that can be used, or the number of those that can't. The user is told why not.
fn first<T>(engines: impl Iterator<Item = Result<T>>, note: &mut dyn FnMut(String)) -> Result<T, usize> {
    let mut unusable = 0;
    for engine in engines {
        match engine {
            Ok(engine) => return Ok(engine),
            Err(error) => {
                unusable += 1;
                note(format!("warning: {error:#}"));
            }
        }
    }
    Err(unusable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_that_fails_its_self_test_is_passed_over() {
        let mut notes = Vec::new();
        let engines = [("a", false), ("b", true), ("c", true)]
            .map(|(name, passed)| trust(name, passed, &"1 of 2 checks failed").map(|()| name));
        let found = first(engines.into_iter(), &mut |note| notes.push(note));
        assert_eq!(found, Ok("b"));
        assert_eq!(
            notes,
            ["warning: the self-test of a failed: 1 of 2 checks failed; `seedbed selftest` says more"]
        );
        let none = [trust("a", false, &""), trust("b", false, &"")];
        assert_eq!(first(none.into_iter(), &mut |_| ()), Err(2));
    }

    #[test]
    fn processes_take_turns_at_the_adapters() {
        for (backends, turn, order) in [
            (&[][..], 3, &[][..]),
            (&["vulkan"], 5, &[0]),
            (&["vulkan", "vulkan", "gl"], 0, &[0, 1, 2]),
            (&["vulkan", "vulkan", "gl"], 1, &[1, 0, 2]),
            (&["vulkan", "vulkan", "gl"], 2, &[0, 1, 2]),
            (&["vulkan", "gl", "vulkan", "vulkan"], 7, &[2, 3, 0, 1]),
        ] {
            assert_eq!(beginning_at(backends, turn), order, "{backends:?} {turn}");
        }
        let names =
            ["a", "b"].map(|bus| [format!("vulkan/NVIDIA H100 {bus}"), "vulkan/NVIDIA H100".to_owned()]);
        let names = [&names[..], &[["vulkan/llvmpipe".to_owned(), "vulkan/llvmpipe".to_owned()]]].concat();
        for (wanted, fits) in [
            ("vulkan/nvidia h100 b", &[1][..]),
            ("vulkan/NVIDIA H100", &[0, 1]),
            ("h100", &[0, 1]),
            ("vulkan", &[0, 1, 2]),
            ("metal", &[]),
        ] {
            assert_eq!(fitting(&names, wanted), fits, "{wanted}");
        }
    }

    #[test]
    fn the_host_takes_the_place_of_a_named_adapter_that_fails() {
        let mut notes = Vec::new();
        let failed = trust("a", false, &"1 of 1 check failed").unwrap_err();
        assert!(matches!(engine_or_host(Err(failed), &mut |note| notes.push(note)), Engine::Host));
        assert_eq!(
            notes,
            [
                "warning: the self-test of a failed: 1 of 1 check failed; `seedbed selftest` says more",
                "note: computing on the host (the bits are the same)",
            ]
        );
    }
}
