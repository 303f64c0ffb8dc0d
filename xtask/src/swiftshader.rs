//! Finding or fetching SwiftShader, the Vulkan driver for the CPU that browsers fall back to.
//!
//! No distribution packages it by itself, but Chromium carries it, and it runs alone.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::apt::{self, Apt};
use crate::drivers::Machine;

/// The driver.
pub const LIBRARY: &str = "libvk_swiftshader.so";
/// The file that tells the Vulkan loader about the driver.
pub const MANIFEST: &str = "vk_swiftshader_icd.json";
/// The variable that names another manifest.
pub const VARIABLE: &str = "SEEDBED_SWIFTSHADER_ICD";

const PACKAGE: &str = "chromium-common";
const FOLDER_IN_PACKAGE: &str = "usr/lib/chromium";

/// Debian 12, for systems like Ubuntu whose own archive has no Chromium package: its driver asks for
/// an older C library than any release of Debian or Ubuntu that is still maintained has.
const DEBIAN: &str = "http://deb.debian.org/debian-security bookworm-security main";
const DEBIAN_KEYRING: &str = "usr/share/keyrings/debian-archive-keyring.gpg";

/// The manifest of a SwiftShader that is there already: the one that the user names, the one fetched
/// into `cache` before, or a browser's.
pub fn find(machine: &Machine, cache: &Path) -> Result<Option<PathBuf>> {
    if let Some(manifest) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        return named(Path::new(&manifest)).map(Some);
    }
    let fetched = home(cache);
    if fetched.is_dir() {
        return write_manifest(&fetched).map(Some);
    }
    Ok(machine.browsers_swiftshader())
}

/// Fetches SwiftShader into `cache` and returns its manifest.
pub fn fetch(apt: &Apt, cache: &Path) -> Result<PathBuf> {
    println!("fetching SwiftShader ({PACKAGE}, about 32 MB)");
    let scratch = cache.join("swiftshader.partial");
    recreate(&scratch)?;
    let package = download(apt, &scratch)?;
    let home = install(&package, &scratch, cache)?;
    fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
    write_manifest(&home)
}

fn home(cache: &Path) -> PathBuf {
    cache.join("swiftshader")
}

fn named(manifest: &Path) -> Result<PathBuf> {
    ensure!(
        manifest.is_file(),
        "{VARIABLE} is {}, which is no file; set it to a {MANIFEST}, or unset it",
        manifest.display()
    );
    // The tests run in other folders than this program.
    std::path::absolute(manifest).with_context(|| format!("cannot resolve {}", manifest.display()))
}

fn download(apt: &Apt, scratch: &Path) -> Result<PathBuf> {
    match apt.download(PACKAGE, scratch) {
        Ok(package) => Ok(package),
        Err(error) => {
            println!("{error:#}; taking Debian's");
            let keyring = match Path::new("/").join(DEBIAN_KEYRING) {
                installed if installed.is_file() => installed,
                _ => debian_keyring(apt, scratch)?,
            };
            let source = format!("deb [signed-by={}] {DEBIAN}", keyring.display());
            Apt::with_private_state(&scratch.join("apt"), &source)?.download(PACKAGE, scratch)
        }
    }
}

/// Debian's keys, as the machine's own archive (Ubuntu's, say) vouches for them.
fn debian_keyring(apt: &Apt, scratch: &Path) -> Result<PathBuf> {
    let folder = scratch.join("keyring");
    recreate(&folder)?;
    let package = apt.download("debian-archive-keyring", &folder)?;
    apt::unpack(&package, &folder)?;
    Ok(folder.join(DEBIAN_KEYRING))
}

/// Moves the driver's two files out of `package` to their place in `cache`. They appear there together
/// or not at all: an interrupted run must not leave half a driver that the next one takes for whole.
fn install(package: &Path, scratch: &Path, cache: &Path) -> Result<PathBuf> {
    let unpacked = scratch.join("package");
    recreate(&unpacked)?;
    apt::unpack(package, &unpacked)?;
    let driver = scratch.join("driver");
    recreate(&driver)?;
    for name in [LIBRARY, MANIFEST] {
        let from = unpacked.join(FOLDER_IN_PACKAGE).join(name);
        fs::rename(&from, driver.join(name)).with_context(|| {
            format!(
                "{} has no {FOLDER_IN_PACKAGE}/{name}; set {VARIABLE} to another {MANIFEST}",
                package.display()
            )
        })?;
    }
    let home = home(cache);
    fs::rename(&driver, &home).with_context(|| format!("cannot create {}", home.display()))?;
    Ok(home)
}

