//! Rows and columns -> buffers, bindings and dispatches under a device's limits. Pure arithmetic.
//!
//! The matrix is worked on with at least as many rows as columns, in rows of whole quads (four
//! columns), and in windows of rows that a storage binding can hold. Windows hold whole chunks of rows, and
//! sums are taken per chunk, so windows change no bit. Where that is the result's own layout, the windows are
//! parts of the result; otherwise each is a buffer of its own, and is stored into the result at the end.

use std::ops::Range;

use super::params::Params;
use crate::dispatch::MOST_WORKGROUPS;
use crate::shaders::orthogonal::{CHUNK, Kernel, PANEL, STATE, UPDATE_ROWS};
use crate::{Error, Key};

const QUAD_BYTES: u64 = 16;
const WORD_BYTES: u64 = 4;
const STATE_BYTES: u64 = STATE * WORD_BYTES;

/// Windows stay below this, so that their indexes keep clear of 2^32.
const LARGEST_WINDOW: u64 = 1 << 31;

/// Indexes of the whole matrix stay below 2^32, those of the rows of a chunk past the end too.
const LARGEST_INDEX: u64 = u32::MAX as u64 - CHUNK;

/// The limits that shape a plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes that a buffer may have.
    buffer: u64,
    /// Bytes that a storage binding may have.
    binding: u64,
    /// What a binding's offset is a multiple of.
    alignment: u64,
    /// Workgroups in one dimension of a dispatch.
    workgroups: u64,
}

impl Limits {
    /// # Errors
    /// [`Error::DeviceLimit`] where the kernels can't run at all.
    pub(super) fn of(limits: &wgpu::Limits) -> Result<Self, Error> {
        for (limit, actual, needed) in [
            ("max_compute_workgroup_size_x", limits.max_compute_workgroup_size_x, 256),
            ("max_compute_invocations_per_workgroup", limits.max_compute_invocations_per_workgroup, 256),
            ("max_compute_workgroup_storage_size", limits.max_compute_workgroup_storage_size, 12_288),
            ("max_compute_workgroups_per_dimension", limits.max_compute_workgroups_per_dimension, 1),
            ("max_storage_buffers_per_shader_stage", limits.max_storage_buffers_per_shader_stage, 4),
        ] {
            if actual < needed {
                return Err(Error::DeviceLimit { limit, actual: actual.into(), needed: needed.into() });
            }
        }
        Ok(Self {
            buffer: limits.max_buffer_size,
            binding: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(LARGEST_WINDOW),
            alignment: u64::from(limits.min_storage_buffer_offset_alignment),
            workgroups: u64::from(limits.max_compute_workgroups_per_dimension.min(MOST_WORKGROUPS)),
        })
    }

    /// Workgroups that one dispatch can have.
    fn groups(&self) -> u64 {
        self.workgroups * self.workgroups
    }
}

/// What a dispatch binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// The Householder vectors, of a window's rows.
    Panel(usize),
    /// The matrix, of a window's rows.
    Matrix(usize),
    /// Sums of a window's chunks.
    Sums,
    /// Their totals, and what the back substitution makes of them.
    Totals,
    /// Sums of squares, and scales of the reflections.
    State,
    /// A part of the result, in bytes: offset and size.
    Result(u64, u64),
}

/// One dispatch.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) kernel: Kernel,
    pub(super) params: Params,
    /// Bindings 1, 2, ...
    pub(super) bindings: Vec<Memory>,
    /// Workgroups in x and y.
    pub(super) workgroups: [u32; 2],
}

/// How a matrix is made.
#[derive(Debug)]
pub(super) struct Plan {
    limits: Limits,
    /// Of the matrix as it is worked on: rows >= columns.
    rows: u64,
    columns: u64,
    /// Whether the result is its transpose.
    is_transposed: bool,
    /// Rows of a window, but for the last.
    window: u64,
}

