//! The program: the result of a plan. The page of [`program`](crate::program) says how to replay a program.

use std::borrow::Cow;
use std::sync::Arc;

#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

use super::device::Device;
use crate::error::Error;
use crate::math::CONTRACT_VERSION;

/// A program: fills as clears and dispatches over numbered buffers, in plain data.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub struct Program {
    /// The version of the numeric contract whose bits the program writes.
    pub contract: u32,
    /// The device that the plan assumes.
    pub device: Device,
    /// Buffers `0..destinations` are the caller's.
    pub destinations: u32,
    /// The buffers from `destinations` on, which the executor creates.
    pub buffers: Vec<Buffer>,
    /// The kernels, each once.
    pub kernels: Vec<Arc<Kernel>>,
    /// The ranges of the caller's buffers to clear, before all dispatches.
    pub clears: Vec<Clear>,
    /// The dispatches, in this order, in one compute pass.
    pub dispatches: Vec<Dispatch>,
}

impl Program {
    /// Checks that the program follows this library's version of the contract, that every index in the program
    /// names a buffer or a kernel that exists, and that every range lies in its buffer. `destinations` are the
    /// sizes of the caller's buffers in bytes. A program of a [`Planner`](super::Planner) passes if the sizes are
    /// those of its fills. A program that was stored or sent may have been damaged.
    ///
    /// # Errors
    /// [`Error::Program`], with the first mistake.
    pub fn validate(&self, destinations: &[u64]) -> Result<(), Error> {
        let wrong = |reason: String| Err(Error::Program { reason });
        if self.contract != CONTRACT_VERSION {
            return wrong(format!(
                "it follows version {} of the numeric contract; this library follows version {CONTRACT_VERSION}",
                self.contract
            ));
        }
        if destinations.len() != self.destinations as usize {
            return wrong(format!(
                "it has {} destinations, but got {}",
                self.destinations,
                destinations.len()
            ));
        }
        for (number, buffer) in self.buffers.iter().enumerate() {
            if let Contents::Words(words) = &buffer.contents
                && buffer.size != 4 * words.len() as u64
            {
                return wrong(format!(
                    "buffer {number} of its own has {} words for {} bytes",
                    words.len(),
                    buffer.size
                ));
            }
        }
        let sizes: Vec<u64> =
            destinations.iter().copied().chain(self.buffers.iter().map(|b| b.size)).collect();
        let check = |what: &str, buffer: u32, offset: u64, size: u64| match sizes.get(buffer as usize) {
            None => wrong(format!("{what} uses buffer {buffer}; there are {}", sizes.len())),
            Some(&len) if size == 0 || offset.checked_add(size).is_none_or(|end| end > len) => wrong(
                format!("{what} uses {size} bytes from {offset} on of buffer {buffer}, which has {len}"),
            ),
            Some(_) => Ok(()),
        };
        for (number, clear) in self.clears.iter().enumerate() {
            check(&format!("clear {number}"), clear.buffer, clear.offset, clear.size)?;
            if !clear.offset.is_multiple_of(4) || !clear.size.is_multiple_of(4) {
                return wrong(format!("clear {number} is not of whole words of 4 bytes"));
            }
            if clear.buffer >= self.destinations {
                return wrong(format!("clear {number} is of a buffer of its own"));
            }
        }
        for (number, dispatch) in self.dispatches.iter().enumerate() {
            let Some(kernel) = self.kernels.get(dispatch.kernel as usize) else {
                return wrong(format!("dispatch {number} uses kernel {}", dispatch.kernel));
            };
            if kernel.bindings.len() != dispatch.bindings.len() {
                let (needed, actual) = (kernel.bindings.len(), dispatch.bindings.len());
                return wrong(format!("dispatch {number} binds {actual} buffers; its kernel needs {needed}"));
            }
            let max = self.device.limits.max_compute_workgroups_per_dimension;
            if let Some(count) = dispatch.workgroups.into_iter().find(|&count| count > max) {
                return wrong(format!(
                    "dispatch {number} has {count} workgroups in a dimension of at most {max}"
                ));
            }
            for binding in &dispatch.bindings {
                check(&format!("dispatch {number}"), binding.buffer, binding.offset, binding.size)?;
            }
        }
        Ok(())
    }
}

/// A buffer that the executor creates.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub struct Buffer {
    /// A name for debuggers.
    pub label: Cow<'static, str>,
    /// The size in bytes: a multiple of 4.
    pub size: u64,
    /// The buffer's use, which decides its WebGPU usages.
    pub usage: Usage,
    /// The contents before the first dispatch.
    pub contents: Contents,
}

/// The use of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Usage {
    /// Parameter blocks: usage `UNIFORM`. Never written.
    Uniform,
    /// A table of quantiles: usages `UNIFORM` and `STORAGE`. Never written.
    Table,
    /// Scratch memory, which dispatches write and read: usage `STORAGE`.
    Scratch,
}

/// The contents of a buffer before the first dispatch.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Contents {
    /// Zeros: a fresh buffer.
    Zeros,
    /// These words, which fill the whole buffer.
    Words(Arc<Vec<u32>>),
}

/// A kernel: the source of a compute pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub struct Kernel {
    /// The kernel's number: equal for equal kernels of the same device, math and version of this library.
    pub id: u32,
    /// A name for debuggers, such as `seedbed::normal_f32_vectorized`.
    pub label: Cow<'static, str>,
    /// The shader module. A line `// ---- shaders/PATH` names the file that each part came from.
    pub wgsl: String,
    /// The entry point.
    pub entry_point: Cow<'static, str>,
    /// Invocations of a workgroup, all in its first dimension. The module declares the same.
    pub workgroup_size: u32,
    /// The kinds of the bindings: element `i` is binding `i` of group 0.
    pub bindings: Vec<BindingKind>,
}

/// The kind of a kernel's binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum BindingKind {
    /// A uniform buffer of this many bytes.
    Uniform {
        /// The size of the binding, which is `minBindingSize` too.
        size: u64,
    },
    /// A storage buffer that is read only.
    ReadOnlyStorage,
    /// A storage buffer that is read and written.
    Storage,
}

/// A range of a buffer to clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub struct Clear {
    /// The buffer's number.
    pub buffer: u32,
    /// The first byte: a multiple of 4.
    pub offset: u64,
    /// The number of bytes: a multiple of 4.
    pub size: u64,
}

/// A dispatch: a kernel, its bindings and its workgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub struct Dispatch {
    /// The index of the kernel in [`Program::kernels`].
    pub kernel: u32,
    /// The buffer ranges that bindings 0, 1, ... of group 0 get.
    pub bindings: Vec<Binding>,
    /// The numbers of workgroups in x and y. In z there is one.
    pub workgroups: [u32; 2],
}

/// A range of a buffer that a dispatch binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[non_exhaustive]
pub struct Binding {
    /// The buffer's number.
    pub buffer: u32,
    /// The first byte.
    pub offset: u64,
    /// The number of bytes.
    pub size: u64,
}
