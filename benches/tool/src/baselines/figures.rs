//! The figures of one round: seedbed's, those of the shapes, and those that the baselines print.

use seedbed_cli::bench::report::EngineReport;
use seedbed_cli::bench::sample::median;
use serde::Deserialize;

use crate::shapes;

/// One figure. The baselines print it as a line of JSON.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Figure {
    /// "seedbed, " and the engine, or the baseline.
    pub name: String,
    pub version: Option<String>,
    pub case: String,
    pub dtype: String,
    pub elements: f64,
    /// Wall time.
    pub seconds: f64,
}

/// The name of seedbed's constant that was measured in turns with the shapes. The adapter's name follows, as
/// in the names below.
pub const IN_TURNS: &str = "seedbed, in turns with store shapes";
/// The name of every shape. The version says which shape it is.
const SHAPE: &str = "store shape";
/// The name of the fastest shape in a report.
pub const BEST_SHAPE: &str = "best store shape";
/// The name of the plain shape in a report.
pub const PLAIN_SHAPE: &str = "plain store shape";

/// The figures of an adapter's shapes, and of the constant beside them.
pub fn of_shapes(elements: u64, engine: &shapes::EngineReport) -> Vec<Figure> {
    let figure = |name: &str, version, time: &shapes::Time| Figure {
        name: format!("{name}, {}", engine.name),
        version,
        case: "constant".into(),
        dtype: "f32".into(),
        elements: elements as f64,
        seconds: time.wall.median,
    };
    let mut figures = vec![figure(IN_TURNS, None, &engine.constant)];
    figures.extend(engine.shapes.iter().map(|row| figure(SHAPE, Some(row.shape.to_string()), &row.time)));
    figures
}

impl Figure {
    /// Whether both figures measure the same thing.
    fn is_like(&self, other: &Self) -> bool {
        let what = |f: &Self| (f.name.clone(), f.version.clone(), f.case.clone(), f.dtype.clone());
        what(self) == what(other)
    }

    /// Elements a second.
    pub fn rate(&self) -> f64 {
        self.elements / self.seconds
    }

