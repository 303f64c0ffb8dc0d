//! Rows and columns -> buffers, bindings and dispatches of an orthogonal matrix. Pure arithmetic.
//!
//! The matrix is worked on with at least as many rows as columns, in rows of whole quads (four columns), and in windows of
//! rows that a storage binding can hold. Windows hold whole chunks of rows, and sums are taken per chunk, so windows change
//! no bit. Where the result has the same layout, the windows are parts of the result. Otherwise each window is a buffer of
//! its own and is copied into the result at the end.
//!
//! `src/host/orthogonal.rs` is the same algorithm on the CPU, and says where the algorithm comes from.

use std::ops::Range;

use super::device::{OrthogonalLimits, require};
use super::encode::halves;
use crate::error::Error;
use crate::kernel::constants::{CHUNK, PANEL, STATE_WORDS, UPDATE_ROWS};
use crate::kernel::orthogonal::OrthogonalKernel;
use crate::kernel::params::OrthogonalParams;
use crate::key::Key;

const QUAD_BYTES: u64 = 16;
const WORD_BYTES: u64 = 4;
const STATE_BYTES: u64 = STATE_WORDS * WORD_BYTES;

/// Indexes of the whole matrix stay below 2^32, also those of the rows of a chunk past the end.
const MAX_INDEX: u64 = u32::MAX as u64 - CHUNK;

/// A buffer that a dispatch binds, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scratch {
    /// The Householder vectors of a window's rows.
    Panel(usize),
    /// The matrix of a window's rows.
    Matrix(usize),
    /// The sums of a window's chunks.
    Sums,
    /// The totals of those sums, and the solutions of the back substitution.
    Totals,
    /// Sums of squares, and scales of the reflections.
    State,
    /// A part of the result: offset and size in bytes.
    Result(u64, u64),
}

/// One dispatch of a matrix.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) kernel: OrthogonalKernel,
    pub(super) params: OrthogonalParams,
    /// Bindings 1, 2, ...
    pub(super) bindings: Vec<Scratch>,
    /// Workgroups in x and y.
    pub(super) workgroups: [u32; 2],
}

/// How a matrix is computed.
#[derive(Clone, Debug)]
pub(super) struct MatrixPlan {
    limits: OrthogonalLimits,
    /// Rows and columns of the matrix as it is worked on: rows >= columns.
    rows: u64,
    columns: u64,
    /// Whether the result is the transpose.
    is_transposed: bool,
    /// Rows of a window. The last window may have fewer.
    window: u64,
}

impl MatrixPlan {
    /// # Errors
    /// [`Error::OrthogonalTooLarge`] and [`Error::DeviceLimit`].
    pub(super) fn new(limits: OrthogonalLimits, rows: u64, cols: u64) -> Result<Self, Error> {
        let elements = rows.checked_mul(cols).filter(|&e| e <= MAX_INDEX && rows.max(cols) <= MAX_INDEX);
        let Some(elements) = elements else { return Err(Error::OrthogonalTooLarge { rows, columns: cols }) };
        let mut plan = Self {
            limits,
            rows: rows.max(cols),
            columns: rows.min(cols),
            is_transposed: rows < cols,
            window: CHUNK.max(limits.alignment / QUAD_BYTES),
        };
        require(&[("max_buffer_size", limits.buffer, elements * WORD_BYTES)])?;
        if elements == 0 {
            return Ok(plan);
        }
        let needed = (plan.window * plan.stride() * QUAD_BYTES).max(STATE_BYTES);
        require(&[("max_storage_buffer_binding_size", limits.binding, needed)])?;
        let groups = ceiling_root(plan.max_groups(plan.window));
        require(&[("max_compute_workgroups_per_dimension", limits.workgroups, groups)])?;
        // As many whole smallest windows as the limits allow.
        let smallest = plan.window;
        let by_binding = limits.binding / (smallest * plan.stride() * QUAD_BYTES);
        let by_groups = limits.groups() / plan.max_groups(smallest);
        plan.window = smallest * by_binding.min(by_groups).max(1);
        Ok(plan)
    }

