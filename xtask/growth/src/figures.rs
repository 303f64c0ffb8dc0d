//! What `seedbed bench --growth --json` wrote.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Figures {
    /// Of the largest fill.
    pub elements: u64,
    pub engines: Vec<Engine>,
}

#[derive(Deserialize)]
pub struct Engine {
    pub name: String,
    pub driver: String,
    pub window_elements: u64,
    pub rows: Vec<Row>,
}

/// One kind of fill.
#[derive(Deserialize)]
pub struct Row {
    pub name: String,
    pub dtype: String,
    pub fit: Fit,
    pub points: Vec<Point>,
}

#[derive(Deserialize)]
pub struct Fit {
    pub launch_seconds: f64,
    pub elements_per_second: Option<f64>,
    pub knee_elements: Option<f64>,
    pub furthest: Option<f64>,
}

#[derive(Deserialize)]
pub struct Point {
    pub elements: u64,
    pub wall: Seconds,
}

#[derive(Deserialize)]
pub struct Seconds {
    pub median: f64,
}

impl Figures {
    pub fn read(json: &Path) -> Result<Self> {
        let name = json.display();
        let text = fs::read(json).with_context(|| format!("cannot read {name}"))?;
        let figures: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{name} is not what `seedbed bench --growth --json` writes"))?;
        ensure!(figures.points().next().is_some(), "{name} has no measurements");
        for point in figures.points() {
            let seconds = point.wall.median;
            // Neither zero nor infinity has a place on a logarithmic axis.
            let drawable = point.elements > 0 && seconds > 0.0 && seconds.is_finite();
            ensure!(drawable, "{name}: {} elements in {seconds} s cannot be drawn", point.elements);
        }
        Ok(figures)
    }

    pub fn rows(&self) -> impl Iterator<Item = (&Engine, &Row)> {
        self.engines.iter().flat_map(|engine| engine.rows.iter().map(move |row| (engine, row)))
    }

    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.rows().flat_map(|(_, row)| &row.points)
    }

    /// The kinds of fills, in the order in which they come.
    pub fn kinds(&self) -> Vec<String> {
        let mut kinds = Vec::new();
        for kind in self.rows().map(|(_, row)| row.kind()) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }
}

impl Row {
    pub fn kind(&self) -> String {
        format!("{} {}", self.name, self.dtype)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Two engines, of which one has no knee.
    pub const JSON: &str = r#"{"elements": 1048576, "engines": [
        {"name": "vulkan/A <B> & C", "driver": "1.0", "window_elements": 262144, "rows": [
            {"name": "clear", "dtype": "f32",
                "fit": {"launch_seconds": 3e-6, "elements_per_second": 333e6, "knee_elements": 1000, "furthest": 1.5},
                "points": [{"elements": 1, "wall": {"median": 3e-6}}, {"elements": 1048576, "wall": {"median": 3e-3}}]},
            {"name": "normal", "dtype": "f32",
                "fit": {"launch_seconds": 2e-5, "elements_per_second": 1e8, "knee_elements": 2000, "furthest": 1.5},
                "points": [{"elements": 1, "wall": {"median": 2e-5}}, {"elements": 1048576, "wall": {"median": 1e-2}}]}]},
        {"name": "host", "driver": "2 threads", "window_elements": 1048576, "rows": [
            {"name": "clear", "dtype": "f32",
                "fit": {"launch_seconds": 1e-6, "elements_per_second": null, "knee_elements": null, "furthest": null},
                "points": [{"elements": 1, "wall": {"median": 1e-6}}]}]}]}"#;

    pub fn example() -> Figures {
        serde_json::from_str(JSON).unwrap()
    }

    #[test]
    fn kinds_come_once() {
        assert_eq!(example().kinds(), ["clear f32", "normal f32"]);
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let json = folder.path().join("growth.json");
        let row = r#"{"name": "clear", "dtype": "f32", "fit": {"launch_seconds": 0},
            "points": [{"elements": 1, "wall": {"median": 0}}]}"#;
        for (contents, message) in [
            ("{".to_owned(), "is not what"),
            (r#"{"elements": 1, "engines": []}"#.to_owned(), "no measurements"),
            (
                format!(
                    r#"{{"elements": 1, "engines":
                    [{{"name": "a", "driver": "", "window_elements": 1, "rows": [{row}]}}]}}"#
                ),
                "cannot be drawn",
            ),
        ] {
            fs::write(&json, contents).unwrap();
            let error = format!("{:#}", Figures::read(&json).err().unwrap());
            assert!(error.contains(message), "{error}");
        }
        assert!(Figures::read(&folder.path().join("none")).is_err());
    }
}