impl Plan {
    /// # Errors
    /// [`Error::OrthogonalTooLarge`] and [`Error::DeviceLimit`].
    pub(super) fn new(limits: Limits, rows: u64, cols: u64) -> Result<Self, Error> {
        let elements =
            rows.checked_mul(cols).filter(|&e| e <= LARGEST_INDEX && rows.max(cols) <= LARGEST_INDEX);
        let Some(elements) = elements else { return Err(Error::OrthogonalTooLarge { rows, columns: cols }) };
        let mut plan = Self {
            limits,
            rows: rows.max(cols),
            columns: rows.min(cols),
            is_transposed: rows < cols,
            window: CHUNK.max(limits.alignment / QUAD_BYTES),
        };
        let device = |limit, actual, needed| match actual < needed {
            true => Err(Error::DeviceLimit { limit, actual, needed }),
            false => Ok(()),
        };
        device("max_buffer_size", limits.buffer, elements * WORD_BYTES)?;
        if elements == 0 {
            return Ok(plan);
        }
        let needed = (plan.window * plan.stride() * QUAD_BYTES).max(STATE_BYTES);
        device("max_storage_buffer_binding_size", limits.binding, needed)?;
        let groups = plan.most_groups(plan.window);
        device("max_compute_workgroups_per_dimension", limits.workgroups, ceiling_root(groups))?;
        // As many whole smallest windows as the limits allow.
        let smallest = plan.window;
        let by_binding = limits.binding / (smallest * plan.stride() * QUAD_BYTES);
        let by_groups = limits.groups() / plan.most_groups(smallest);
        plan.window = smallest * by_binding.min(by_groups).max(1);
        Ok(plan)
    }

    /// The most workgroups that a dispatch over so many rows takes. Grows no faster than the rows.
    fn most_groups(&self, rows: u64) -> u64 {
        let across = self.stride().div_ceil(Kernel::Update.workgroup_size().into());
        let update = rows / UPDATE_ROWS * across;
        let project = rows / CHUNK * across * self.width().div_ceil(4);
        let totals = (4 * self.width() * (self.width() + self.stride()))
            .div_ceil(Kernel::Gather.workgroup_size().into());
        update.max(project).max(totals)
    }

    /// Quads of a row of the matrix.
    pub(super) fn stride(&self) -> u64 {
        self.columns.div_ceil(4)
    }

    /// Quads of a row of Householder vectors.
    fn width(&self) -> u64 {
        self.stride().min(PANEL / 4)
    }

    /// Whether the result is worked on in place.
    pub(super) fn is_in_place(&self) -> bool {
        !self.is_transposed && self.columns.is_multiple_of(4)
    }

    pub(super) fn result_bytes(&self) -> u64 {
        self.rows * self.columns * WORD_BYTES
    }

    /// Rows of each window.
    pub(super) fn windows(&self) -> impl Iterator<Item = Range<u64>> {
        let rows = if self.columns == 0 { 0 } else { self.rows };
        (0..rows).step_by(self.window as usize).map(move |start| start..(start + self.window).min(rows))
    }

    pub(super) fn panel_bytes(&self, window: &Range<u64>) -> u64 {
        (window.end - window.start) * self.width() * QUAD_BYTES
    }

    pub(super) fn matrix_bytes(&self, window: &Range<u64>) -> u64 {
        (window.end - window.start) * self.stride() * QUAD_BYTES
    }

    pub(super) fn sums_bytes(&self) -> u64 {
        let chunks = self.window.min(self.rows).div_ceil(CHUNK);
        chunks * self.totals_bytes().max(PANEL * WORD_BYTES)
    }

    pub(super) fn totals_bytes(&self) -> u64 {
        4 * self.width() * (self.width() + self.stride()) * QUAD_BYTES
    }

    pub(super) fn state_bytes(&self) -> u64 {
        STATE_BYTES
    }

    /// Every dispatch, in order.
    pub(super) fn steps(&self, key: Key) -> Vec<Step> {
        let mut steps = Vec::new();
        let panels = self.columns.div_ceil(PANEL);
        for start in (0..panels).rev().map(|panel| panel * PANEL) {
            self.panel(&mut steps, key, start);
        }
        if !self.is_in_place() {
            self.store(&mut steps);
        }
        steps
    }