/// Writes, beside the manifest that came with the driver, one that names the driver by its absolute
/// path, whatever folder the loader starts in. Done on every run, since a target folder can be moved.
fn write_manifest(home: &Path) -> Result<PathBuf> {
    let original = home.join(MANIFEST);
    let failed =
        || format!("{} is damaged: delete the folder and run `cargo xtask setup` again", home.display());
    let text = fs::read_to_string(&original).with_context(failed)?;
    let mut manifest: Value = serde_json::from_str(&text).with_context(failed)?;
    let library = std::path::absolute(home.join(LIBRARY)).with_context(failed)?;
    ensure!(library.is_file(), failed());
    let entry = manifest.pointer_mut("/ICD/library_path").with_context(failed)?;
    *entry = library.to_str().with_context(|| format!("{} is not UTF-8", library.display()))?.into();

    let absolute = library.with_file_name("absolute.json");
    let text = manifest.to_string();
    if fs::read_to_string(&absolute).is_ok_and(|existing| existing == text) {
        return Ok(absolute);
    }
    let temporary = absolute.with_extension("partial");
    let failed = || format!("cannot write {}", absolute.display());
    fs::write(&temporary, text).with_context(failed)?;
    fs::rename(&temporary, &absolute).with_context(failed)?;
    Ok(absolute)
}

/// Makes `folder` an empty folder.
fn recreate(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROMIUMS: &str = r#"{"file_format_version": "1.0.0", "ICD": {"library_path": "./libvk_swiftshader.so", "api_version": "1.0.5"}}"#;

    fn fetched() -> (tempfile::TempDir, PathBuf) {
        let cache = tempfile::tempdir().unwrap();
        let home = home(cache.path());
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join(LIBRARY), "driver").unwrap();
        fs::write(home.join(MANIFEST), CHROMIUMS).unwrap();
        (cache, home)
    }

    #[test]
    fn the_manifest_names_the_driver_absolutely_and_keeps_the_rest() {
        let (_cache, home) = fetched();
        let path = write_manifest(&home).unwrap();
        let manifest: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(manifest["ICD"]["library_path"], home.join(LIBRARY).to_str().unwrap());
        assert_eq!(manifest["ICD"]["api_version"], "1.0.5");
        assert_eq!(fs::read_to_string(home.join(MANIFEST)).unwrap(), CHROMIUMS);
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(write_manifest(&home).unwrap(), path);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written, "written again without need");
    }

    #[test]
    fn a_moved_folder_gets_a_new_manifest() {
        let (cache, home) = fetched();
        write_manifest(&home).unwrap();
        let moved = cache.path().join("moved");
        fs::rename(&home, &moved).unwrap();
        let text = fs::read_to_string(write_manifest(&moved).unwrap()).unwrap();
        let manifest: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(manifest["ICD"]["library_path"], moved.join(LIBRARY).to_str().unwrap());
    }

    #[test]
    fn a_damaged_folder_is_an_error_with_a_remedy() {
        for damage in [LIBRARY, MANIFEST] {
            let (_cache, home) = fetched();
            fs::remove_file(home.join(damage)).unwrap();
            let error = format!("{:#}", write_manifest(&home).unwrap_err());
            assert!(error.contains("delete the folder"), "{error}");
        }
        let (_cache, home) = fetched();
        fs::write(home.join(MANIFEST), &CHROMIUMS[..40]).unwrap();
        assert!(write_manifest(&home).is_err());
    }

    #[test]
    fn a_named_manifest_must_exist() {
        let folder = tempfile::tempdir().unwrap();
        let error = named(&folder.path().join("nothing.json")).unwrap_err().to_string();
        assert!(error.contains(VARIABLE) && error.contains("nothing.json"), "{error}");
        assert!(named(folder.path()).is_err(), "a folder is no manifest");
        let file = folder.path().join(MANIFEST);
        fs::write(&file, CHROMIUMS).unwrap();
        assert_eq!(named(&file).unwrap(), file);
    }
}
