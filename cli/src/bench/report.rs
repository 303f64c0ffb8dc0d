//! What was measured, as a table and as JSON.

use comfy_table::CellAlignment;
use serde::Serialize;

use super::sample::Seconds;
use super::{Case, Work};
use crate::report::table;

/// Of engines, each with an `E` of its own.
#[derive(Serialize)]
pub struct Report<E> {
    seedbed: &'static str,
    contract: u32,
    /// Of a fill, or of the largest.
    elements: u64,
    engines: Vec<E>,
}

impl<E> Report<E> {
    pub fn new(elements: u64, engines: Vec<E>) -> Self {
        Self { seedbed: env!("CARGO_PKG_VERSION"), contract: seedbed::CONTRACT_VERSION, elements, engines }
    }
}

/// One engine.
#[derive(Serialize)]
pub struct EngineReport {
    pub name: String,
    driver: String,
    first_use: Option<FirstUse>,
    rows: Vec<Row>,
}

/// Seconds that a device's first fill takes.
#[derive(Serialize)]
pub struct FirstUse {
    /// Creating the pipelines.
    pub pipelines: f64,
    /// The first fill of a fresh buffer, which wgpu zeroes before.
    pub fill: f64,
    /// The same fill once more.
    pub second_fill: f64,
}

/// One case.
#[derive(Serialize)]
pub struct Row {
    name: &'static str,
    dtype: String,
    /// From the submission to its end.
    wall: Seconds,
    /// Between two timestamps of the queue, where it has them.
    queue: Option<Seconds>,
    /// By the queue's time, or else the wall's.
    elements_per_second: f64,
    bytes_per_second: f64,
    /// The bytes per second, as a part of `clear`'s.
    of_clear: Option<f64>,
    /// The elements per second, as a part of those of the same normals by the device's own functions.
    of_native: Option<f64>,
    #[serde(skip)]
    work: Work,
}

impl Row {
    pub fn new(case: &Case, elements: u64, wall: Seconds, queue: Option<Seconds>) -> Self {
        let seconds = queue.unwrap_or(wall).median;
        Self {
            name: case.name,
            dtype: case.dtype.to_string(),
            wall,
            queue,
            elements_per_second: elements as f64 / seconds,
            bytes_per_second: (elements * case.dtype.size()) as f64 / seconds,
            of_clear: None,
            of_native: None,
            work: case.work,
        }
    }
}

impl EngineReport {
    pub fn new(name: String, driver: String, first_use: Option<FirstUse>, mut rows: Vec<Row>) -> Self {
        let clear = rows.iter().find(|row| row.work == Work::Clear).map(|row| row.bytes_per_second);
        for row in &mut rows {
            row.of_clear = clear.map(|clear| row.bytes_per_second / clear);
        }
        let natives: Vec<_> = rows
            .iter()
            .filter_map(|row| match row.work {
                Work::Native(init) => Some((init, row.dtype.clone(), row.elements_per_second)),
                _ => None,
            })
            .collect();
        for row in &mut rows {
            let Work::Fill(init) = row.work else { continue };
            let native = natives.iter().find(|(of, dtype, _)| *of == init && *dtype == row.dtype);
            row.of_native = native.map(|(_, _, native)| row.elements_per_second / native);
        }
        Self { name, driver, first_use, rows }
    }

    /// For a person.
    pub fn table(&self) -> String {
        let header =
            ["", "type", "Melem/s", "GB/s", "of clear", "of native", "wall ms", "queue ms", "spread"];
        let mut table = table(header);
        for row in &self.rows {
            let part = |part: Option<f64>| part.map_or_else(|| "-".into(), |part| format!("{part:.3}"));
            table.add_row([
                row.name.to_owned(),
                row.dtype.clone(),
                format!("{:.0}", row.elements_per_second / 1e6),
                format!("{:.2}", row.bytes_per_second / 1e9),
                part(row.of_clear),
                part(row.of_native),
                format!("{:.3}", row.wall.median * 1e3),
                row.queue.map_or_else(|| "-".into(), |queue| format!("{:.3}", queue.median * 1e3)),
                format!("{:.0} %", row.queue.unwrap_or(row.wall).spread() * 100.0),
            ]);
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let first = self.first_use.as_ref().map_or_else(String::new, |first| {
            format!(
                "first use of xavier_normal f32: pipelines {:.1} ms, the first fill {:.1} ms, the second {:.1} ms\n",
                first.pipelines * 1e3,
                first.fill * 1e3,
                first.second_fill * 1e3
            )
        });
        format!("{} ({})\n{}\n{first}\n", self.name, self.driver, table.trim_fmt())
    }
}
