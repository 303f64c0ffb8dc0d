//! Golden files: the programs and the lists of fills in `tests/programs`, on every device.

use seedbed::wgpu;
use seedbed::{CONTRACT_VERSION, Fill, TensorView};
use serde::de::DeserializeOwned;

use crate::Check;
use crate::harness::engines::{Device, SENTINEL, USAGE};
use crate::placement::program::{Pipelines, replay};

#[path = "../../programs/format.rs"]
mod format;

use format::{Buffer, GoldenList, GoldenLists, GoldenProgram};

const LARGE: u64 = 300 << 20;

pub const CHECKS: &[Check] = &[
    Check::device("exact::golden_programs", golden_programs),
    Check::device("exact::golden_lists", golden_lists),
    Check::device_with_buffer("exact::golden_large_lists", LARGE + 48, golden_large_lists),
];

fn read<T: DeserializeOwned>(path: &std::path::Path) -> T {
    let text = std::fs::read_to_string(path).expect("a file that can be read");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn buffers(device: &Device, buffers: &[Buffer]) -> Vec<wgpu::Buffer> {
    let new = |buffer: &Buffer| {
        assert_eq!(buffer.prefill, SENTINEL);
        device.sentinel_buffer(buffer.bytes, USAGE)
    };
    buffers.iter().map(new).collect()
}

fn assert_hashes(device: &Device, name: &str, buffers: &[wgpu::Buffer], expected: &[Buffer]) {
    for (number, (buffer, expected)) in buffers.iter().zip(expected).enumerate() {
        assert_eq!(format::sha256(&device.read(buffer)), expected.sha256, "{name}, buffer {number}");
    }
}

/// An executor that shares no code with the recorder replays each golden program from its text alone, on a
/// device that has WebGPU's default limits.
fn golden_programs(device: &Device) {
    let device = device.with_webgpu_limits();
    let paths = format::program_paths();
    assert!(!paths.is_empty(), "there are golden programs");
    let mut pipelines = Pipelines::new();
    for path in paths {
        let GoldenProgram { name, program, destinations, .. } = read(&path);
        // By OpenGL, llvmpipe takes over 100 s to compile these kernels. Lavapipe compiles all kernels in 10 s.
        let orthogonal = program.kernels.iter().any(|kernel| kernel.label.starts_with("seedbed::orthogonal"));
        if orthogonal && device.adapter.get_info().backend == wgpu::Backend::Gl {
            continue;
        }
        let buffers = buffers(&device, &destinations);
        device.submit(|encoder| {
            replay(&device.gpu.device, encoder, &program, &buffers, &mut pipelines);
        });
        assert_hashes(&device, &name, &buffers, &destinations);
    }
}

fn golden_lists(device: &Device) {
    for list in lists().iter().filter(|list| !list.large) {
        recorded(device, list);
    }
}

fn golden_large_lists(device: &Device) {
    for list in lists().iter().filter(|list| list.large) {
        assert!(list.buffers.iter().all(|buffer| buffer.bytes <= LARGE + 48));
        recorded(device, list);
    }
}

fn lists() -> Vec<GoldenList> {
    let GoldenLists { contract, lists, .. } = read(&format::lists_path());
    assert_eq!(contract, CONTRACT_VERSION);
    lists
}

/// Records a list by one call, and compares the buffers.
fn recorded(device: &Device, list: &GoldenList) {
    let buffers = buffers(device, &list.buffers);
    let fill = |fill: &format::Fill| {
        let tensor = TensorView::from_placement(&buffers[fill.buffer as usize], fill.placement());
        Fill::new(tensor, fill.init.expect("an initialiser"), fill.key(&list.seed))
    };
    let fills: Vec<_> = list.fills.iter().map(fill).collect();
    device
        .submit(|encoder| device.recorder.fill_all(encoder, &fills))
        .unwrap_or_else(|error| panic!("{}: {error}", list.name));
    assert_hashes(device, &list.name, &buffers, &list.buffers);
}
