//! Every adapter can be measured: one trial per adapter and tool.

mod common;
#[path = "../../../cli/tests/common/trials.rs"]
mod trials;

use std::process::ExitCode;

use common::{growth_is_complete, measured};
use libtest_mimic::Failed;
use seedbed::{gpu, wgpu};

fn main() -> ExitCode {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapters = pollster::block_on(gpu::named_adapters(&instance)).into_iter();
    let adapters = adapters.map(|(name, adapter)| (adapter.get_info().backend.to_str().to_owned(), name));
    trials::run(&adapters.collect::<Vec<_>>(), &[("growth", growth), ("shapes", shapes)])
}

fn growth(adapter: &str) -> Result<(), Failed> {
    Ok(growth_is_complete(&measured("growth", adapter, "100")?)?)
}

fn shapes(adapter: &str) -> Result<(), Failed> {
    let engine = measured("shapes", adapter, "65536")?;
    let shapes = engine["shapes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let measured = shapes.iter().all(|shape| shape["wall"]["median"].as_f64() > Some(0.0));
    // Nine shapes for each of one to five sizes of workgroups.
    if shapes.is_empty() || shapes.len() % 9 != 0 || !measured || engine["of_best"].as_f64() <= Some(0.0) {
        return Err(engine.to_string().into());
    }
    Ok(())
}
