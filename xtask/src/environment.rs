//! The variables that show the drivers to a test or a benchmark.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::adapters::{Adapters, Required};
use crate::workspace::Workspace;

/// What the test programs read to know which adapters must be there.
pub const REQUIRE: &str = "SEEDBED_REQUIRE_ADAPTERS";

/// Variables and their values, to be set for a command.
pub type Variables = Vec<(&'static str, OsString)>;

/// The environment in which tests and benchmarks see every adapter of `adapters`.
pub fn variables(workspace: &Workspace, adapters: &Adapters, required: &Required) -> Result<Variables> {
    let mut variables = vec![(REQUIRE, required.to_string().into())];
    if let Some(manifest) = adapters.swiftshader() {
        variables.push(driver_list(manifest, |name| env::var_os(name))?);
    }
    if cfg!(target_os = "linux") && env::var_os("XDG_RUNTIME_DIR").is_none() {
        // EGL looks for a Wayland socket there and complains on every start where it is unset.
        variables.push(("XDG_RUNTIME_DIR", private_folder(&workspace.cache()?.join("runtime"))?.into()));
    }
    Ok(variables)
}

/// Adds `manifest` to the Vulkan drivers that the loader finds by itself (lavapipe, a real GPU's), or
/// to those that the user has narrowed it down to: a list of its own would hide the others.
fn driver_list(manifest: &Path, user: impl Fn(&str) -> Option<OsString>) -> Result<(&'static str, OsString)> {
    let set_by_user = |name| user(name).filter(|list| !list.is_empty());
    let narrowed =
        ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].into_iter().find(|name| set_by_user(name).is_some());
    let name = narrowed.unwrap_or("VK_ADD_DRIVER_FILES");
    let existing = set_by_user(name).unwrap_or_default();
    Ok((name, appended(&existing, manifest)?))
}

fn appended(list: &OsStr, path: &Path) -> Result<OsString> {
    let mut paths: Vec<PathBuf> =
        env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect();
    if !paths.iter().any(|existing| existing == path) {
        paths.push(path.into());
    }
    env::join_paths(paths).with_context(|| {
        format!(
            "{} cannot stand in a list of drivers; move the checkout or set CARGO_TARGET_DIR",
            path.display()
        )
    })
}

/// An empty folder that only its owner can enter, as the XDG specification asks.
fn private_folder(folder: &Path) -> Result<PathBuf> {
    let failed = || format!("cannot create {}", folder.display());
    fs::create_dir_all(folder).with_context(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).with_context(failed)?;
    }
    Ok(folder.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(user: &[(&str, &str)]) -> (&'static str, String) {
        let user =
            |name: &str| user.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        let (name, value) = driver_list(Path::new("/sw.json"), user).unwrap();
        (name, value.into_string().unwrap())
    }

    #[test]
    #[cfg(unix)]
    fn drivers_are_added_to_what_the_loader_would_use() {
        assert_eq!(list(&[]), ("VK_ADD_DRIVER_FILES", "/sw.json".into()));
        assert_eq!(
            list(&[("VK_ADD_DRIVER_FILES", "/a.json")]),
            ("VK_ADD_DRIVER_FILES", "/a.json:/sw.json".into())
        );
        assert_eq!(
            list(&[("VK_DRIVER_FILES", "/a.json:/b.json")]),
            ("VK_DRIVER_FILES", "/a.json:/b.json:/sw.json".into())
        );
        assert_eq!(list(&[("VK_ICD_FILENAMES", "/a.json")]), ("VK_ICD_FILENAMES", "/a.json:/sw.json".into()));
        assert_eq!(list(&[("VK_DRIVER_FILES", "")]), ("VK_ADD_DRIVER_FILES", "/sw.json".into()));
        assert_eq!(
            list(&[("VK_DRIVER_FILES", "/sw.json:/a.json")]),
            ("VK_DRIVER_FILES", "/sw.json:/a.json".into())
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_path_that_no_list_can_hold_is_an_error() {
        let error = format!("{:#}", appended(OsStr::new(""), Path::new("/a:b/sw.json")).unwrap_err());
        assert!(error.contains("CARGO_TARGET_DIR"), "{error}");
    }

    #[test]
    #[cfg(unix)]
    fn the_runtime_folder_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let folder = private_folder(&parent.path().join("runtime")).unwrap();
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}
