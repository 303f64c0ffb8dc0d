//! Draws what `seedbed bench --growth --json` wrote, for `cargo xtask growth`.
//!
//! | step | module |
//! |---|---|
//! | the figures | `figures.rs` |
//! | growth.svg | `plot.rs` |
//! | GROWTH.md | `text.rs` |

mod figures;
mod plot;
mod text;

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::figures::Figures;

const PLOT: &str = "growth.svg";
const TEXT: &str = "GROWTH.md";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The figures, the folder for what is drawn, and a line that says where the figures come from.
fn run(arguments: &[String]) -> Result<()> {
    let [json, folder, origin] = arguments else { bail!("give FIGURES.json, FOLDER and ORIGIN") };
    let figures = Figures::read(Path::new(json))?;
    for (name, contents) in [(PLOT, plot::draw(&figures)?), (TEXT, text::table(&figures, origin, PLOT)?)] {
        let path = Path::new(folder).join(name);
        fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}: written", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let [json, target] = ["f.json", ""].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        fs::write(&json, figures::tests::JSON).unwrap();
        run(&[json, target, "here".into()]).unwrap();
        assert!(fs::read_to_string(folder.path().join(PLOT)).unwrap().starts_with("<svg"));
        assert!(fs::read_to_string(folder.path().join(TEXT)).unwrap().contains("here. One run"));
        assert!(run(&[]).is_err());
    }
}
