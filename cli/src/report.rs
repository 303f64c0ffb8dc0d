//! The report to the user: a progress bar during the run, a table at the end.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use seedbed_model::Tensor;

use crate::stats::Stats;

/// A progress bar on stderr, hidden where stderr is not a terminal.
pub fn progress(total_bytes: u64, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total_bytes);
    let template = "{wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} eta {eta}";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A table of columns without lines, which a person and `awk` can read.
pub fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// A tensor of the summary.
pub struct Row<'a> {
    pub tensor: &'a Tensor,
    /// What the tensor holds.
    pub content: &'a str,
    /// The rows that the file has, and the number of all rows; `None` for a whole tensor.
    pub rows: Option<&'a (Range<u64>, u64)>,
    pub stats: &'a Stats,
}

/// A table with one row for each tensor.
pub fn rows(rows: &[Row<'_>]) -> String {
    let mut table =
        table(["parameter", "shape", "type", "initialiser", "mean", "measured", "std", "measured"]);
    for Row { tensor, content, rows, stats } in rows {
        let moments = tensor.moments();
        table.add_row([
            // A name from a file must not send control characters to the terminal.
            tensor.name.escape_debug().to_string(),
            format!("{:?}", tensor.shape),
            tensor.dtype.to_string().to_lowercase(),
            match rows {
                Some((rows, all)) => format!("{content}, rows {}..{} of {all}", rows.start, rows.end),
                None => (*content).to_owned(),
            },
            number(moments.map(|(mean, _)| mean)),
            number(stats.mean()),
            number(moments.map(|(_, std)| std)),
            number(stats.std()),
        ]);
    }
    for column in table.column_iter_mut().skip(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// The totals of the rows, in a line.
pub fn summary(rows: &[Row<'_>], engine: &str, elapsed: Duration, output: &Path) -> String {
    let (mut elements, mut bytes) = (0_u64, 0_u64);
    for Row { tensor, .. } in rows {
        elements = elements.saturating_add(tensor.elements().unwrap_or(0));
        bytes = bytes.saturating_add(tensor.bytes().unwrap_or(0));
    }
    format!(
        "{}: {} {}, {} elements, {} bytes of data in {:.2} s ({engine})\n",
        output.display(),
        HumanCount(rows.len() as u64),
        if rows.len() == 1 { "tensor" } else { "tensors" },
        HumanCount(elements),
        HumanCount(bytes),
        elapsed.as_secs_f64(),
    )
}

/// A number with four significant digits.
pub fn number(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(0.0) => "0".into(),
        Some(x) if !x.is_finite() => x.to_string(),
        Some(x) if !(1e-4..1e5).contains(&x.abs()) => format!("{x:.3e}"),
        Some(x) => {
            let digits_before = x.abs().log10().floor() as i32 + 1;
            let text = format!("{x:.*}", (4 - digits_before).max(0) as usize);
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (0.025515518, "0.02552"),
            (-3.4e-7, "-3.400e-7"),
            (1234.5678, "1235"),
            (12.5, "12.5"),
            (123456.0, "1.235e5"),
            (100.0, "100"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(number(Some(value)), text);
        }
        assert_eq!(number(None), "-");
    }
}
