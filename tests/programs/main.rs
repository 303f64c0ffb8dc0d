//! Golden files: programs as the planner makes them today, and lists of fills, each with the SHA-256 of what it
//! must write. README.md describes the files. The conformance tests replay the programs, and record the lists,
//! on every adapter.
//!
//! The tests need no GPU. With `SEEDBED_UPDATE_PROGRAMS=1` the first two tests write the files.

mod cases;
mod format;
mod json;
mod lists;
mod programs;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cases::Case;
use format::{Buffer, Decimal, Fill, GoldenList, GoldenLists, GoldenProgram};
use seedbed::program::{Content, Destination, Device, FillSpec, Placement, Planner, Program};
use seedbed::{CONTRACT_VERSION, DType, Init, Math, host};

/// The byte that fills every buffer before the fills.
const PREFILL: u8 = 165;

/// A planner for the limits that every WebGPU device has.
fn planner() -> Planner {
    Planner::new(Device::webgpu(), Math::Portable)
}

fn plan(case: &Case) -> Program {
    let placements: Vec<_> = case.fills.iter().map(Fill::placement).collect();
    let specs = case.fills.iter().zip(&placements).map(|(fill, placement)| FillSpec {
        name: None,
        destination: Destination {
            buffer: fill.buffer,
            size: case.buffers[fill.buffer as usize],
            can_clear: true,
        },
        placement,
        content: fill.init.as_ref().map_or(Content::Words, Content::Init),
        key: fill.key(&Decimal(case.seed)),
    });
    planner().plan(&specs.collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

/// The buffers after the fills, by the host engine.
fn filled_by_the_host(case: &Case) -> Vec<Buffer> {
    let mut buffers: Vec<_> = case.buffers.iter().map(|&size| vec![PREFILL; size as usize]).collect();
    for fill in &case.fills {
        fill_on_the_host(&mut buffers[fill.buffer as usize], fill, case.seed)
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    }
    let buffer = |memory: Vec<u8>| Buffer {
        bytes: memory.len() as u64,
        prefill: PREFILL,
        sha256: format::sha256(&memory),
    };
    buffers.into_iter().map(buffer).collect()
}

fn fill_on_the_host(memory: &mut [u8], fill: &Fill, seed: u64) -> Result<(), seedbed::Error> {
    let (placement, key) = (fill.placement(), fill.key(&Decimal(seed)));
    let bytes = placement.bytes(memory.len() as u64)?;
    if let Some(init) = &fill.init {
        host::fill_buffer(memory, &placement, init, key)?;
        make_little_endian(&mut memory[bytes.start as usize..bytes.end as usize], &placement);
        return Ok(());
    }
    let mut words = vec![0_u32; placement.region.element_count()? as usize];
    host::fill_words(&mut words, placement.region, key)?;
    let words: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    memory[bytes.start as usize..bytes.end as usize].copy_from_slice(&words);
    Ok(())
}

/// Gives the elements of a fill the byte order of the golden files. The host engine writes this machine's byte order.
fn make_little_endian(memory: &mut [u8], placement: &Placement<'_>) {
    if cfg!(target_endian = "little") || memory.is_empty() {
        return;
    }
    let size = placement.dtype.size() as usize;
    let row = placement.region.local_shape().last().map_or(size, |&elements| elements as usize * size);
    let pitch = placement.row_pitch.map_or(row, |pitch| pitch as usize);
    for row in memory.chunks_mut(pitch).map(|from_row_to_row| &mut from_row_to_row[..row]) {
        row.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
}

fn golden_program(case: &Case) -> GoldenProgram {
    GoldenProgram {
        name: case.name.clone(),
        what: case.what.clone(),
        seed: Decimal(case.seed),
        fills: case.fills.clone(),
        program: plan(case),
        destinations: filled_by_the_host(case),
    }
}

fn golden_list(case: &Case) -> GoldenList {
    GoldenList {
        name: case.name.clone(),
        what: case.what.clone(),
        seed: Decimal(case.seed),
        large: case.large,
        buffers: filled_by_the_host(case),
        fills: case.fills.clone(),
    }
}

fn path(case: &Case) -> PathBuf {
    format::folder().join(format!("{}.json", case.name))
}

/// Compares a file with what it should hold, or writes the file where `SEEDBED_UPDATE_PROGRAMS` is set.
fn compare_or_write(path: &Path, there: &str, now: &str) {
    if there == now {
        return;
    }
    let update = std::env::var_os("SEEDBED_UPDATE_PROGRAMS").is_some();
    assert!(
        update,
        "{} differs from what the planner and the host make. If that is meant, run this test with \
         SEEDBED_UPDATE_PROGRAMS=1, which writes the file",
        path.display()
    );
    std::fs::write(path, now).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// The text of a file, and its content. A file that is missing has no text.
fn read<T: serde::de::DeserializeOwned>(path: &Path) -> (String, Option<T>) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // A file of an older format has nothing to compare with.
    let content = serde_json::from_str(&text).ok();
    (text, content)
}

/// The contract never changes, so not even an update may write another hash for the same fills.
fn assert_same_bits(name: &str, there: (&Decimal, &[Fill], &[Buffer]), now: (&Decimal, &[Fill], &[Buffer])) {
    let size = |buffer: &Buffer| (buffer.bytes, buffer.prefill);
    let same_fills =
        (there.0, there.1) == (now.0, now.1) && there.2.iter().map(size).eq(now.2.iter().map(size));
    assert!(!same_fills || there.2 == now.2, "{name}: the same fills had other bits before");
}

#[test]
fn each_program_is_what_the_planner_and_the_host_make() {
    let cases = programs::all();
    for case in &cases {
        let (path, now) = (path(case), golden_program(case));
        let sizes: Vec<_> = now.destinations.iter().map(|buffer| buffer.bytes).collect();
        now.program.validate(&sizes).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let (text, there) = read::<GoldenProgram>(&path);
        if let Some(there) = there {
            let now = (&now.seed, &now.fills[..], &now.destinations[..]);
            assert_same_bits(&case.name, (&there.seed, &there.fills, &there.destinations), now);
        }
        compare_or_write(&path, &text, &json::text(&now, 2));
    }
    let listed: BTreeSet<_> = cases.iter().map(path).collect();
    let found: BTreeSet<_> = format::program_paths().into_iter().collect();
    assert_eq!(found, listed, "each file of the folder belongs to a golden program");
}

#[test]
fn each_list_has_the_bits_of_the_host() {
    let lists = lists::all().iter().map(golden_list).collect();
    let now = GoldenLists { contract: CONTRACT_VERSION, seed: Decimal(cases::SEED), lists };
    let names: BTreeSet<_> = now.lists.iter().map(|list| &list.name).collect();
    assert_eq!(names.len(), now.lists.len(), "each list has a name of its own");
    let (text, there) = read::<GoldenLists>(&format::lists_path());
    for there in there.iter().flat_map(|there| &there.lists) {
        if let Some(now) = now.lists.iter().find(|now| now.name == there.name) {
            let now = (&now.seed, &now.fills[..], &now.buffers[..]);
            assert_same_bits(&there.name, (&there.seed, &there.fills, &there.buffers), now);
        }
    }
    compare_or_write(&format::lists_path(), &text, &json::text(&now, 3));
}

/// An executor that replays all golden programs has run every kind of kernel: every initialiser, in every type.
#[test]
fn every_kind_of_kernel_is_in_a_program() {
    let programs: Vec<_> = programs::all().iter().map(plan).collect();
    let ids: BTreeSet<_> =
        programs.iter().flat_map(|program| &program.kernels).map(|kernel| kernel.id).collect();
    for init in Init::signatures().map(|signature| cases::init(signature.example)) {
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let kernels = planner().kernels_of(&init, dtype).expect("kernels");
            let mut fills = kernels.iter().filter(|kernel| kernel.entry_point == "fill");
            assert!(fills.any(|kernel| ids.contains(&kernel.id)), "{init} {dtype}");
        }
    }
    let has = |test: &dyn Fn(&Program) -> bool| programs.iter().any(test);
    assert!(has(&|program| program.dispatches.is_empty() && !program.clears.is_empty()), "clears alone");
    assert!(
        has(&|program| program.dispatches.iter().any(|dispatch| dispatch.workgroups[1] > 1)),
        "rows of a grid"
    );
    assert!(
        has(&|program| {
            let mut bindings = program.dispatches.iter().flat_map(|dispatch| &dispatch.bindings);
            bindings.any(|binding| binding.buffer < program.destinations && binding.offset > 0)
        }),
        "a destination that is bound from a later byte on"
    );
}
