//! What was measured, as a table and as JSON.

use comfy_table::CellAlignment;
use seedbed::wgpu;
use serde::{Deserialize, Serialize};

use super::cases::{Case, Work};
use super::sample::Seconds;
use crate::report::table;

/// The figures of one run. Each engine has an `E`, which depends on what is measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report<E> {
    seedbed: String,
    contract: u32,
    /// The elements of a fill, or of the largest one.
    pub elements: u64,
    /// The engines in the order in which they were measured.
    pub engines: Vec<E>,
}

impl<E> Report<E> {
    /// A report of this version of seedbed.
    pub fn new(elements: u64, engines: Vec<E>) -> Self {
        let seedbed = env!("CARGO_PKG_VERSION").into();
        Self { seedbed, contract: seedbed::CONTRACT_VERSION, elements, engines }
    }

    /// The versions of seedbed and of its numeric contract.
    pub fn version(&self) -> String {
        format!("{}, contract {}", self.seedbed, self.contract)
    }
}

/// The cases of one engine.
#[derive(Debug, Serialize)]
pub struct EngineReport {
    /// The name by which `--adapter` chooses the engine.
    pub name: String,
    /// The driver, or the threads of the host.
    pub driver: String,
    /// The first use of a device.
    pub first_use: Option<FirstUse>,
    /// The cases.
    pub rows: Vec<Row>,
}

/// The seconds that the first fill of a device takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FirstUse {
    /// Creating the pipelines.
    pub pipelines: f64,
    /// The first fill of a fresh buffer. wgpu writes zeros into the buffer before it.
    pub fill: f64,
    /// The same fill once more.
    pub second_fill: f64,
}

/// One case.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The name of the case.
    pub name: &'static str,
    /// The element type.
    pub dtype: String,
    /// The time from the submission to its end.
    pub wall: Seconds,
    /// The time between two timestamps of the queue, where it has them.
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
    /// The times of a case.
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
    /// The rows, compared with `clear` and with `native`.
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

    /// The table for a person.
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

/// The driver's name and version, as people know them.
pub fn driver(info: &wgpu::AdapterInfo) -> String {
    [info.driver.as_str(), info.driver_info.as_str()].join(" ").trim().to_owned()
}
