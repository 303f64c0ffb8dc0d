//! `--adapter` -> an engine.

use seedbed::{gpu, wgpu};

use crate::args::AdapterChoice;
use crate::engine::{Engine, GpuEngine};
use crate::failure::Failure;

/// All adapters, unless the environment (`WGPU_BACKEND`) narrows them down. Real GPUs come first.
pub fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env())
}

/// Opens what was asked for. `note` takes a line for the user.
pub fn engine(choice: &AdapterChoice, note: &mut dyn FnMut(String)) -> Result<Engine, Failure> {
    match choice {
        AdapterChoice::Host => Ok(Engine::Host),
        AdapterChoice::Named(name) => open(&named(name)?).map_err(Failure::run),
        AdapterChoice::Auto => Ok(auto(note)),
    }
}

/// The adapter that `--adapter NAME` means.
pub fn named(name: &str) -> Result<wgpu::Adapter, Failure> {
    pollster::block_on(gpu::pick(&instance(), Some(name)))
        .map_err(|error| Failure::input(anyhow::Error::from(error).context(format!("--adapter {name}"))))
}

/// The first GPU that opens, or else the host, which needs no driver to compute on the same CPU.
fn auto(note: &mut dyn FnMut(String)) -> Engine {
    let adapters = pollster::block_on(gpu::adapters(&instance()));
    let mut unusable = 0;
    for adapter in adapters.iter().filter(|adapter| !gpu::is_software(&adapter.get_info())) {
        match open(adapter) {
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

fn open(adapter: &wgpu::Adapter) -> Result<Engine, seedbed::Error> {
    GpuEngine::open(adapter).map(|engine| Engine::Gpu(Box::new(engine)))
}