    /// Reads what a baseline printed. Lines that are no figures are for a person.
    pub fn read_lines(lines: &str) -> Vec<Self> {
        lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// What was measured once.
#[derive(Debug, Default)]
pub struct Round {
    pub engines: Vec<EngineReport>,
    pub figures: Vec<Figure>,
}

impl Round {
    /// A round that has seedbed's figures.
    pub fn of(elements: u64, engines: Vec<EngineReport>) -> Self {
        let rows = engines.iter().flat_map(|engine| engine.rows.iter().map(move |row| (engine, row)));
        let figures = rows
            .map(|(engine, row)| Figure {
                name: format!("seedbed, {}", engine.name),
                version: None,
                case: row.name.into(),
                dtype: row.dtype.clone(),
                elements: elements as f64,
                // The baselines have no other clock.
                seconds: row.wall.median,
            })
            .collect();
        Self { engines, figures }
    }
}

/// The figures of all rounds, with the medians of their times.
pub fn medians(rounds: &[Round]) -> Vec<Figure> {
    let mut all: Vec<Figure> = Vec::new();
    for figure in rounds.iter().flat_map(|round| &round.figures) {
        if !all.iter().any(|known| known.is_like(figure)) {
            all.push(figure.clone());
        }
    }
    for figure in &mut all {
        let alike = rounds.iter().flat_map(|round| &round.figures).filter(|other| other.is_like(figure));
        figure.seconds = median(alike.map(|other| other.seconds).collect()).unwrap_or(f64::NAN);
    }
    all
}

/// The figures that are reported: of the shapes, only the best and the plain one.
pub fn reported(figures: &[Figure]) -> Vec<Figure> {
    let (shapes, mut reported): (Vec<_>, Vec<_>) =
        figures.iter().cloned().partition(|figure| figure.name.starts_with(SHAPE));
    let best = shapes.iter().max_by(|a, b| a.rate().total_cmp(&b.rate()));
    let plain = shapes.iter().find(|shape| shape.version == Some(shapes::PLAIN.to_string()));
    for (name, shape) in [(BEST_SHAPE, best), (PLAIN_SHAPE, plain)] {
        reported
            .extend(shape.map(|shape| Figure { name: shape.name.replacen(SHAPE, name, 1), ..shape.clone() }));
    }
    reported
}

/// The adapter that a user would have: the first that is neither the host nor SwiftShader, which is here for
/// tests alone.
pub fn usual_adapter(engines: &[EngineReport]) -> Option<&str> {
    let mut names = engines.iter().map(|engine| engine.name.as_str());
    names.find(|name| *name != "host" && !name.contains("SwiftShader"))
}

#[cfg(test)]
mod tests {
    use seedbed::DType;
    use seedbed_cli::bench::cases::{Case, Work};
    use seedbed_cli::bench::report::Row;
    use seedbed_cli::bench::sample::Seconds;

    use super::*;
    use crate::shapes::{Order, Shape};

    #[test]
    fn lines_become_figures() {
        let lines = r#"Traceback, say
{"name": "burn", "version": "1", "case": "normal", "dtype": "f32", "elements": 32, "seconds": 8.0}
{"name": "burn", "version": "1", "case": "normal", "dtype": "f32", "seconds": 8.0}
"#;
        let [figure] = &Figure::read_lines(lines)[..] else { panic!() };
        assert_eq!((figure.name.as_str(), figure.rate()), ("burn", 4.0));
    }

    #[test]
    fn the_best_shape_by_the_medians_is_reported_and_the_plain_one() {
        let time = |seconds| shapes::Time::of(&[(seconds, None)], 12);
        let round = |times: [f64; 3]| {
            let other = Shape { invocations: 64, vectors: 8, order: Order::Strided };
            let shapes = [Shape { invocations: 64, ..shapes::PLAIN }, shapes::PLAIN, other];
            let rows = shapes.into_iter().zip(times);
            let rows = rows.map(|(shape, seconds)| shapes::Row { shape, time: time(seconds) }).collect();
            let engine = shapes::EngineReport::new("gpu".into(), String::new(), rows, time(3.0));
            Round { figures: of_shapes(12, &engine), ..Round::default() }
        };
        // The first shape is the best of one round, the last one that of all.
        let rounds = [round([1.0, 6.0, 2.0]), round([9.0, 6.0, 2.0]), round([9.0, 6.0, 2.0])];
        let reported = reported(&medians(&rounds));
        let reported: Vec<_> =
            reported.iter().map(|f| (f.name.as_str(), f.version.as_deref(), f.rate())).collect();
        assert_eq!(
            reported,
            [
                ("seedbed, in turns with store shapes, gpu", None, 4.0),
                ("best store shape, gpu", Some("workgroups of 64, 8 to an invocation, strided"), 6.0),
                ("plain store shape, gpu", Some("workgroups of 256, 1 to an invocation, blocked"), 2.0),
            ]
        );
    }

    #[test]
    fn the_figures_of_seedbed_are_by_the_walls_time() {
        let seconds = |median| Seconds { median, first_quartile: 0.0, third_quartile: 9.0 };
        let case = Case { name: "normal", work: Work::Clear, dtype: DType::F32 };
        let engine = |name: &str, rows| EngineReport::new(name.into(), "Mesa".into(), None, rows);
        let row = Row::new(&case, 100, seconds(4.0), Some(seconds(3.0)));
        let engines = vec![
            engine("vulkan/SwiftShader", vec![]),
            engine("vulkan/llvmpipe", vec![row]),
            engine("host", vec![]),
        ];
        let round = Round::of(100, engines);
        assert_eq!(usual_adapter(&round.engines), Some("vulkan/llvmpipe"));
        let [figure] = &round.figures[..] else { panic!("{round:?}") };
        assert_eq!((figure.name.as_str(), figure.rate()), ("seedbed, vulkan/llvmpipe", 25.0));
        assert_eq!((figure.case.as_str(), figure.dtype.as_str()), ("normal", "f32"));
        assert_eq!(usual_adapter(&round.engines[2..]), None);
    }

    #[test]
    fn rounds_become_medians() {
        let figure = |case: &str, seconds| Figure {
            name: "host".into(),
            version: None,
            case: case.into(),
            dtype: "f32".into(),
            elements: 1.0,
            seconds,
        };
        let round = |figures: &[Figure]| Round { figures: figures.to_vec(), ..Round::default() };
        let rounds = [
            round(&[figure("a", 9.0)]),
            round(&[figure("a", 2.0), figure("b", 1.0)]),
            round(&[figure("a", 3.0), figure("b", 2.0)]),
        ];
        assert_eq!(medians(&rounds), [figure("a", 3.0), figure("b", 1.5)]);
        assert_eq!(medians(&rounds[..1]), rounds[0].figures);
        assert_eq!(medians(&[]), []);
    }
}
