//! RESULTS.md.

use std::fmt;

use seedbed_cli::bench::report::EngineReport;

use super::figures::{self, Figure, Round};
use super::goals;
use super::whole_job::{Job, MODEL};
use crate::machine::Machine;

/// The threshold for creating the pipelines of a first fill.
const PIPELINES_SECONDS: f64 = 0.1;

/// Everything that is in RESULTS.md, which is how it prints.
pub struct Report {
    /// The elements of a fill.
    pub elements: u64,
    pub machine: Machine,
    pub rounds: Vec<Round>,
    pub jobs: Vec<Job>,
    pub left_out: Vec<String>,
    /// Written by hand, with their own heading.
    pub remarks: Option<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A first use is only in the first round.
        let engines = self.rounds.first().map_or(&[][..], |round| &round.engines);
        self.head(f, engines)?;
        self.speeds(f)?;
        self.ratios(f)?;
        self.whole_jobs(f)?;
        first_use(f, engines)?;
        match &self.remarks {
            Some(remarks) => write!(f, "\n{}\n", remarks.trim_end()),
            None => Ok(()),
        }
    }
}

impl Report {
    fn head(&self, f: &mut fmt::Formatter<'_>, engines: &[EngineReport]) -> fmt::Result {
        let Machine { processor, threads, kernel, date, rustc, commit } = &self.machine;
        write!(
            f,
            "# Results\n\n\
             Written by `cargo run --release -p seedbed-bench -- baselines --elements {} --rounds {}`. \
             Compare the figures only with each other.\n\n\
             | | |\n|---|---|\n\
             | date | {date} |\n\
             | machine | {threads} threads of {processor}, {kernel} |\n\
             | seedbed | {}, contract {}, commit {commit} |\n\
             | compiler | {rustc} |\n",
            self.elements,
            self.rounds.len(),
            env!("CARGO_PKG_VERSION"),
            seedbed::CONTRACT_VERSION,
        )?;
        for engine in engines {
            writeln!(f, "| {} | {} |", engine.name, engine.driver)?;
        }
        Ok(())
    }

    fn speeds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "\n## Fills\n\n\
             The speeds are millions of elements a second by the median of wall time (of several rounds: \
             the median of the rounds' medians), and multiples of PyTorch's f32 `xavier_normal_` on the \
             CPU. `clear` writes zeros by the engine's own means: `clear_buffer`, and on the host a \
             parallel memset. `memset` writes another byte. `native` is `normal` by the device's own \
             functions. Store shapes are up to 45 other kernels that write a constant in vectors of four \
             elements, without a check (`seedbed-bench shapes`). `benches/baselines` has the program of \
             each baseline.\n\n\
             | name | what | type | elements | Melem/s | of torch |\n|---|---|---|---:|---:|---:|\n",
        )?;
        let figures = &figures::reported(&figures::medians(&self.rounds));
        let torch = figures
            .iter()
            .find(|f| f.name.starts_with("torch cpu") && f.case == "xavier_normal" && f.dtype == "f32")
            .map(Figure::rate);
        for figure in figures {
            let Figure { case, dtype, elements, .. } = figure;
            let ratio = torch.map_or_else(|| "-".into(), |torch| format!("{:.2}", figure.rate() / torch));
            let rate = figure.rate() / 1e6;
            writeln!(f, "| {} | {case} | {dtype} | {elements} | {rate:.0} | {ratio} |", name(figure))?;
        }
        for why in &self.left_out {
            write!(f, "\nLeft out: {why}\n")?;
        }
        Ok(())
    }

    fn ratios(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcomes = goals::outcomes(&self.rounds);
        if outcomes.is_empty() {
            return Ok(());
        }
        f.write_str(
            "\n## Ratios\n\nEach ratio is the speed in the first column over the speed in the second, in \
            f32: by the medians of all rounds, and the smallest and the largest of one round. The \
            threshold is what this project wants.\n\n\
             | of | to | ratio | of one round | threshold | |\n|---|---|---:|---:|---:|---|\n",
        )?;
        for goals::Outcome { of, to, ratio, range: (min, max), threshold, reached } in outcomes {
            writeln!(f, "| {of} | {to} | {ratio:.3} | {min:.3} to {max:.3} | {threshold} | {reached} |")?;
        }
        Ok(())
    }

    fn whole_jobs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(rounds) = self.jobs.first().map(|job| job.rounds) else { return Ok(()) };
        write!(
            f,
            "\n## A whole job\n\n\
             `seedbed init {MODEL}` beside `benches/baselines/torch_init.py`, which makes the same tensors \
             by the same rules with `torch.nn.init` and saves them with `safetensors`: whole processes in \
             turns, medians of {rounds}. seedbed waits for the disk before it gives the file its name, and \
             PyTorch does not: the second column waits for the disk in both cases. Memory is the largest \
             resident set, which includes a software adapter's buffers.\n\n\
             | name | process s | file on disk s | without imports s | peak MiB |\n|---|---:|---:|---:|---:|\n"
        )?;
        for Job { name, seconds, seconds_on_disk, seconds_inside, peak_bytes, .. } in &self.jobs {
            let inside = seconds_inside.map_or_else(|| "-".into(), |seconds| format!("{seconds:.2}"));
            let peak = peak_bytes / f64::from(1 << 20);
            writeln!(f, "| {name} | {seconds:.2} | {seconds_on_disk:.2} | {inside} | {peak:.0} |")?;
        }
        Ok(())
    }
}

