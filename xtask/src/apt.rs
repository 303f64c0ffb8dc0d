//! Installing and downloading Debian packages with `apt-get`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// Little output, and time for an automatic update of the machine to let go of dpkg's lock.
const OPTIONS: [&str; 3] = ["-qq", "-o", "DPkg::Lock::Timeout=300"];

/// How `apt-get` may change the system.
#[derive(Clone, Copy, PartialEq)]
enum Privilege {
    /// We are root, or the change stays inside a folder of our own.
    Direct,
    /// `sudo` lets us without asking for a password.
    Sudo,
    /// Not at all.
    None,
}

/// `apt-get`, with the package lists that it reads.
pub struct Apt {
    configuration: Option<PathBuf>,
    lists: PathBuf,
    privilege: Privilege,
}

impl Apt {
    /// The machine's own `apt-get`, or nothing on a system without one.
    pub fn of_this_machine() -> Option<Self> {
        if !process::succeeds(Command::new("apt-get").arg("--version")) {
            return None;
        }
        let privilege = match is_root() {
            true => Privilege::Direct,
            false if process::succeeds(Command::new("sudo").args(["-n", "true"])) => Privilege::Sudo,
            false => Privilege::None,
        };
        Some(Self { configuration: None, lists: "/var/lib/apt/lists".into(), privilege })
    }

    /// An `apt-get` that reads only `source`, a line of a `sources.list`, and keeps its state in `folder`.
    /// It needs no privilege and leaves the machine's own lists alone.
    pub fn with_private_state(folder: &Path, source: &str) -> Result<Self> {
        let failed = || format!("cannot prepare {} for apt-get", folder.display());
        for child in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(child)).with_context(failed)?;
        }
        let at = folder.display();
        let settings = format!(
            "Dir::State \"{at}/state\";\n\
             Dir::State::status \"{at}/status\";\n\
             Dir::Cache \"{at}/cache\";\n\
             Dir::Etc::sourcelist \"{at}/sources.list\";\n\
             Dir::Etc::sourceparts \"-\";\n"
        );
        let configuration = folder.join("apt.conf");
        fs::write(&configuration, settings).with_context(failed)?;
        fs::write(folder.join("sources.list"), format!("{source}\n")).with_context(failed)?;
        fs::write(folder.join("status"), "").with_context(failed)?;
        Ok(Self {
            configuration: Some(configuration),
            lists: folder.join("state/lists"),
            privilege: Privilege::Direct,
        })
    }

    /// Installs `packages` on the system.
    pub fn install(&self, packages: &[&str]) -> Result<()> {
        println!("installing {}", packages.join(", "));
        let install = || {
            let mut command = self.privileged()?;
            command.args(["install", "-y", "--no-install-recommends"]).args(packages);
            process::run_quietly(&mut command)
        };
        self.with_fresh_lists(install).with_context(|| {
            format!("cannot install the packages; as root, run `apt-get install {}`", packages.join(" "))
        })
    }

    /// Downloads `package` into `folder`, an empty one, and returns the path of the file.
    pub fn download(&self, package: &str, folder: &Path) -> Result<PathBuf> {
        let download = || {
            let mut command = self.command("apt-get");
            process::run_quietly(command.current_dir(folder).args(["download", package]))
        };
        self.with_fresh_lists(|| {
            // The lists would say the same after an update, so this failure is not worth one.
            let known = process::succeeds(self.command("apt-cache").args(["show", package]));
            if known { download().map(|()| true) } else { Ok(false) }
        })
        .and_then(|known| match known {
            true => only_package_in(folder),
            false => bail!("this machine's package archive has no `{package}`"),
        })
    }

    /// Tries `action` with the package lists as they are, and once more with new ones if it fails: an
    /// update takes long, a container image comes without lists, and old lists name packages that are gone.
    fn with_fresh_lists<T>(&self, action: impl Fn() -> Result<T>) -> Result<T> {
        if self.has_lists() {
            match action() {
                Err(error) if self.privilege != Privilege::None => {
                    println!("{error:#}; trying again with new package lists");
                }
                result => return result,
            }
        }
        self.update()?;
        action()
    }

    fn has_lists(&self) -> bool {
        let Ok(entries) = fs::read_dir(&self.lists) else {
            return false;
        };
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
    }

    fn update(&self) -> Result<()> {
        let mut command = self.privileged()?;
        println!("updating the package lists");
        // Not quietly: apt-get only warns about an archive that it cannot reach.
        process::run(command.arg("update")).context("cannot update the package lists")
    }

    /// `apt-get`, allowed to change what it manages.
    fn privileged(&self) -> Result<Command> {
        match self.privilege {
            Privilege::Direct => Ok(self.command("apt-get")),
            Privilege::Sudo => {
                let mut command = Command::new("sudo");
                command.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(OPTIONS);
                Ok(command)
            }
            Privilege::None => bail!("neither root nor a `sudo` that asks for no password"),
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DEBIAN_FRONTEND", "noninteractive").args(OPTIONS);
        if let Some(configuration) = &self.configuration {
            command.env("APT_CONFIG", configuration);
        }
        if is_root() {
            // The user that apt downloads as, `_apt`, may not be able to write to our folder.
            command.args(["-o", "APT::Sandbox::User=root"]);
        }
        command
    }
}

/// Unpacks the file of a package into `folder`.
pub fn unpack(package: &Path, folder: &Path) -> Result<()> {
    process::run_quietly(Command::new("dpkg").arg("--extract").arg(package).arg(folder))
}

fn only_package_in(folder: &Path) -> Result<PathBuf> {
    let failed = || format!("apt-get left no package in {}", folder.display());
    let entries = fs::read_dir(folder).with_context(failed)?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths.find(|path| path.extension().is_some_and(|extension| extension == "deb")).with_context(failed)
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    // Linux shows a process as owned by its effective user; the standard library has no geteuid.
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_state_starts_without_lists_and_stays_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let apt = Apt::with_private_state(folder.path(), "deb http://example.invalid/ none main").unwrap();
        assert!(!apt.has_lists());
        fs::write(folder.path().join("state/lists/example_Packages.lz4"), "").unwrap();
        assert!(apt.has_lists());
        let command = apt.privileged().unwrap();
        let configuration = folder.path().join("apt.conf");
        assert!(command.get_envs().any(|(_, value)| value == Some(configuration.as_os_str())));
        let settings = fs::read_to_string(&configuration).unwrap();
        assert!(
            settings.contains(&format!("Dir::State \"{}/state\";", folder.path().display())),
            "{settings}"
        );
    }

    #[test]
    fn without_privilege_nothing_is_installed_and_the_error_names_the_remedy() {
        let apt = Apt { configuration: None, lists: "/nonexistent".into(), privilege: Privilege::None };
        let error = format!("{:#}", apt.install(&["mesa-vulkan-drivers"]).unwrap_err());
        assert!(error.contains("as root, run `apt-get install mesa-vulkan-drivers`"), "{error}");
        assert!(error.contains("neither root nor"), "{error}");
    }

    #[test]
    fn the_downloaded_file_is_found_by_its_extension() {
        let folder = tempfile::tempdir().unwrap();
        assert!(only_package_in(folder.path()).is_err());
        let package = folder.path().join("chromium-common_156.0-1~deb12u1_amd64.deb");
        fs::write(&package, "").unwrap();
        assert_eq!(only_package_in(folder.path()).unwrap(), package);
    }
}
