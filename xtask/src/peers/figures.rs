//! What the programs print, as figures.

use anyhow::{Context, Result};
use serde_json::Value;

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// "seedbed, " and the engine, or the peer.
    pub who: String,
    pub version: Option<String>,
    pub case: String,
    pub dtype: String,
    pub elements: f64,
    /// Wall time.
    pub seconds: f64,
}

/// A constant, measured in turns with the shapes.
pub const OF_SHAPES: &str = "seedbed, in turns with store shapes";
/// The fastest other kernel that stores a constant. Its version says which.
pub const BEST_SHAPE: &str = "best store shape";
/// The one that everybody writes.
pub const PLAIN_SHAPE: &str = "plain store shape";

/// What is told of `seedbed bench --shapes --json`.
pub fn read_shapes(json: &[u8]) -> Result<Vec<Figure>> {
    let report: Value = serde_json::from_slice(json).context("`seedbed bench --shapes` wrote no JSON")?;
    shapes_of(&report).context("`seedbed bench --shapes` wrote JSON that lacks something")
}

fn shapes_of(report: &Value) -> Option<Vec<Figure>> {
    let (elements, engine) = (report["elements"].as_f64()?, &report["engines"][0]);
    let figure = |who: &str, version, seconds: &Value| {
        let (case, dtype) = ("constant".into(), "f32".into());
        Some(Figure { who: who.into(), version, case, dtype, elements, seconds: seconds["median"].as_f64()? })
    };
    let of_shape = |who, shape: &Value| {
        let (invocations, vectors) = (&shape["invocations"], &shape["vectors"]);
        let version =
            format!("{invocations} invocations, {vectors} vectors each, {}", shape["order"].as_str()?);
        figure(who, Some(version), &shape["seconds"])
    };
    let shapes = engine["shapes"].as_array()?;
    let rate = |shape: &&Value| shape["elements_per_second"].as_f64().unwrap_or(0.0);
    let best = shapes.iter().max_by(|a, b| rate(a).total_cmp(&rate(b)))?;
    let plain = shapes.iter().find(|shape| shape["invocations"] == 256 && shape["vectors"] == 1)?;
    Some(vec![
        figure(OF_SHAPES, None, &engine["constant"])?,
        of_shape(BEST_SHAPE, best)?,
        of_shape(PLAIN_SHAPE, plain)?,
    ])
}

impl Figure {
    /// Whether both are of the same thing.
    fn is_like(&self, other: &Self) -> bool {
        let what = |figure: &Self| (figure.who.clone(), figure.case.clone(), figure.dtype.clone());
        what(self) == what(other)
    }

    /// Elements a second.
    pub fn rate(&self) -> f64 {
        self.elements / self.seconds
    }

    /// A peer's lines of JSON. Other lines are for a person.
    pub fn read_lines(lines: &[u8]) -> Vec<Self> {
        String::from_utf8_lossy(lines).lines().filter_map(Self::read).collect()
    }

    fn read(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        Some(Self {
            who: text("peer")?,
            version: Some(text("version")?),
            case: text("case")?,
            dtype: text("dtype")?,
            elements: value["elements"].as_f64()?,
            seconds: value["seconds"].as_f64()?,
        })
    }
}

/// An engine of seedbed's.
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    pub name: String,
    pub driver: String,
    pub first_use: Option<FirstUse>,
}

/// Seconds that a device's first fill takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FirstUse {
    pub pipelines: f64,
    pub fill: f64,
    pub second_fill: f64,
}

/// What `seedbed bench --json` wrote, and the peers' figures behind it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bench {
    /// The version of seedbed, and of its contract.
    pub version: String,
    pub engines: Vec<Engine>,
    pub figures: Vec<Figure>,
}

impl Bench {
    pub fn read(json: &[u8]) -> Result<Self> {
        let report: Value = serde_json::from_slice(json).context("`seedbed bench` wrote no JSON")?;
        Self::of(&report).context("`seedbed bench` wrote JSON that lacks something")
    }

    fn of(report: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let elements = report["elements"].as_f64()?;
        let mut bench = Self {
            version: format!("{}, contract {}", text(&report["seedbed"])?, report["contract"]),
            ..Self::default()
        };
        for engine in report["engines"].as_array()? {
            let name = text(&engine["name"])?;
            for row in engine["rows"].as_array()? {
                bench.figures.push(Figure {
                    who: format!("seedbed, {name}"),
                    version: None,
                    case: text(&row["name"])?,
                    dtype: text(&row["dtype"])?,
                    elements,
                    // The peers have no other clock.
                    seconds: row["wall"]["median"].as_f64()?,
                });
            }
            let first = &engine["first_use"];
            let first_use = first["pipelines"].as_f64().zip(first["fill"].as_f64());
            let first_use = first_use.zip(first["second_fill"].as_f64());
            let first_use =
                first_use.map(|((pipelines, fill), second_fill)| FirstUse { pipelines, fill, second_fill });
            bench.engines.push(Engine { name, driver: text(&engine["driver"])?, first_use });
        }
        Some(bench)
    }

