//! The software adapters that the tests run on: which are required, and how each is provided.

use std::env;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::apt::Apt;
use crate::drivers::Machine;
use crate::environment;
use crate::swiftshader;
use crate::workspace::Workspace;

const LAVAPIPE: &str = "lavapipe";
const GL: &str = "gl";
const SWIFTSHADER: &str = "swiftshader";
const EVERY_ADAPTER: [&str; 3] = [LAVAPIPE, GL, SWIFTSHADER];

/// What Debian and Ubuntu call lavapipe and llvmpipe, and the loaders that find them.
const MESA_PACKAGES: [&str; 5] =
    ["mesa-vulkan-drivers", "libvulkan1", "libegl1", "libegl-mesa0", "libgl1-mesa-dri"];

const ADVICE: &str = "\
install Mesa's software drivers (Fedora: dnf install vulkan-loader mesa-vulkan-drivers mesa-libEGL mesa-dri-drivers; \
Arch: pacman -S vulkan-icd-loader vulkan-swrast mesa), and Chromium or Google Chrome for SwiftShader, or set \
SEEDBED_SWIFTSHADER_ICD to a vk_swiftshader_icd.json";

/// The names of adapters that must be there, as `--require` lists them.
#[derive(Debug, PartialEq)]
pub struct Required(Vec<String>);

impl Required {
    /// All the adapters that the tests know.
    pub fn every_adapter() -> Self {
        Self(EVERY_ADAPTER.map(String::from).into())
    }

    /// What `--require` says, or else the environment, or else what this machine can be expected to have.
    pub fn choose(option: Option<String>, workspace: &Workspace) -> Result<Self> {
        if let Some(list) = option.or_else(|| env::var(environment::REQUIRE).ok()) {
            return Ok(Self::parse(&list));
        }
        if !cfg!(target_os = "linux") {
            println!("no adapter is required on this system: the tests use what it has");
            return Ok(Self(Vec::new()));
        }
        if Apt::of_this_machine().is_some() {
            return Ok(Self::every_adapter());
        }
        let found = Adapters::find(&Machine::this(), &workspace.cache()?)?.found();
        if found.0.len() < EVERY_ADAPTER.len() {
            println!(
                "there is no apt-get here, so only what is installed is required: `{found}`; for the rest, {ADVICE}"
            );
        }
        Ok(found)
    }

    fn parse(list: &str) -> Self {
        Self(list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(String::from).collect())
    }

    fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|required| required == name)
    }
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// The file by which each adapter is found, or what is missing.
pub struct Adapters {
    lavapipe: Result<PathBuf>,
    gl: Result<PathBuf>,
    swiftshader: Result<PathBuf>,
}

impl Adapters {
    /// Looks without installing anything.
    fn find(machine: &Machine, cache: &Path) -> Result<Self> {
        Ok(Self {
            lavapipe: machine.lavapipe(),
            gl: machine.software_gl(),
            swiftshader: swiftshader::find(machine, cache)?
                .context("neither fetched yet nor part of a browser here"),
        })
    }

    /// SwiftShader's manifest, which the Vulkan loader does not find by itself.
    pub fn swiftshader(&self) -> Option<&Path> {
        self.swiftshader.as_deref().ok()
    }

    fn entries(&self) -> [(&'static str, &Result<PathBuf>); 3] {
        [(LAVAPIPE, &self.lavapipe), (GL, &self.gl), (SWIFTSHADER, &self.swiftshader)]
    }

    fn found(&self) -> Required {
        let entries = self.entries().into_iter();
        Required(entries.filter(|(_, file)| file.is_ok()).map(|(name, _)| name.into()).collect())
    }

    /// Whether `name` is required and not there.
    fn lacks(&self, name: &str, required: &Required) -> bool {
        required.contains(name) && !self.found().contains(name)
    }
}

impl fmt::Display for Adapters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, file) in self.entries() {
            match file {
                Ok(file) => writeln!(f, "{name:<12}{}", file.display())?,
                Err(error) => writeln!(f, "{name:<12}missing: {error:#}")?,
            }
        }
        Ok(())
    }
}

/// Provides the adapters in `required`, looks for the others, and prints what there is.
pub fn set_up(workspace: &Workspace, required: &Required) -> Result<Adapters> {
    let cache = workspace.cache()?;
    let machine = Machine::this();
    if !cfg!(target_os = "linux") {
        println!("nothing to set up: software adapters come with Linux; here the tests use the system's own");
        return Adapters::find(&machine, &cache);
    }
    // Two runs at once would delete each other's half-fetched files.
    let lock = cache.join("lock");
    let _lock = File::create(&lock)
        .and_then(|file| file.lock().map(|()| file))
        .with_context(|| format!("cannot lock {}", lock.display()))?;

    let mut adapters = Adapters::find(&machine, &cache)?;
    let missing: Vec<_> = EVERY_ADAPTER.into_iter().filter(|name| adapters.lacks(name, required)).collect();
    if !missing.is_empty() {
        let Some(apt) = Apt::of_this_machine() else {
            print!("{adapters}");
            bail!("cannot provide {} without apt-get: {ADVICE}", missing.join(", "));
        };
        if missing.contains(&LAVAPIPE) || missing.contains(&GL) {
            apt.install(&MESA_PACKAGES)?;
        }
        if missing.contains(&SWIFTSHADER) {
            swiftshader::fetch(&apt, &cache).context("cannot fetch SwiftShader")?;
        }
        adapters = Adapters::find(&machine, &cache)?;
    }
    print!("{adapters}");
    match EVERY_ADAPTER.into_iter().find(|name| adapters.lacks(name, required)) {
        Some(name) => {
            bail!("`{name}` is still missing after its packages were installed: {ADVICE}")
        }
        None => Ok(adapters),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_leniently_and_printed_strictly() {
        assert_eq!(Required::parse("lavapipe, gl,,swiftshader"), Required::every_adapter());
        assert_eq!(Required::every_adapter().to_string(), "lavapipe,gl,swiftshader");
        assert_eq!(Required::parse(""), Required(vec![]));
        assert_eq!(Required::parse("").to_string(), "");
    }

    #[test]
    fn only_a_required_adapter_can_be_lacking() {
        let adapters = Adapters {
            lavapipe: Ok("/usr/share/vulkan/icd.d/lvp_icd.json".into()),
            gl: Err(anyhow::anyhow!("EGL is not installed")),
            swiftshader: Err(anyhow::anyhow!("not fetched")),
        };
        let required = Required::parse("lavapipe,gl");
        let lacking = EVERY_ADAPTER.map(|name| adapters.lacks(name, &required));
        assert_eq!(lacking, [false, true, false]);
        assert_eq!(adapters.found(), Required::parse("lavapipe"));
        assert!(adapters.to_string().contains("gl          missing: EGL is not installed"), "{adapters}");
    }
}
