//! GROWTH.md: the fits in numbers.

use std::fmt::Write;

use anyhow::Result;

use crate::figures::Figures;

pub fn table(figures: &Figures, origin: &str, plot: &str) -> Result<String> {
    let mut text = format!(
        "# Growth\n\n{origin}. One run, one thing after the other; compare within it.\n\n\
         ![Time of one fill against its elements, for every engine]({plot})\n\n\
         What one fill costs by itself: wall time from the creation of the command encoder to the end of the wait for the \
         device, the median of its repetitions (of one, from a second on). The line *launch + elements / rate* is fitted to \
         both ends: `launch` is the median of fills of up to 16 elements, the rate that of the largest fills. The knee is \
         where both cost the same: smaller fills cost what launching costs, and are what `fill_all` shares launches among. \
         `furthest` is by what factor the worst time misses the line.\n\n\
         | engine | fill | type | launch µs | Melem/s | knee, elements | furthest |\n|---|---|---|---:|---:|---:|---:|\n",
    );
    for (engine, row) in figures.rows() {
        let fit = &row.fit;
        let or_dash = |value: Option<f64>, text: fn(f64) -> String| value.map_or("-".into(), text);
        writeln!(
            text,
            "| {} | {} | {} | {:.2} | {} | {} | {} |",
            engine.name,
            row.name,
            row.dtype,
            fit.launch_seconds * 1e6,
            or_dash(fit.elements_per_second, |rate| format!("{:.0}", rate / 1e6)),
            or_dash(fit.knee_elements, |knee| format!("{knee:.0}")),
            or_dash(fit.furthest, |factor| format!("{factor:.1}")),
        )?;
    }
    writeln!(text)?;
    for engine in &figures.engines {
        let windows = match engine.window_elements {
            window if window < figures.elements => {
                format!("; more than {window} elements in windows of one buffer, in one submission")
            }
            _ => String::new(),
        };
        writeln!(text, "- {}: {}{windows}.", engine.name, engine.driver)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::example;

    #[test]
    fn every_fit_is_a_row() {
        let text = table(&example(), "`command`", "plot.svg").unwrap();
        for line in [
            "`command`. One run",
            "| vulkan/A <B> & C | clear | f32 | 3.00 | 333 | 1000 | 1.5 |",
            "| host | clear | f32 | 1.00 | - | - | - |",
            "- vulkan/A <B> & C: 1.0; more than 262144 elements in windows",
            "- host: 2 threads.\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
