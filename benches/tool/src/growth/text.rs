//! GROWTH.md: the fits in numbers.

use seedbed_cli::bench::report::Report;

use super::report::{EngineReport, or_dash};

/// The text. `origin` says where the figures come from, and `plot` is the file of the plot.
pub fn table(report: &Report<EngineReport>, origin: &str, plot: &str) -> String {
    let mut text = format!(
        "# Growth\n\n{origin}. Compare the figures only with each other.\n\n\
         ![Time of one fill against its elements, for every engine]({plot})\n\n\
         The time of a fill is wall time from the creation of the command encoder to the end of the wait \
         for the device. Each point is the median of repeated fills; a fill that takes a second or more \
         runs once. The line *launch + elements / rate* is fitted to both ends: `launch` is the median \
         time of fills of up to 16 elements, and the rate is that of the largest fills. At the knee the \
         elements take as long as the launch. Below the knee launching dominates, and `fill_all` saves \
         time, because its fills share launches. `furthest` is the factor by which the worst time misses \
         the line.\n\n\
         | engine | fill | type | launch µs | Melem/s | knee, elements | furthest |\n|---|---|---|---:|---:|---:|---:|\n",
    );
    let rows = report.engines.iter().flat_map(|engine| engine.rows.iter().map(move |row| (engine, row)));
    for (engine, row) in rows {
        let fit = &row.fit;
        text += &format!(
            "| {} | {} | {} | {:.2} | {} | {} | {} |\n",
            engine.name,
            row.name,
            row.dtype,
            fit.launch_seconds * 1e6,
            or_dash(fit.elements_per_second, |rate| format!("{:.0}", rate / 1e6)),
            or_dash(fit.knee_elements, |knee| format!("{knee:.0}")),
            or_dash(fit.furthest, |factor| format!("{factor:.1}")),
        );
    }
    text.push('\n');
    for engine in &report.engines {
        let windows = match engine.window_elements {
            window if window < report.elements => {
                format!("; more than {window} elements in windows of one buffer, in one submission")
            }
            _ => String::new(),
        };
        text += &format!("- {}: {}{windows}.\n", engine.name, engine.driver);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::engine;
    use super::*;

    #[test]
    fn every_fit_is_a_row() {
        let engines = vec![
            engine(&[(1, 1e-5), (1024, 2e-5), (4096, 1e-3)]),
            EngineReport {
                name: "host".into(),
                driver: "2 threads".into(),
                window_elements: 4096,
                ..engine(&[(1, 1e-6)])
            },
        ];
        let text = table(&Report::new(4096, engines), "`command`", "plot.svg");
        for line in [
            "`command`. Compare",
            "![Time of one fill against its elements, for every engine](plot.svg)",
            "| gpu | constant | f32 | 10.00 | 4 | 41 | 12.9 |",
            "| host | constant | f32 | 1.00 | - | - | - |",
            "- gpu: 1.0; more than 1024 elements in windows",
            "- host: 2 threads.\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
