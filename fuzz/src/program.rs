//! Programs in JSON.

use seedbed::program::{Contents, Program};

use super::accepted;

/// The sizes of the caller's buffers.
const SIZE: u64 = 1 << 10;
/// The most buffers of a caller.
const MAX_DESTINATIONS: u32 = 8;

/// Reads a program. What is written reads the same. In a valid program each index exists and each range lies in its buffer, by
/// the arithmetic of larger integers.
pub fn run(input: &[u8]) {
    let Ok(program) = serde_json::from_slice::<Program>(input) else { return };
    let written = serde_json::to_vec(&program).expect("a program");
    let again: Program = serde_json::from_slice(&written).expect("a written program");
    assert_eq!(again, program);
    if program.destinations > MAX_DESTINATIONS {
        assert!(program.validate(&[]).is_err());
        return;
    }
    let sizes = vec![SIZE; program.destinations as usize];
    let more = vec![SIZE; program.destinations as usize + 1];
    assert!(accepted(program.validate(&more)).is_none());
    if accepted(program.validate(&sizes)).is_some() {
        check(&program, &sizes);
    }
}

/// Checks what an executor relies on.
fn check(program: &Program, destinations: &[u64]) {
    let own = program.buffers.iter().map(|buffer| buffer.size);
    let sizes: Vec<u64> = destinations.iter().copied().chain(own).collect();
    let is_inside = |buffer: u32, offset: u64, size: u64| {
        let end = u128::from(offset) + u128::from(size);
        sizes.get(buffer as usize).is_some_and(|&len| size > 0 && end <= u128::from(len))
    };
    for clear in &program.clears {
        assert!(clear.buffer < program.destinations && is_inside(clear.buffer, clear.offset, clear.size));
        assert!(clear.offset % 4 == 0 && clear.size % 4 == 0);
    }
    for buffer in &program.buffers {
        if let Contents::Words(words) = &buffer.contents {
            assert_eq!(words.len() as u64 * 4, buffer.size);
        }
    }
    for dispatch in &program.dispatches {
        let kernel = &program.kernels[dispatch.kernel as usize];
        assert_eq!(kernel.bindings.len(), dispatch.bindings.len());
        assert!(dispatch.bindings.iter().all(|binding| is_inside(
            binding.buffer,
            binding.offset,
            binding.size
        )));
        let max = program.device.limits.max_compute_workgroups_per_dimension;
        assert!(dispatch.workgroups.iter().all(|&count| count <= max));
    }
}
