//! The engines, one after the other, and the file for the figures.

use std::path::PathBuf;

use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;
use crate::select::{self, Named};
use crate::stdout;
use crate::values::AdapterChoice;

/// The options of every measurement: on what, and into which file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Engines {
    /// auto (what `seedbed init` would take), host, or a name that `seedbed adapters` lists or a part of it
    /// [default: all]
    #[arg(long, value_name = "auto|host|NAME")]
    pub adapter: Option<AdapterChoice>,
    /// A file for the figures, which is replaced if it exists
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The file that `--json` asks for.
#[derive(Debug)]
pub struct Figures {
    output: Output,
    path: PathBuf,
}

impl Engines {
    /// Creates the file that `--json` asks for: a path that can't be written is found before anything is
    /// measured.
    pub fn file(&self) -> Result<Option<Figures>, Failure> {
        let create = |path: &PathBuf| Ok(Figures { output: Output::create(path)?, path: path.clone() });
        self.json.as_ref().map(create).transpose().map_err(Failure::Input)
    }

    /// Measures each engine that was asked for, and prints the `table` of each as soon as it is there.
    pub fn each<E>(
        &self,
        device: impl Fn(&Named) -> anyhow::Result<E>,
        host: impl Fn() -> anyhow::Result<E>,
        table: fn(&E) -> String,
    ) -> Result<Vec<E>, Failure> {
        let mut engines = Vec::new();
        let mut add = |name: &str, measured: anyhow::Result<E>| {
            match measured {
                Ok(engine) => {
                    stdout::print(&table(&engine))?;
                    engines.push(engine);
                }
                // An engine that was asked for has to work.
                Err(error) if self.adapter.is_some() => {
                    return Err(Failure::run(error.context(name.to_owned())));
                }
                Err(error) => eprintln!("{name} is left out: {error:#}"),
            }
            Ok(())
        };
        let (adapters, with_host) = match &self.adapter {
            None => (select::all(), true),
            Some(AdapterChoice::Host) => (Vec::new(), true),
            Some(AdapterChoice::Named(name)) => (vec![select::named(name)?], false),
            // What `init` would take.
            Some(AdapterChoice::Auto) => {
                let gpu = select::all().into_iter().find(|adapter| !adapter.is_software());
                let with_host = gpu.is_none();
                (gpu.into_iter().collect(), with_host)
            }
        };
        for adapter in adapters {
            add(&adapter.name, device(&adapter))?;
        }
        if with_host {
            add("host", host())?;
        }
        if engines.is_empty() {
            return Err(Failure::run(anyhow::anyhow!("nothing was measured")));
        }
        Ok(engines)
    }
}

impl Figures {
    /// Writes the figures, and says so.
    pub fn write(mut self, report: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(report).map_err(Failure::run)?;
        self.output.write(format!("{text}\n").as_bytes()).map_err(Failure::run)?;
        self.output.finish().map_err(Failure::run)?;
        stdout::print(&format!("{}: written\n", self.path.display()))
    }
}