    /// All rounds in one, by the medians of their times. A first use there is only in the first.
    pub fn medians(rounds: &[Self]) -> Self {
        let mut all = rounds.first().cloned().unwrap_or_default();
        for figure in rounds.iter().flat_map(|round| &round.figures) {
            if !all.figures.iter().any(|known| known.is_like(figure)) {
                all.figures.push(figure.clone());
            }
        }
        for figure in &mut all.figures {
            let alike = rounds.iter().flat_map(|round| &round.figures).filter(|other| other.is_like(figure));
            let mut times: Vec<_> = alike.map(|other| other.seconds).collect();
            times.sort_by(f64::total_cmp);
            let middle = |index: usize| times.get(index).copied().unwrap_or(f64::NAN);
            figure.seconds = (middle(times.len().saturating_sub(1) / 2) + middle(times.len() / 2)) / 2.0;
        }
        all
    }

    /// The adapter that a user would have: the first that is neither the host nor the one that is here for tests alone.
    pub fn usual_adapter(&self) -> Option<&str> {
        let mut names = self.engines.iter().map(|engine| engine.name.as_str());
        names.find(|name| *name != "host" && !name.contains("SwiftShader"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_figures() {
        let lines = br#"Traceback, say
{"peer": "burn", "version": "1", "case": "normal", "dtype": "f32", "elements": 32, "seconds": 8.0}
{"peer": "burn", "version": "1", "case": "normal", "dtype": "f32", "seconds": 8.0}
"#;
        let [figure] = &Figure::read_lines(lines)[..] else { panic!() };
        assert_eq!((figure.who.as_str(), figure.rate()), ("burn", 4.0));
    }

    #[test]
    fn the_best_shape_and_the_plain_one_are_told() {
        let report = br#"{"elements": 12, "engines": [{"name": "vulkan/llvmpipe", "constant": {"median": 3.0}, "shapes": [
            {"invocations": 64, "vectors": 1, "order": "blocked", "seconds": {"median": 9.0}, "elements_per_second": 1.3},
            {"invocations": 256, "vectors": 1, "order": "blocked", "seconds": {"median": 6.0}, "elements_per_second": 2.0},
            {"invocations": 64, "vectors": 8, "order": "strided", "seconds": {"median": 2.0}, "elements_per_second": 6.0}]}]}"#;
        let figures = read_shapes(report).unwrap();
        let told: Vec<_> = figures.iter().map(|f| (f.who.as_str(), f.version.as_deref(), f.rate())).collect();
        assert_eq!(
            told,
            [
                (OF_SHAPES, None, 4.0),
                (BEST_SHAPE, Some("64 invocations, 8 vectors each, strided"), 6.0),
                (PLAIN_SHAPE, Some("256 invocations, 1 vectors each, blocked"), 2.0),
            ]
        );
        assert!(read_shapes(br#"{"elements": 12, "engines": []}"#).is_err() && read_shapes(b"").is_err());
    }

    #[test]
    fn the_report_of_seedbed_is_read() {
        let report = br#"{"seedbed": "0.1.0", "contract": 1, "elements": 100, "engines": [
            {"name": "vulkan/SwiftShader", "driver": "d", "first_use": null, "rows": []},
            {"name": "vulkan/llvmpipe", "driver": "Mesa",
             "first_use": {"pipelines": 0.5, "fill": 2.0, "second_fill": 1.0},
             "rows": [{"name": "normal", "dtype": "f32", "wall": {"median": 4.0}, "elements_per_second": 30.0}]},
            {"name": "host", "driver": "2 threads", "first_use": null, "rows": []}]}"#;
        let bench = Bench::read(report).unwrap();
        assert_eq!(bench.version, "0.1.0, contract 1");
        assert_eq!(bench.usual_adapter(), Some("vulkan/llvmpipe"));
        let first_use = FirstUse { pipelines: 0.5, fill: 2.0, second_fill: 1.0 };
        assert_eq!(bench.engines[1].first_use, Some(first_use));
        assert_eq!(bench.engines[2].first_use, None);
        let [figure] = &bench.figures[..] else { panic!("{bench:?}") };
        // By the wall's time, not the queue's.
        assert_eq!((figure.who.as_str(), figure.rate()), ("seedbed, vulkan/llvmpipe", 25.0));
        assert!(Bench::read(b"{}").is_err() && Bench::read(b"").is_err());
    }

    #[test]
    fn rounds_become_medians() {
        let figure = |case: &str, seconds| Figure {
            who: "host".into(),
            version: None,
            case: case.into(),
            dtype: "f32".into(),
            elements: 1.0,
            seconds,
        };
        let round = |figures: &[Figure]| Bench { figures: figures.to_vec(), ..Bench::default() };
        let rounds = [
            round(&[figure("a", 9.0)]),
            round(&[figure("a", 2.0), figure("b", 1.0)]),
            round(&[figure("a", 3.0), figure("b", 2.0)]),
        ];
        assert_eq!(Bench::medians(&rounds).figures, [figure("a", 3.0), figure("b", 1.5)]);
        assert_eq!(Bench::medians(&rounds[..1]), rounds[0]);
        assert_eq!(Bench::medians(&[]), Bench::default());
    }
}
