//! The selection: `--adapter` -> an engine.

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

    fn open(&self) -> Result<Engine, seedbed::Error> {
        match GpuEngine::open(self) {
            Ok(engine) => Ok(Engine::Gpu(Box::new(engine))),
            // The library's error has a name that several adapters may share.
            Err(seedbed::Error::RequestDevice { reason, .. }) => {
                Err(seedbed::Error::RequestDevice { adapter: self.name.clone(), reason })
            }
            Err(error) => Err(error),
        }
    }
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

/// Opens the engine that the user asked for. `note` takes a line for the user.
pub fn engine(choice: &AdapterChoice, note: &mut dyn FnMut(String)) -> Result<Engine, Failure> {
    match choice {
        AdapterChoice::Host => Ok(Engine::Host),
        AdapterChoice::Named(name) => named(name)?.open().map_err(Failure::run),
        AdapterChoice::Auto => Ok(auto(note)),
    }
}

/// The first GPU that opens, or the host. The host is preferred to a software adapter: both compute on the
/// same CPU, and the host needs no driver.
fn auto(note: &mut dyn FnMut(String)) -> Engine {
    let adapters = all();
    let mut unusable = 0;
    for adapter in adapters.iter().filter(|adapter| !adapter.is_software()) {
        match adapter.open() {
            Ok(engine) => return engine,
            Err(error) => {
                unusable += 1;
                note(format!("note: {error}"));
            }
        }
    }
    let why = match (unusable, adapters.len()) {
        (0, 0) => "there is no adapter",
        (0, _) => "there are only software adapters",
        _ => "no GPU could be opened",
    };
    note(format!("note: {why}; computing on the host (the bits are the same)"));
    Engine::Host
}