    fn params(&self, key: Key, start: u64) -> Params {
        let halves = |v: u64| [v as u32, (v >> 32) as u32];
        let column_blocks = self.rows.div_ceil(4);
        Params {
            seed: halves(key.seed),
            counter: halves(key.counter(start * column_blocks)),
            column_blocks: column_blocks as u32,
            rows: self.rows as u32,
            columns: self.columns as u32,
            start: start as u32,
            width: self.width() as u32,
            stride: self.stride() as u32,
            is_transposed: self.is_transposed.into(),
            ..Params::default()
        }
    }

    /// Makes the reflections of one panel and applies them.
    fn panel(&self, steps: &mut Vec<Step>, key: Key, start: u64) {
        let width = self.width();
        let quads = self.stride() - start / 4;
        let windows: Vec<_> = self.windows().enumerate().filter(|(_, rows)| rows.end > start).collect();
        let (Some((first, diagonal)), Some((last, _))) = (windows.first().cloned(), windows.last().cloned())
        else {
            return;
        };
        let params = |window: usize, rows: &Range<u64>| {
            let first_chunk = rows.start.max(start) / CHUNK;
            Params {
                first_row: rows.start as u32,
                end_row: rows.end as u32,
                first_chunk: first_chunk as u32,
                chunks: (rows.end.div_ceil(CHUNK) - first_chunk) as u32,
                is_first: (window == first).into(),
                is_last: (window == last).into(),
                sum_stride: (width + quads) as u32,
                ..self.params(key, start)
            }
        };
        let of_matrix = |params| Params {
            first_quad: (start / 4) as u32,
            quads: quads as u32,
            first_sum: width as u32,
            ..params
        };

        for (w, rows) in &windows {
            let params = params(*w, rows);
            self.step(steps, Kernel::Normals, params, &[Memory::Panel(*w), Memory::Sums]);
            let params = Params { first_row: diagonal.start as u32, end_row: diagonal.end as u32, ..params };
            let bindings = [Memory::Panel(first), Memory::Sums, Memory::Matrix(first), Memory::State];
            self.step(steps, Kernel::Reflect, params, &bindings);
        }
        for (w, rows) in &windows {
            let params = params(*w, rows);
            let gram = Params { stride: width as u32, quads: width as u32, ..params };
            let panel = Memory::Panel(*w);
            self.step(steps, Kernel::Project, gram, &[panel, panel, Memory::Sums]);
            self.step(steps, Kernel::Project, of_matrix(params), &[panel, Memory::Matrix(*w), Memory::Sums]);
            self.step(steps, Kernel::Gather, params, &[Memory::Sums, Memory::Totals]);
        }
        let solve = of_matrix(params(first, &diagonal));
        self.step(steps, Kernel::Solve, solve, &[Memory::Totals, Memory::State]);
        for (w, rows) in &windows {
            let bindings = [Memory::Panel(*w), Memory::Totals, Memory::Matrix(*w)];
            self.step(steps, Kernel::Update, of_matrix(params(*w, rows)), &bindings);
        }
    }

    /// Copies the windows into the result.
    fn store(&self, steps: &mut Vec<Step>) {
        let group = u64::from(Kernel::Store.workgroup_size());
        let unit = (self.limits.alignment / WORD_BYTES).max(group);
        let most = (self.limits.binding / WORD_BYTES).min(self.limits.groups().saturating_mul(group));
        let part = (most / unit).max(1) * unit;
        let elements = self.rows * self.columns;
        for first in (0..elements).step_by(part as usize) {
            let end = (first + part).min(elements);
            for (w, rows) in self.windows().enumerate() {
                let is_apart = rows.end * self.columns <= first || end <= rows.start * self.columns;
                if is_apart && !self.is_transposed {
                    continue;
                }
                let params = Params {
                    first_row: rows.start as u32,
                    end_row: rows.end as u32,
                    first_element: first as u32,
                    end_element: end as u32,
                    ..self.params(Key::new(0), 0)
                };
                let result = Memory::Result(first * WORD_BYTES, (end - first) * WORD_BYTES);
                self.step(steps, Kernel::Store, params, &[Memory::Matrix(w), result]);
            }
        }
    }

