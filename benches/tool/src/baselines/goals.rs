//! The ratios that the project sets itself, by the figures of one run.

use std::fmt;

use super::figures::{BEST_SHAPE, Figure, IN_TURNS, PLAIN_SHAPE, Round, medians, reported, usual_adapter};

/// A ratio of two speeds of f32, and its threshold.
struct Goal {
    of: Row,
    to: Row,
    threshold: Threshold,
}

/// The figures that a ratio compares.
struct Row {
    name: Name,
    case: &'static str,
}

/// The maker of a figure.
#[derive(Clone, Copy)]
enum Name {
    /// seedbed on the usual adapter: lavapipe, where there is no GPU.
    Adapter,
    /// seedbed on the host.
    Host,
    /// burn on the same adapter.
    Burn,
    /// Every baseline whose name begins like this.
    Baseline(&'static str),
}

#[derive(Clone, Copy)]
enum Threshold {
    AtLeast(f64),
    MoreThan(f64),
    /// The ratio is of interest, and has no threshold.
    Open,
}

impl Row {
    fn is(&self, figure: &Figure, adapter: Option<&str>) -> bool {
        let on_adapter = |prefix| adapter.is_some() && figure.name.strip_prefix(prefix) == adapter;
        let place = match self.name {
            Name::Adapter => on_adapter("seedbed, "),
            Name::Host => figure.name == "seedbed, host",
            Name::Burn => on_adapter("burn wgpu, "),
            Name::Baseline(name) => figure.name.starts_with(name),
        };
        place && figure.case == self.case && figure.dtype == "f32"
    }
}

impl Threshold {
    fn is_reached_by(self, ratio: f64) -> &'static str {
        match self {
            Self::AtLeast(min) if ratio >= min => "reached",
            Self::MoreThan(bound) if ratio > bound => "reached",
            Self::Open => "-",
            _ => "not reached",
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(min) => write!(f, "≥ {min}"),
            Self::MoreThan(bound) => write!(f, "> {bound}"),
            Self::Open => f.write_str("-"),
        }
    }
}

fn goals() -> Vec<Goal> {
    use Name::{Adapter, Baseline, Burn, Host};
    use Threshold::{AtLeast, MoreThan, Open};
    let goal = |of, case, to, to_case, threshold| Goal {
        of: Row { name: of, case },
        to: Row { name: to, case: to_case },
        threshold,
    };
    vec![
        goal(Adapter, "xavier_normal", Baseline("torch cpu"), "xavier_normal", AtLeast(1.5)),
        goal(Adapter, "xavier_normal", Burn, "xavier_normal", MoreThan(1.0)),
        goal(Adapter, "normal", Adapter, "native", AtLeast(0.85)),
        goal(Adapter, "constant", Baseline("torch cpu"), "constant", Open),
        goal(Adapter, "constant", Adapter, "clear", Open),
        goal(Adapter, "zeros", Adapter, "clear", AtLeast(0.9)),
        goal(Baseline(IN_TURNS), "constant", Baseline(BEST_SHAPE), "constant", AtLeast(0.9)),
        goal(Baseline(IN_TURNS), "constant", Baseline(PLAIN_SHAPE), "constant", Open),
        goal(Host, "xavier_normal", Baseline("torch cpu"), "xavier_normal", AtLeast(4.5)),
        goal(Host, "xavier_normal", Baseline("rand_distr over SmallRng"), "normal", MoreThan(1.0)),
        goal(Host, "xavier_normal", Baseline("oneMKL Philox4x32-10"), "normal", MoreThan(1.0)),
        goal(Host, "xavier_normal", Baseline("oneMKL ARS5"), "normal", MoreThan(1.0)),
        goal(Host, "constant", Host, "memset", AtLeast(0.9)),
        goal(Host, "constant", Baseline("torch cpu"), "constant", Open),
        goal(Host, "zeros", Host, "clear", AtLeast(0.9)),
    ]
}

/// A goal and what became of it.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub of: String,
    pub to: String,
    /// The ratio by the medians of all rounds.
    pub ratio: f64,
    /// The smallest and the largest ratio of one round.
    pub range: (f64, f64),
    pub threshold: String,
    pub reached: &'static str,
}

/// The outcomes of all goals for which there are figures.
pub fn outcomes(rounds: &[Round]) -> Vec<Outcome> {
    let adapter = rounds.first().and_then(|round| usual_adapter(&round.engines));
    let mut outcomes = outcomes_of_one(&medians(rounds), adapter);
    for other in rounds.iter().flat_map(|round| outcomes_of_one(&round.figures, adapter)) {
        let mut alike = outcomes.iter_mut().filter(|known| (&known.of, &known.to) == (&other.of, &other.to));
        if let Some(Outcome { range: (min, max), .. }) = alike.next() {
            (*min, *max) = (min.min(other.ratio), max.max(other.ratio));
        }
    }
    outcomes
}