fn first_use(f: &mut fmt::Formatter<'_>, engines: &[EngineReport]) -> fmt::Result {
    let first_uses: Vec<_> = engines.iter().filter_map(|e| Some((&e.name, e.first_use?))).collect();
    if first_uses.is_empty() {
        return Ok(());
    }
    let threshold = PIPELINES_SECONDS * 1e3;
    write!(
        f,
        "\n## First use\n\n\
         The times are milliseconds for `xavier_normal` in f32 on a fresh device, with the driver's shader \
         cache as the first round found it. The first fill has a fresh buffer, into which wgpu writes \
         zeros before. The threshold for creating the pipelines is {threshold:.0} ms.\n\n\
         | adapter | pipelines | | first fill | second fill |\n|---|---:|---|---:|---:|\n",
    )?;
    for (name, first) in first_uses {
        let reached = if first.pipelines < PIPELINES_SECONDS { "reached" } else { "not reached" };
        let [pipelines, fill, second] =
            [first.pipelines, first.fill, first.second_fill].map(|seconds| seconds * 1e3);
        writeln!(f, "| {name} | {pipelines:.1} | {reached} | {fill:.1} | {second:.1} |")?;
    }
    Ok(())
}

/// The name of a figure, with seedbed in bold.
fn name(Figure { name, version, .. }: &Figure) -> String {
    match (name.strip_prefix("seedbed, "), version) {
        (Some(engine), _) => format!("**seedbed**, {engine}"),
        (None, Some(version)) => format!("{name} ({version})"),
        (None, None) => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use seedbed_cli::bench::report::FirstUse;

    use super::*;

    fn report(figures: Vec<Figure>) -> Report {
        let engine =
            |name: &str, first_use| EngineReport::new(name.into(), "driver".into(), first_use, vec![]);
        let first_use = |pipelines| Some(FirstUse { pipelines, fill: 0.3, second_fill: 0.2 });
        let engines =
            vec![engine("quick", first_use(0.05)), engine("slow", first_use(0.1)), engine("host", None)];
        Report {
            elements: 100,
            machine: Machine::default(),
            rounds: vec![Round { engines, figures }],
            jobs: Vec::new(),
            left_out: Vec::new(),
            remarks: None,
        }
    }

    fn figure(name: &str, version: Option<&str>, elements: f64, seconds: f64) -> Figure {
        let (case, dtype) = ("xavier_normal".into(), "f32".into());
        Figure { name: name.into(), version: version.map(str::to_owned), case, dtype, elements, seconds }
    }

    #[test]
    fn speeds_are_by_the_elements_of_each_row() {
        let mut report = report(vec![
            figure("seedbed, host", None, 64e6, 2.0),
            figure("torch cpu", Some("2.15"), 64e6, 8.0),
            figure("burn wgpu, vulkan/llvmpipe", Some("0.22.1"), 32e6, 2.0),
        ]);
        report.left_out = vec!["jax: no such module".into()];
        let text = report.to_string();
        for row in [
            "| **seedbed**, host | xavier_normal | f32 | 64000000 | 32 | 4.00 |\n",
            "| torch cpu (2.15) | xavier_normal | f32 | 64000000 | 8 | 1.00 |\n",
            "| burn wgpu, vulkan/llvmpipe (0.22.1) | xavier_normal | f32 | 32000000 | 16 | 2.00 |\n",
            "\nLeft out: jax: no such module\n",
            "| seedbed, host: xavier_normal | torch cpu: xavier_normal | 4.000 | 4.000 to 4.000 | ≥ 4.5 | not reached |\n",
        ] {
            assert!(text.contains(row), "{text}");
        }
    }

    #[test]
    fn without_torch_there_is_no_multiple_of_it() {
        let text = report(vec![figure("seedbed, host", None, 64e6, 2.0)]).to_string();
        assert!(text.contains("| 32 | - |\n"), "{text}");
        assert!(!text.contains("## Ratios") && !text.contains("## A whole job"), "{text}");
    }

    #[test]
    fn jobs_first_uses_and_remarks_follow() {
        let mut report = report(Vec::new());
        let job = Job {
            name: "torch".into(),
            rounds: 5,
            seconds: 3.0,
            seconds_on_disk: 3.5,
            seconds_inside: Some(1.25),
            peak_bytes: 3.0 * 1048576.0,
        };
        report.jobs = vec![Job { name: "ours".into(), seconds_inside: None, ..job.clone() }, job];
        report.remarks = Some("## Remarks\n\nNone.\n\n".into());
        let text = report.to_string();
        for row in [
            "medians of 5.",
            "| ours | 3.00 | 3.50 | - | 3 |\n",
            "| torch | 3.00 | 3.50 | 1.25 | 3 |\n",
            "| quick | 50.0 | reached | 300.0 | 200.0 |\n",
            "| slow | 100.0 | not reached | 300.0 | 200.0 |\n",
        ] {
            assert!(text.contains(row), "{text}");
        }
        assert!(!text.contains("| host | 50"), "{text}");
        assert!(text.ends_with("|\n\n## Remarks\n\nNone.\n"), "{text}");
    }
}
