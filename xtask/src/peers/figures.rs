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

/// Behind these names is the adapter's. A constant, measured in turns with the shapes:
pub const OF_SHAPES: &str = "seedbed, in turns with store shapes";
/// Another kernel that stores a constant. Its version says which.
const SHAPE: &str = "store shape";
/// The fastest of those.
pub const BEST_SHAPE: &str = "best store shape";
/// The one that comes to mind first.
pub const PLAIN_SHAPE: &str = "plain store shape";
const PLAIN: &str = "workgroups of 256, 1 to an invocation, blocked";

/// What `seedbed bench --shapes --json` wrote.
pub fn read_shapes(json: &[u8]) -> Result<Vec<Figure>> {
    let report: Value = serde_json::from_slice(json).context("`seedbed bench --shapes` wrote no JSON")?;
    shapes_of(&report).context("`seedbed bench --shapes` wrote JSON that lacks something")
}

fn shapes_of(report: &Value) -> Option<Vec<Figure>> {
    let (elements, engine) = (report["elements"].as_f64()?, &report["engines"][0]);
    let adapter = engine["name"].as_str()?;
    let figure = |who: &str, version, time: &Value| {
        let (who, case, dtype) = (format!("{who}, {adapter}"), "constant".into(), "f32".into());
        Some(Figure { who, version, case, dtype, elements, seconds: time["wall"]["median"].as_f64()? })
    };
    let mut figures = vec![figure(OF_SHAPES, None, &engine["constant"])?];
    for shape in engine["shapes"].as_array()? {
        let (invocations, vectors) = (&shape["invocations"], &shape["vectors"]);
        let order = shape["order"].as_str()?;
        let version = format!("workgroups of {invocations}, {vectors} to an invocation, {order}");
        figures.push(figure(SHAPE, Some(version), shape)?);
    }
    Some(figures)
}

impl Figure {
    /// Whether both are of the same thing.
    fn is_like(&self, other: &Self) -> bool {
        let what = |f: &Self| (f.who.clone(), f.version.clone(), f.case.clone(), f.dtype.clone());
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

    /// The figures that are told: of the shapes, the best and the plain one.
    pub fn told(&self) -> Vec<Figure> {
        let (shapes, mut told): (Vec<_>, Vec<_>) =
            self.figures.iter().cloned().partition(|figure| figure.who.starts_with(SHAPE));
        let best = shapes.iter().max_by(|a, b| a.rate().total_cmp(&b.rate()));
        let plain = shapes.iter().find(|shape| shape.version.as_deref() == Some(PLAIN));
        for (name, shape) in [(BEST_SHAPE, best), (PLAIN_SHAPE, plain)] {
            told.extend(
                shape.map(|shape| Figure { who: shape.who.replacen(SHAPE, name, 1), ..shape.clone() }),
            );
        }
        told
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
    fn the_best_shape_by_the_medians_is_told_and_the_plain_one() {
        let round = |times: [f64; 3]| {
            let [first, plain, other] = times;
            let report = format!(
                r#"{{"elements": 12, "engines": [{{"name": "gpu", "constant": {{"wall": {{"median": 3.0}}}}, "shapes": [
                {{"invocations": 64, "vectors": 1, "order": "blocked", "wall": {{"median": {first}}}}},
                {{"invocations": 256, "vectors": 1, "order": "blocked", "wall": {{"median": {plain}}}}},
                {{"invocations": 64, "vectors": 8, "order": "strided", "wall": {{"median": {other}}}}}]}}]}}"#
            );
            Bench { figures: read_shapes(report.as_bytes()).unwrap(), ..Bench::default() }
        };
        // The first shape is the best of one round, the last one is that of all.
        let rounds = [round([1.0, 6.0, 2.0]), round([9.0, 6.0, 2.0]), round([9.0, 6.0, 2.0])];
        let told = Bench::medians(&rounds).told();
        let told: Vec<_> = told.iter().map(|f| (f.who.as_str(), f.version.as_deref(), f.rate())).collect();
        assert_eq!(
            told,
            [
                ("seedbed, in turns with store shapes, gpu", None, 4.0),
                ("best store shape, gpu", Some("workgroups of 64, 8 to an invocation, strided"), 6.0),
                ("plain store shape, gpu", Some(PLAIN), 2.0),
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