fn outcomes_of_one(figures: &[Figure], adapter: Option<&str>) -> Vec<Outcome> {
    let figures = reported(figures);
    let mut outcomes = Vec::new();
    for Goal { of, to, threshold } in goals() {
        let Some(of) = figures.iter().find(|figure| of.is(figure, adapter)) else { continue };
        outcomes.extend(figures.iter().filter(|figure| to.is(figure, adapter)).map(|to| {
            let ratio = of.rate() / to.rate();
            let name = |figure: &Figure| format!("{}: {}", figure.name, figure.case);
            Outcome {
                of: name(of),
                to: name(to),
                ratio,
                range: (ratio, ratio),
                threshold: threshold.to_string(),
                reached: threshold.is_reached_by(ratio),
            }
        }));
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use seedbed_cli::bench::report::EngineReport;

    use super::*;

    const ADAPTER: &str = "vulkan/llvmpipe";

    fn figure(name: &str, case: &str, dtype: &str, rate: f64) -> Figure {
        Figure {
            name: name.into(),
            version: None,
            case: case.into(),
            dtype: dtype.into(),
            elements: 1.0,
            seconds: rate.recip(),
        }
    }

    fn round(figures: &[Figure]) -> Round {
        let engine = |name: &str| EngineReport::new(name.into(), String::new(), None, Vec::new());
        let engines = ["vulkan/SwiftShader", ADAPTER, "gl/llvmpipe", "host"].map(engine).into();
        Round { engines, figures: figures.to_vec() }
    }

    fn of(figures: &[Figure]) -> Vec<Outcome> {
        outcomes(&[round(figures)])
    }

    fn reached(figures: &[Figure]) -> Vec<(f64, &'static str)> {
        of(figures).iter().map(|outcome| (outcome.ratio, outcome.reached)).collect()
    }

    #[test]
    fn a_goal_without_figures_is_left_out() {
        let host = figure("seedbed, host", "xavier_normal", "f32", 9.0);
        assert_eq!(of(&[]), []);
        assert_eq!(of(std::slice::from_ref(&host)), []);
        // bf16 is another matter.
        assert_eq!(of(&[host, figure("torch cpu", "xavier_normal", "bf16", 2.0)]), []);
    }

    #[test]
    fn bounds_are_compared_as_they_say() {
        let torch = figure("torch cpu", "xavier_normal", "f32", 2.0);
        for (rate, word) in [(8.99, "not reached"), (9.0, "reached"), (10.0, "reached")] {
            let host = figure("seedbed, host", "xavier_normal", "f32", rate);
            assert_eq!(reached(&[host, torch.clone()]), [(rate / 2.0, word)]);
        }
        let adapter = "seedbed, vulkan/llvmpipe";
        for (rate, word) in [(1.0, "not reached"), (1.01, "reached")] {
            let ours = figure(adapter, "xavier_normal", "f32", rate);
            let burn = figure("burn wgpu, vulkan/llvmpipe", "xavier_normal", "f32", 1.0);
            assert_eq!(reached(&[burn, ours]), [(rate, word)]);
        }
        let constants = [figure(adapter, "constant", "f32", 1.0), figure(adapter, "clear", "f32", 4.0)];
        assert_eq!(reached(&constants), [(0.25, "-")]);
    }

    #[test]
    fn burn_is_compared_on_the_same_adapter_alone() {
        let figures = [
            figure("seedbed, vulkan/SwiftShader", "xavier_normal", "f32", 2.0),
            figure("seedbed, vulkan/llvmpipe", "xavier_normal", "f32", 2.0),
            figure("burn wgpu, vulkan/SwiftShader", "xavier_normal", "f32", 1.0),
        ];
        assert_eq!(of(&figures), []);
    }

    #[test]
    fn a_ratio_of_medians_has_the_range_of_the_rounds() {
        let rounds = [(9.0, 1.0), (10.0, 2.0), (8.0, 2.0)].map(|(host, torch)| {
            let host = figure("seedbed, host", "xavier_normal", "f32", host);
            round(&[host, figure("torch cpu", "xavier_normal", "f32", torch)])
        });
        let [outcome] = &outcomes(&rounds)[..] else { panic!() };
        assert_eq!((outcome.range, outcome.reached), ((4.0, 9.0), "reached"));
    }

    #[test]
    fn every_baseline_of_a_goal_has_its_row() {
        let figures = [
            figure("seedbed, host", "xavier_normal", "f32", 6.0),
            figure("oneMKL Philox4x32-10, Box-Muller", "normal", "f32", 3.0),
            figure("oneMKL Philox4x32-10, ICDF", "normal", "f32", 12.0),
        ];
        let outcomes = of(&figures);
        assert_eq!(outcomes[0].to, "oneMKL Philox4x32-10, Box-Muller: normal");
        assert_eq!((outcomes[0].ratio, outcomes[1].ratio), (2.0, 0.5));
    }
}
