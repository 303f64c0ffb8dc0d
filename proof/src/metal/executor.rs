//! An executor: a process that runs programs. `proof/metal/executor.cpp` describes its jobs.

use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};
use seedbed::program::{Contents, Kernel, Program};

use super::compiler::Numbers;

pub struct Executor {
    child: Child,
    input: BufWriter<ChildStdin>,
    output: ChildStdout,
}

/// What WGSL leaves open, and an executor may choose.
#[derive(Clone, Copy)]
pub struct Choice {
    /// Subnormal numbers count as zeros, as Metal's fast math has it.
    pub flush: bool,
    /// Workgroups, and invocations between two barriers, run in the opposite order.
    pub backward: bool,
}

impl Executor {
    /// # Errors
    /// An executor that does not start.
    pub fn start(program: &Path) -> Result<Self> {
        // A program in a relative folder is not one of the search path.
        let program = std::fs::canonicalize(program).with_context(|| program.display().to_string())?;
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = BufWriter::new(child.stdin.take().context("no input")?);
        let output = child.stdout.take().context("no output")?;
        Ok(Self { child, input, output })
    }

    /// Runs a program. `callers` are the sizes of the caller's buffers, and the bytes of which each is full. Reads
    /// the buffers into `results`.
    ///
    /// # Errors
    /// An executor that fails.
    pub fn run(
        &mut self,
        program: &Program,
        kernels: &[u64],
        callers: &[(u64, u8)],
        choice: Choice,
        results: &mut [Vec<u8>],
    ) -> Result<()> {
        self.send(program, kernels, callers, choice).context("the executor does not read its job")?;
        for ((size, _), result) in callers.iter().zip(results) {
            result.resize(*size as usize, 0);
            self.output.read_exact(result).context("the executor does not write its buffers")?;
        }
        Ok(())
    }

    fn send(
        &mut self,
        program: &Program,
        kernels: &[u64],
        callers: &[(u64, u8)],
        choice: Choice,
    ) -> std::io::Result<()> {
        let input = std::cell::RefCell::new(&mut self.input);
        let write = |bytes: &[u8]| input.borrow_mut().write_all(bytes);
        let numbers = |all: &[u64]| all.iter().try_for_each(|number| write(&number.to_le_bytes()));
        let buffers = (callers.len() + program.buffers.len()) as u64;
        numbers(&[choice.flush.into(), choice.backward.into(), buffers])?;
        for (size, prefill) in callers {
            numbers(&[*size, u64::from(*prefill)])?;
        }
        for buffer in &program.buffers {
            match &buffer.contents {
                Contents::Words(words) => {
                    numbers(&[buffer.size, 256])?;
                    words.iter().try_for_each(|word| write(&word.to_le_bytes()))?;
                }
                _ => numbers(&[buffer.size, 0])?,
            }
        }
        numbers(&[program.clears.len() as u64])?;
        for clear in &program.clears {
            numbers(&[clear.buffer.into(), clear.offset, clear.size])?;
        }
        numbers(&[program.dispatches.len() as u64])?;
        for dispatch in &program.dispatches {
            let [x, y] = dispatch.workgroups;
            let bindings = dispatch.bindings.len() as u64;
            numbers(&[kernels[dispatch.kernel as usize], x.into(), y.into(), bindings])?;
            for binding in &dispatch.bindings {
                numbers(&[binding.buffer.into(), binding.offset, binding.size])?;
            }
        }
        numbers(&[callers.len() as u64])?;
        self.input.flush()
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // The process ends when nobody writes or reads any more; one that is still computing does not count.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The numbers of a program's kernels in the executor.
///
/// # Errors
/// A kernel that the executor lacks.
pub fn numbers_of(program: &Program, numbers: &Numbers) -> Result<Vec<u64>> {
    let number = |kernel: &Arc<Kernel>| {
        let number = numbers.get(&kernel.wgsl).copied();
        number.with_context(|| format!("the executor has no {}", kernel.label))
    };
    program.kernels.iter().map(number).collect()
}
