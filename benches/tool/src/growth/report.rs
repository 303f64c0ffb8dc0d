//! What was measured, as a table and as JSON that `--from` reads again.

use comfy_table::CellAlignment;
use seedbed::DType;
use seedbed_cli::bench::sample::Seconds;
use seedbed_cli::table;
use serde::{Deserialize, Serialize};

use super::fit::Fit;

/// The fills of one engine.
#[derive(Serialize, Deserialize)]
pub struct EngineReport {
    pub name: String,
    pub driver: String,
    /// The elements of the buffer, in which larger fills are made window by window.
    pub window_elements: u64,
    pub rows: Vec<Row>,
}

/// One kind of fill.
#[derive(Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub dtype: String,
    pub fit: Fit,
    pub points: Vec<Point>,
}

/// Fills of one size.
#[derive(Serialize, Deserialize)]
pub struct Point {
    pub elements: u64,
    /// More than one where the buffer is too small for all elements.
    pub windows: u64,
    pub repetitions: usize,
    /// The time from the first recorded command to the end of the wait.
    pub wall: Seconds,
    /// The time between two timestamps of the queue, where it has them.
    pub queue: Option<Seconds>,
}

impl Row {
    pub fn new(name: &str, dtype: DType, points: Vec<Point>) -> Self {
        let times: Vec<_> = points.iter().map(|point| (point.elements, point.wall.median)).collect();
        Self { name: name.into(), dtype: dtype.to_string(), fit: Fit::of(&times), points }
    }
}

impl EngineReport {
    /// The tables for a person: microseconds of every size, then the fits.
    pub fn table(&self) -> String {
        let names = self.rows.iter().map(|row| format!("{} us", row.name));
        let mut times = table(["elements"]);
        times.set_header(["elements".to_owned()].into_iter().chain(names).chain(["windows".into()]));
        for (at, point) in self.rows.first().map_or(&[][..], |row| &row.points).iter().enumerate() {
            let of_row = |row: &Row| row.points.get(at).map_or_else(String::new, |p| micro(p.wall.median));
            let cells = self.rows.iter().map(of_row);
            let ends = [point.elements, point.windows].map(|number| number.to_string());
            let [elements, windows] = ends;
            times.add_row([elements].into_iter().chain(cells).chain([windows]));
        }
        for column in times.column_iter_mut() {
            column.set_padding((0, 2)).set_cell_alignment(CellAlignment::Right);
        }
        let mut fits = table(["", "type", "launch us", "Melem/s", "knee elements", "furthest"]);
        for Row { name, dtype, fit, .. } in &self.rows {
            fits.add_row([
                name.clone(),
                dtype.clone(),
                micro(fit.launch_seconds),
                or_dash(fit.elements_per_second, |rate| format!("{:.0}", rate / 1e6)),
                or_dash(fit.knee_elements, |knee| format!("{knee:.0}")),
                or_dash(fit.furthest, |factor| format!("{factor:.1} x")),
            ]);
        }
        for column in fits.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let (times, fits) = (times.trim_fmt(), fits.trim_fmt());
        format!("{} ({})\n{times}\n\n{fits}\n\n", self.name, self.driver)
    }
}

/// A number, or a dash where there is none.
pub fn or_dash(value: Option<f64>, text: fn(f64) -> String) -> String {
    value.map_or_else(|| "-".into(), text)
}

fn micro(seconds: f64) -> String {
    let micro = seconds * 1e6;
    if micro < 100.0 { format!("{micro:.2}") } else { format!("{micro:.0}") }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// An engine that made constants in these times.
    pub fn engine(times: &[(u64, f64)]) -> EngineReport {
        let wall = |median| Seconds { median, first_quartile: median, third_quartile: median };
        let points = times
            .iter()
            .map(|&(elements, time)| Point {
                elements,
                windows: elements.div_ceil(1024),
                repetitions: 3,
                wall: wall(time),
                queue: None,
            })
            .collect();
        let rows = vec![Row::new("constant", DType::F32, points)];
        EngineReport { name: "gpu".into(), driver: "1.0".into(), window_elements: 1024, rows }
    }

    #[test]
    fn the_table_has_every_size_and_the_fit() {
        let text = engine(&[(1, 1e-5), (1024, 2e-5), (4096, 1e-3)]).table();
        assert!(text.contains("\n    4096         1000        4\n"), "{text}");
        let fit = text.lines().rfind(|line| line.starts_with("constant")).unwrap();
        assert_eq!(
            fit.split_whitespace().collect::<Vec<_>>(),
            ["constant", "f32", "10.00", "4", "41", "12.9", "x"]
        );
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        let text = engine(&[(1, 1e-5), (4, 1e-5)]).table();
        assert!(text.contains("10.00        -              -         -\n"), "{text}");
    }
}