    fn step(&self, steps: &mut Vec<Step>, kernel: Kernel, params: Params, bindings: &[Memory]) {
        let size = kernel.workgroup_size();
        let across = params.quads.div_ceil(size);
        let groups = match kernel {
            Kernel::Normals => params.chunks,
            Kernel::Reflect => 1,
            Kernel::Project => across * params.chunks * params.width.div_ceil(4),
            Kernel::Gather => (4 * params.width * params.sum_stride).div_ceil(size),
            Kernel::Solve => (4 * params.quads).div_ceil(size),
            Kernel::Update => {
                across * (params.end_row - params.first_row.max(params.start)).div_ceil(UPDATE_ROWS as u32)
            }
            Kernel::Store => (params.end_element - params.first_element).div_ceil(size),
        };
        let down = u64::from(groups).div_ceil(self.limits.workgroups) as u32;
        let row = groups.div_ceil(down);
        steps.push(Step {
            kernel,
            params: Params { groups, group_row: row, ..params },
            bindings: bindings.to_vec(),
            workgroups: [row, down],
        });
    }
}

/// The least integer whose square is not below `value`.
fn ceiling_root(value: u64) -> u64 {
    let root = value.isqrt();
    root + u64::from(root * root < value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { buffer: 1 << 40, binding: 128 << 20, alignment: 256, workgroups: 65_535 };

    #[test]
    fn every_step_keeps_to_the_limits() {
        for (rows, cols) in
            [(1, 1), (7, 1), (1, 7), (300, 300), (1000, 37), (37, 1000), (129, 127), (5000, 3)]
        {
            for binding in [4096, 40_000, 160_000, 1 << 20] {
                for workgroups in [1, 2, 5, 65_535] {
                    let limits = Limits { binding, workgroups, ..LIMITS };
                    let Ok(plan) = Plan::new(limits, rows, cols) else { continue };
                    let windows: Vec<_> = plan.windows().collect();
                    assert_eq!(windows.iter().map(|w| w.end - w.start).sum::<u64>(), rows.max(cols));
                    for w in &windows {
                        assert!(w.start.is_multiple_of(CHUNK));
                        assert!((plan.matrix_bytes(w)).is_multiple_of(16) && plan.matrix_bytes(w) <= binding);
                        assert!((w.start * plan.stride() * QUAD_BYTES).is_multiple_of(256));
                        assert!(plan.panel_bytes(w) <= binding);
                    }
                    assert!(plan.sums_bytes() <= binding, "{rows}x{cols} {}", plan.sums_bytes());
                    assert!(plan.totals_bytes() <= binding);
                    for step in plan.steps(Key::new(0)) {
                        assert!(step.workgroups.iter().all(|&w| 1 <= w && u64::from(w) <= workgroups));
                        assert!(step.workgroups[0] * step.workgroups[1] >= step.params.groups);
                        for memory in step.bindings {
                            if let Memory::Result(offset, size) = memory {
                                assert!(offset.is_multiple_of(256) && size <= binding);
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_a_device_can_not_do_is_named() {
        let small = Limits { buffer: 256 << 20, ..LIMITS };
        assert!(Plan::new(small, 8192, 8192).is_ok());
        let error = Plan::new(small, 8193, 8192).unwrap_err().to_string();
        assert!(error.contains("max_buffer_size is 268435456"), "{error}");
        let error = Plan::new(LIMITS, 1 << 20, 1 << 12).unwrap_err().to_string();
        assert!(error.contains("1048576 x 4096"), "{error}");
        assert!(Plan::new(LIMITS, u64::MAX, 2).is_err());
        assert!(Plan::new(LIMITS, u64::MAX, 0).is_err());
        assert!(Plan::new(LIMITS, 65_535, 65_535).is_ok());
        let error = Plan::new(Limits { binding: 4096, ..LIMITS }, 100, 100).unwrap_err().to_string();
        assert!(error.contains("max_storage_buffer_binding_size is 4096"), "{error}");
    }
}