    /// The largest number of workgroups of a dispatch over so many rows. The number grows no faster than the rows.
    fn max_groups(&self, rows: u64) -> u64 {
        let across = self.stride().div_ceil(OrthogonalKernel::Update.workgroup_size().into());
        let update = rows / UPDATE_ROWS * across;
        let project = rows / CHUNK * across * self.width().div_ceil(4);
        let totals = (4 * self.width() * (self.width() + self.stride()))
            .div_ceil(OrthogonalKernel::Gather.workgroup_size().into());
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

    fn params(&self, key: Key, start: u64) -> OrthogonalParams {
        let column_blocks = self.rows.div_ceil(4);
        OrthogonalParams {
            seed: halves(key.seed),
            counter: halves(key.counter(start * column_blocks)),
            column_blocks: column_blocks as u32,
            rows: self.rows as u32,
            columns: self.columns as u32,
            start: start as u32,
            width: self.width() as u32,
            stride: self.stride() as u32,
            is_transposed: self.is_transposed.into(),
            ..OrthogonalParams::default()
        }
    }

    /// Computes the reflections of one panel and applies them.
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
            OrthogonalParams {
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
        let of_matrix = |params| OrthogonalParams {
            first_quad: (start / 4) as u32,
            quads: quads as u32,
            first_sum: width as u32,
            ..params
        };

        for (w, rows) in &windows {
            let params = params(*w, rows);
            self.step(steps, OrthogonalKernel::Normals, params, &[Scratch::Panel(*w), Scratch::Sums]);
            let params =
                OrthogonalParams { first_row: diagonal.start as u32, end_row: diagonal.end as u32, ..params };
            let bindings = [Scratch::Panel(first), Scratch::Sums, Scratch::Matrix(first), Scratch::State];
            self.step(steps, OrthogonalKernel::Reflect, params, &bindings);
        }
        for (w, rows) in &windows {
            let params = params(*w, rows);
            let gram = OrthogonalParams { stride: width as u32, quads: width as u32, ..params };
            let panel = Scratch::Panel(*w);
            self.step(steps, OrthogonalKernel::Project, gram, &[panel, panel, Scratch::Sums]);
            self.step(
                steps,
                OrthogonalKernel::Project,
                of_matrix(params),
                &[panel, Scratch::Matrix(*w), Scratch::Sums],
            );
            self.step(steps, OrthogonalKernel::Gather, params, &[Scratch::Sums, Scratch::Totals]);
        }
        let solve = of_matrix(params(first, &diagonal));
        self.step(steps, OrthogonalKernel::Solve, solve, &[Scratch::Totals, Scratch::State]);
        for (w, rows) in &windows {
            let bindings = [Scratch::Panel(*w), Scratch::Totals, Scratch::Matrix(*w)];
            self.step(steps, OrthogonalKernel::Update, of_matrix(params(*w, rows)), &bindings);
        }
    }

    /// Copies the windows into the result.
    fn store(&self, steps: &mut Vec<Step>) {
        let group = u64::from(OrthogonalKernel::Store.workgroup_size());
        let unit = (self.limits.alignment / WORD_BYTES).max(group);
        let max = (self.limits.binding / WORD_BYTES).min(self.limits.groups().saturating_mul(group));
        let part = (max / unit).max(1) * unit;
        let elements = self.rows * self.columns;
        for first in (0..elements).step_by(part as usize) {
            let end = (first + part).min(elements);
            for (w, rows) in self.windows().enumerate() {
                let is_apart = rows.end * self.columns <= first || end <= rows.start * self.columns;
                if is_apart && !self.is_transposed {
                    continue;
                }
                let params = OrthogonalParams {
                    first_row: rows.start as u32,
                    end_row: rows.end as u32,
                    first_element: first as u32,
                    end_element: end as u32,
                    ..self.params(Key::new(0), 0)
                };
                let result = Scratch::Result(first * WORD_BYTES, (end - first) * WORD_BYTES);
                self.step(steps, OrthogonalKernel::Store, params, &[Scratch::Matrix(w), result]);
            }
        }
    }

    fn step(
        &self,
        steps: &mut Vec<Step>,
        kernel: OrthogonalKernel,
        params: OrthogonalParams,
        bindings: &[Scratch],
    ) {
        let size = kernel.workgroup_size();
        let across = params.quads.div_ceil(size);
        let groups = match kernel {
            OrthogonalKernel::Normals => params.chunks,
            OrthogonalKernel::Reflect => 1,
            OrthogonalKernel::Project => across * params.chunks * params.width.div_ceil(4),
            OrthogonalKernel::Gather => (4 * params.width * params.sum_stride).div_ceil(size),
            OrthogonalKernel::Solve => (4 * params.quads).div_ceil(size),
            OrthogonalKernel::Update => {
                across * (params.end_row - params.first_row.max(params.start)).div_ceil(UPDATE_ROWS as u32)
            }
            OrthogonalKernel::Store => (params.end_element - params.first_element).div_ceil(size),
        };
        let down = u64::from(groups).div_ceil(self.limits.workgroups) as u32;
        let row = groups.div_ceil(down);
        steps.push(Step {
            kernel,
            params: OrthogonalParams { groups, group_row: row, ..params },
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

    const LIMITS: OrthogonalLimits =
        OrthogonalLimits { buffer: 1 << 40, binding: 128 << 20, alignment: 256, workgroups: 65_535 };

    #[test]
    fn every_step_keeps_to_the_limits() {
        for (rows, cols) in
            [(1, 1), (7, 1), (1, 7), (300, 300), (1000, 37), (37, 1000), (129, 127), (5000, 3)]
        {
            for binding in [4096, 40_000, 160_000, 1 << 20] {
                for workgroups in [1, 2, 5, 65_535] {
                    let limits = OrthogonalLimits { binding, workgroups, ..LIMITS };
                    let Ok(plan) = MatrixPlan::new(limits, rows, cols) else { continue };
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
                        for scratch in step.bindings {
                            if let Scratch::Result(offset, size) = scratch {
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
        let small = OrthogonalLimits { buffer: 256 << 20, ..LIMITS };
        assert!(MatrixPlan::new(small, 8192, 8192).is_ok());
        let error = MatrixPlan::new(small, 8193, 8192).unwrap_err().to_string();
        assert!(error.contains("max_buffer_size is 268435456"), "{error}");
        let error = MatrixPlan::new(LIMITS, 1 << 20, 1 << 12).unwrap_err().to_string();
        assert!(error.contains("1048576 x 4096"), "{error}");
        assert!(MatrixPlan::new(LIMITS, u64::MAX, 2).is_err());
        assert!(MatrixPlan::new(LIMITS, u64::MAX, 0).is_err());
        assert!(MatrixPlan::new(LIMITS, 65_535, 65_535).is_ok());
        let error =
            MatrixPlan::new(OrthogonalLimits { binding: 4096, ..LIMITS }, 100, 100).unwrap_err().to_string();
        assert!(error.contains("max_storage_buffer_binding_size is 4096"), "{error}");
    }
}
