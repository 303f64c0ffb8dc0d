//! The ratios that the project sets itself, by the figures of one run.

use std::fmt;

use super::figures::{BEST_SHAPE, Bench, Figure, OF_SHAPES, PLAIN_SHAPE};

/// Speed over speed, of f32.
struct Goal {
    of: Row,
    to: Row,
    want: Want,
}

/// Where a figure stands.
struct Row {
    who: Who,
    case: &'static str,
}

#[derive(Clone, Copy)]
enum Who {
    /// Seedbed on the usual adapter: lavapipe, where there is no GPU.
    Adapter,
    Host,
    /// burn on the same adapter.
    Burn,
    /// A peer, by how its name begins; several may.
    Peer(&'static str),
}

#[derive(Clone, Copy)]
enum Want {
    AtLeast(f64),
    MoreThan(f64),
    /// Of interest.
    Nothing,
}

impl Row {
    fn is(&self, figure: &Figure, adapter: Option<&str>) -> bool {
        let on_adapter = |prefix| adapter.is_some() && figure.who.strip_prefix(prefix) == adapter;
        let place = match self.who {
            Who::Adapter => on_adapter("seedbed, "),
            Who::Host => figure.who == "seedbed, host",
            Who::Burn => on_adapter("burn wgpu, "),
            Who::Peer(name) => figure.who.starts_with(name),
        };
        place && figure.case == self.case && figure.dtype == "f32"
    }
}

impl Want {
    fn is_reached_by(self, ratio: f64) -> &'static str {
        match self {
            Self::AtLeast(least) if ratio >= least => "reached",
            Self::MoreThan(bound) if ratio > bound => "reached",
            Self::Nothing => "-",
            _ => "not reached",
        }
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::MoreThan(bound) => write!(f, "> {bound}"),
            Self::Nothing => f.write_str("-"),
        }
    }
}

fn goals() -> Vec<Goal> {
    use Want::{AtLeast, MoreThan, Nothing};
    use Who::{Adapter, Burn, Host, Peer};
    let goal = |of, case, to, to_case, want| Goal {
        of: Row { who: of, case },
        to: Row { who: to, case: to_case },
        want,
    };
    vec![
        goal(Adapter, "xavier_normal", Peer("torch cpu"), "xavier_normal", AtLeast(1.5)),
        goal(Adapter, "xavier_normal", Burn, "xavier_normal", MoreThan(1.0)),
        goal(Adapter, "normal", Adapter, "native", AtLeast(0.85)),
        goal(Adapter, "constant", Peer("torch cpu"), "constant", Nothing),
        goal(Adapter, "constant", Adapter, "clear", Nothing),
        goal(Adapter, "zeros", Adapter, "clear", AtLeast(0.9)),
        goal(Peer(OF_SHAPES), "constant", Peer(BEST_SHAPE), "constant", AtLeast(0.9)),
        goal(Peer(OF_SHAPES), "constant", Peer(PLAIN_SHAPE), "constant", Nothing),
        goal(Host, "xavier_normal", Peer("torch cpu"), "xavier_normal", AtLeast(4.5)),
        goal(Host, "xavier_normal", Peer("rand_distr over SmallRng"), "normal", MoreThan(1.0)),
        goal(Host, "xavier_normal", Peer("oneMKL Philox4x32-10"), "normal", MoreThan(1.0)),
        goal(Host, "xavier_normal", Peer("oneMKL ARS5"), "normal", MoreThan(1.0)),
        goal(Host, "constant", Host, "memset", AtLeast(0.9)),
        goal(Host, "constant", Peer("torch cpu"), "constant", Nothing),
        goal(Host, "zeros", Host, "clear", AtLeast(0.9)),
    ]
}

/// A goal and what became of it.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub of: String,
    pub to: String,
    /// By the medians of all rounds.
    pub ratio: f64,
    /// The smallest and the largest of one round.
    pub range: (f64, f64),
    pub want: String,
    pub reached: &'static str,
}

/// Of all goals for which there are figures.
pub fn outcomes(rounds: &[Bench]) -> Vec<Outcome> {
    let mut outcomes = outcomes_of_one(&Bench::medians(rounds));
    for other in rounds.iter().flat_map(outcomes_of_one) {
        let mut alike = outcomes.iter_mut().filter(|known| (&known.of, &known.to) == (&other.of, &other.to));
        if let Some(Outcome { range: (least, most), .. }) = alike.next() {
            (*least, *most) = (least.min(other.ratio), most.max(other.ratio));
        }
    }
    outcomes
}

fn outcomes_of_one(bench: &Bench) -> Vec<Outcome> {
    let (figures, adapter) = (bench.told(), bench.usual_adapter());
    let mut outcomes = Vec::new();
    for Goal { of, to, want } in goals() {
        let Some(of) = figures.iter().find(|figure| of.is(figure, adapter)) else { continue };
        outcomes.extend(figures.iter().filter(|figure| to.is(figure, adapter)).map(|to| {
            let ratio = of.rate() / to.rate();
            let name = |figure: &Figure| format!("{}: {}", figure.who, figure.case);
            Outcome {
                of: name(of),
                to: name(to),
                ratio,
                range: (ratio, ratio),
                want: want.to_string(),
                reached: want.is_reached_by(ratio),
            }
        }));
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use super::super::figures::Engine;
    use super::*;

    const ADAPTER: &str = "vulkan/llvmpipe";

    fn figure(who: &str, case: &str, dtype: &str, rate: f64) -> Figure {
        Figure {
            who: who.into(),
            version: None,
            case: case.into(),
            dtype: dtype.into(),
            elements: 1.0,
            seconds: rate.recip(),
        }
    }

    fn round(figures: &[Figure]) -> Bench {
        let engine = |name: &str| Engine { name: name.into(), driver: String::new(), first_use: None };
        let engines = ["vulkan/SwiftShader", ADAPTER, "gl/llvmpipe", "host"].map(engine).into();
        Bench { version: String::new(), engines, figures: figures.to_vec() }
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
    fn every_peer_of_a_goal_has_its_row() {
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
