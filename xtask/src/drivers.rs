//! Finding installed driver files.
//!
//! Looking for the files, rather than asking Vulkan, keeps this program free of GPU crates: it builds
//! in seconds, and the tests themselves check that the drivers work.

use std::env;
use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Variables that list driver manifests for the Vulkan loader; the first two replace its own search.
const LISTS_OF_DRIVERS: [&str; 3] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"];

/// The folders of one machine in which drivers are installed.
pub struct Machine {
    root: PathBuf,
    manifests: Vec<PathBuf>,
    libraries: Vec<PathBuf>,
}

impl Machine {
    /// The machine that this program runs on, its environment included.
    pub fn this() -> Self {
        let mut machine = Self::at(Path::new("/"));
        let paths =
            |name| env::var_os(name).map(|list| env::split_paths(&list).collect()).unwrap_or_default();
        for variable in LISTS_OF_DRIVERS {
            machine.manifests.extend::<Vec<_>>(paths(variable));
        }
        for variable in ["XDG_DATA_HOME", "XDG_DATA_DIRS"] {
            let folders: Vec<PathBuf> = paths(variable);
            machine.manifests.extend(folders.iter().map(|folder| folder.join("vulkan/icd.d")));
        }
        machine.libraries.extend::<Vec<_>>(paths("LD_LIBRARY_PATH"));
        machine
    }

    /// The machine whose file system starts at `root`.
    fn at(root: &Path) -> Self {
        // The Vulkan loader's documented search order, and the places where distributions put libraries.
        let manifests = ["usr/local/etc", "usr/local/share", "etc", "usr/share"];
        let libraries = ["usr/local/lib", "usr/lib64", "usr/lib", "lib64", "lib"];
        let multiarch = format!("{ARCH}-linux-gnu");
        Self {
            root: root.into(),
            manifests: manifests.iter().map(|folder| root.join(folder).join("vulkan/icd.d")).collect(),
            libraries: (libraries.iter().map(|folder| root.join(folder)))
                .flat_map(|folder| [folder.join(&multiarch), folder])
                .collect(),
        }
    }

    /// The manifest of lavapipe, Mesa's Vulkan driver for the CPU.
    pub fn lavapipe(&self) -> Result<PathBuf> {
        self.library("libvulkan.so.1").context("the Vulkan loader is not installed")?;
        // Other architectures' manifests (lvp_icd.i686.json) lie in the same folder.
        let names = [format!("lvp_icd.{ARCH}.json"), "lvp_icd.json".into()];
        let is_lavapipe = |path: &Path| names.iter().any(|name| path.ends_with(name)) && path.is_file();
        let folder_or_file = |path: &PathBuf| match is_lavapipe(path) {
            true => Some(path.clone()),
            false => names.iter().map(|name| path.join(name)).find(|path| path.is_file()),
        };
        (self.manifests.iter().find_map(folder_or_file))
            .with_context(|| format!("no {} in any vulkan/icd.d folder", names.join(" or ")))
    }

    /// Mesa's EGL library, where its software rasteriser is installed too.
    pub fn software_gl(&self) -> Result<PathBuf> {
        self.library("libEGL.so.1").context("EGL is not installed")?;
        let mesa = self.library("libEGL_mesa.so.0").context("Mesa's EGL is not installed")?;
        // One library per driver up to Mesa 24.1, one for all of them since.
        (self.library("dri/swrast_dri.so").or_else(|_| self.library("libgallium-*.so")))
            .context("Mesa's software rasteriser is not installed")?;
        Ok(mesa)
    }

    /// The manifest of the SwiftShader that an installed browser brings along.
    pub fn browsers_swiftshader(&self) -> Option<PathBuf> {
        let folders = [
            "opt/google/chrome",
            "usr/lib/chromium",
            "usr/lib/chromium-browser",
            "usr/lib64/chromium",
            "usr/lib64/chromium-browser",
        ];
        (folders.iter().map(|folder| self.root.join(folder)))
            .find(|folder| folder.join(crate::swiftshader::LIBRARY).is_file())
            .map(|folder| folder.join(crate::swiftshader::MANIFEST))
            .filter(|manifest| manifest.is_file())
    }

    /// A shared library by its name, in which one `*` may stand for a version.
    fn library(&self, name: &str) -> Result<PathBuf> {
        let (start, end) = name.split_once('*').unwrap_or((name, ""));
        let in_folder = |folder: &PathBuf| match end {
            "" => Some(folder.join(name)).filter(|path| path.exists()),
            _ => fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).find(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.strip_prefix(start).is_some_and(|rest| rest.ends_with(end))
            }),
        };
        self.libraries.iter().find_map(in_folder).with_context(|| format!("no {name} in any library folder"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system that holds empty files at `paths`.
    fn machine_with(paths: &[&str]) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().unwrap();
        for path in paths {
            let path = root.path().join(path.replace("ARCH", ARCH));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let machine = Machine::at(root.path());
        (root, machine)
    }

    fn complaint(result: Result<PathBuf>) -> String {
        format!("{:#}", result.unwrap_err())
    }

    #[test]
    fn a_bare_machine_has_nothing() {
        let (_root, machine) = machine_with(&[]);
        assert!(complaint(machine.lavapipe()).contains("no libvulkan.so.1"));
        assert!(complaint(machine.software_gl()).contains("no libEGL.so.1"));
        assert_eq!(machine.browsers_swiftshader(), None);
    }

    #[test]
    fn lavapipe_is_the_loader_and_a_manifest_for_this_architecture() {
        let loader = "usr/lib/ARCH-linux-gnu/libvulkan.so.1";
        let other_drivers =
            ["usr/share/vulkan/icd.d/radeon_icd.ARCH.json", "usr/share/vulkan/icd.d/lvp_icd.mips.json"];
        let (_root, machine) = machine_with(&[loader, other_drivers[0], other_drivers[1]]);
        assert!(complaint(machine.lavapipe()).starts_with("no lvp_icd"));
        for manifest in ["usr/share/vulkan/icd.d/lvp_icd.ARCH.json", "etc/vulkan/icd.d/lvp_icd.json"] {
            let (root, machine) = machine_with(&[loader, other_drivers[0], manifest]);
            let manifest = manifest.replace("ARCH", ARCH);
            assert_eq!(machine.lavapipe().unwrap(), root.path().join(&manifest));
            let (_root, machine) = machine_with(&[&manifest]);
            assert!(complaint(machine.lavapipe()).contains("loader is not installed"));
        }
    }

    #[test]
    fn a_listed_manifest_or_folder_counts() {
        let (root, mut machine) = machine_with(&["usr/lib/libvulkan.so.1", "mesa/lvp_icd.ARCH.json"]);
        assert!(machine.lavapipe().is_err());
        let folder = root.path().join("mesa");
        let file = folder.join(format!("lvp_icd.{ARCH}.json"));
        for listed in [&folder, &file] {
            machine.manifests = vec![listed.clone()];
            assert_eq!(machine.lavapipe().unwrap(), file);
        }
    }

    #[test]
    fn software_gl_needs_mesas_egl_and_its_rasteriser() {
        let egl = ["usr/lib64/libEGL.so.1", "usr/lib64/libEGL_mesa.so.0"];
        let (_root, machine) = machine_with(&egl[..1]);
        assert!(complaint(machine.software_gl()).contains("Mesa's EGL is not installed"));
        let (_root, machine) = machine_with(&egl);
        assert!(complaint(machine.software_gl()).contains("rasteriser"));
        for rasteriser in ["usr/lib/ARCH-linux-gnu/dri/swrast_dri.so", "usr/lib64/libgallium-25.0.7-2.so"] {
            let (root, machine) = machine_with(&[egl[0], egl[1], rasteriser]);
            assert_eq!(machine.software_gl().unwrap(), root.path().join(egl[1]));
        }
    }

    #[test]
    fn a_browsers_swiftshader_needs_both_files() {
        let chrome = ["opt/google/chrome/libvk_swiftshader.so", "opt/google/chrome/vk_swiftshader_icd.json"];
        let (root, machine) = machine_with(&chrome);
        assert_eq!(machine.browsers_swiftshader(), Some(root.path().join(chrome[1])));
        let (_root, machine) = machine_with(&chrome[1..]);
        assert_eq!(machine.browsers_swiftshader(), None);
    }
}
