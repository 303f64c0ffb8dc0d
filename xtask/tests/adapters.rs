//! `scripts/adapters.sh` on machines that are made up of empty files, with an `apt-get` that is a script.
#![cfg(target_os = "linux")]

use std::env::consts::ARCH;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/adapters.sh");
/// The programs that the script may use on every Linux.
const TOOLS: [&str; 19] = [
    "bash", "cat", "chmod", "cp", "dirname", "env", "flock", "grep", "head", "mkdir", "mv", "realpath", "rm",
    "sed", "sh", "touch", "tr", "true", "uname",
];
const LOADER: &str = "usr/lib/ARCH-linux-gnu/libvulkan.so.1";
const LAVAPIPE: &str = "usr/share/vulkan/icd.d/lvp_icd.ARCH.json";
const GL: [&str; 3] =
    ["usr/lib64/libEGL.so.1", "usr/lib64/libEGL_mesa.so.0", "usr/lib/ARCH-linux-gnu/dri/swrast_dri.so"];
const CHROME: [&str; 2] =
    ["opt/google/chrome/libvk_swiftshader.so", "opt/google/chrome/vk_swiftshader_icd.json"];
const MANIFEST: &str = r#"{"file_format_version": "1.0.0", "ICD": {"library_path": "./libvk_swiftshader.so", "api_version": "1.0.5"}}"#;

struct Machine(tempfile::TempDir);

struct Output {
    variables: String,
    said: String,
    succeeded: bool,
}

impl Machine {
    /// A machine without apt-get that has these files.
    fn with(files: &[&str]) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|file| machine.write(file, ""));
        fs::create_dir(machine.path("bin")).unwrap();
        for tool in TOOLS {
            let path = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
            symlink(path.iter().find(|path| path.exists()).unwrap(), machine.path("bin").join(tool)).unwrap();
        }
        machine.program("id", "echo 0");
        machine
    }

    /// A machine of Debian's: its packages are the files in the lists above.
    fn debian(files: &[&str]) -> Self {
        let machine = Self::with(files);
        let root = machine.0.path().display();
        let touch = |files: &[&str]| {
            let file = |file: &&str| format!("mkdir -p $(dirname {root}/{file}); touch {root}/{file}\n");
            files.iter().map(file).collect::<String>().replace("ARCH", ARCH)
        };
        let mesa = touch(&[&GL[..], &[LOADER, LAVAPIPE]].concat());
        let lists = "${APT_CONFIG:+${APT_CONFIG%apt.conf}state/lists}";
        machine.program(
            "apt-get",
            &format!(
                "echo \"$@\" >>{root}/log; lists={lists}; lists=${{lists:-{root}/var/lib/apt/lists}}\n\
                 case \"$*\" in *update*) mkdir -p $lists; touch $lists/a_Packages.lz4 ;;\n\
                 *install*) if [ -e {root}/old ]; then rm {root}/old; echo 404 >&2; exit 100; fi\n{mesa} ;;\n\
                 *download*) touch package.deb ;; esac"
            ),
        );
        machine.program("apt-cache", "exit 0");
        machine.write("driver.json", MANIFEST);
        machine.program(
            "dpkg",
            &format!(
                "mkdir -p $3/usr/lib/chromium; touch $3/usr/lib/chromium/libvk_swiftshader.so\n\
                 cp {root}/driver.json $3/usr/lib/chromium/vk_swiftshader_icd.json"
            ),
        );
        machine
    }

    /// A path on the machine, in which ARCH stands for the architecture.
    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path.replace("ARCH", ARCH))
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn program(&self, name: &str, script: &str) {
        let path = format!("bin/{name}");
        self.write(&path, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(self.path(&path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Puts SwiftShader where the script fetches it to.
    fn fetched(files: [&str; 2]) -> Self {
        let machine = Self::with(&[]);
        for file in files {
            let text = if file.ends_with("json") { MANIFEST } else { "driver" };
            machine.write(&format!("cache/swiftshader/{file}"), text);
        }
        machine
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(self.path("bin/bash"));
        command.arg(SCRIPT).arg("--cache").arg(self.path("cache")).args(arguments);
        command.env_clear().env("PATH", self.path("bin")).env("ADAPTERS_SYSTEM_ROOT", self.0.path());
        let output = command.envs(environment.iter().copied()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Output {
            variables: text(output.stdout),
            said: text(output.stderr),
            succeeded: output.status.success(),
        }
    }

    /// What the script says of one adapter: its path on the machine, or "missing: " and why.
    fn says(&self, adapter: &str, environment: &[(&str, &str)]) -> String {
        let said = self.run(&["--report", "--require", ""], environment).said;
        let line = said.lines().find_map(|line| line.strip_prefix(&format!("{adapter:<12}")));
        line.unwrap_or_else(|| panic!("{said}")).replace(&format!("{}/", self.0.path().display()), "")
    }

    /// What apt-get was asked for.
    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

const EVERY: &str = "lavapipe,gl,swiftshader";

#[test]
fn an_adapter_is_its_loader_and_its_driver_for_this_architecture() {
    let others = ["usr/share/vulkan/icd.d/radeon_icd.ARCH.json", "usr/share/vulkan/icd.d/lvp_icd.mips.json"];
    let plain = "etc/vulkan/icd.d/lvp_icd.json";
    for (adapter, files, expected) in [
        ("lavapipe", &[][..], "missing: the Vulkan loader"),
        ("lavapipe", &[LAVAPIPE], "missing: the Vulkan loader"),
        ("lavapipe", &[LOADER, others[0], others[1]], "missing: no lvp_icd"),
        ("lavapipe", &[LOADER, others[0], LAVAPIPE], LAVAPIPE),
        ("lavapipe", &[LOADER, others[0], plain], plain),
        ("gl", &[], "missing: EGL (libEGL.so.1)"),
        ("gl", &GL[..1], "missing: Mesa's EGL"),
        ("gl", &GL[..2], "missing: Mesa's software rasteriser"),
        ("gl", &GL, GL[1]),
        ("gl", &[GL[0], GL[1], "usr/lib64/libgallium-25.0.7-2.so"], GL[1]),
        ("swiftshader", &[], "missing: neither fetched yet nor part of a browser"),
        ("swiftshader", &CHROME[1..], "missing: neither"),
        ("swiftshader", &CHROME, CHROME[1]),
    ] {
        let said = Machine::with(files).says(adapter, &[]);
        assert!(said.starts_with(&expected.replace("ARCH", ARCH)), "{adapter} {files:?}: {said}");
    }
}

#[test]
fn a_listed_manifest_or_folder_counts() {
    let machine =
        Machine::with(&["usr/lib/libvulkan.so.1", "mesa/lvp_icd.ARCH.json", "x/vulkan/icd.d/lvp_icd.json"]);
    assert!(machine.says("lavapipe", &[]).starts_with("missing"));
    let (folder, file) = (machine.path("mesa"), machine.path("mesa/lvp_icd.ARCH.json"));
    for (name, listed) in
        [("VK_DRIVER_FILES", &folder), ("VK_ICD_FILENAMES", &file), ("VK_ADD_DRIVER_FILES", &file)]
    {
        let list = format!("/nothing.json:{}", listed.display());
        assert_eq!(machine.says("lavapipe", &[(name, &list)]), format!("mesa/lvp_icd.{ARCH}.json"));
    }
    for name in ["XDG_DATA_HOME", "XDG_DATA_DIRS"] {
        let folder = machine.path("x");
        let said = machine.says("lavapipe", &[(name, folder.to_str().unwrap())]);
        assert_eq!(said, "x/vulkan/icd.d/lvp_icd.json", "{name}");
    }
}

#[test]
fn drivers_are_added_to_what_the_loader_would_use() {
    let machine = Machine::with(&CHROME);
    let ours = machine.path(CHROME[1]).display().to_string();
    let listed = format!("{ours}:/a.json");
    for (environment, name, value) in [
        (&[][..], "VK_ADD_DRIVER_FILES", ours.clone()),
        (&[("VK_ADD_DRIVER_FILES", "/a.json")], "VK_ADD_DRIVER_FILES", format!("/a.json:{ours}")),
        (&[("VK_DRIVER_FILES", "/a.json:/b.json")], "VK_DRIVER_FILES", format!("/a.json:/b.json:{ours}")),
        (&[("VK_ICD_FILENAMES", "/a.json")], "VK_ICD_FILENAMES", format!("/a.json:{ours}")),
        (&[("VK_DRIVER_FILES", "")], "VK_ADD_DRIVER_FILES", ours.clone()),
        (&[("VK_DRIVER_FILES", &listed)], "VK_DRIVER_FILES", listed.clone()),
    ] {
        let output = machine.run(&["--require", ""], environment);
        assert!(output.variables.contains(&format!("{name}='{value}'\n")), "{}", output.variables);
        assert!(output.succeeded && output.variables.starts_with("SEEDBED_REQUIRE_ADAPTERS=''\n"));
    }
    let mode = fs::metadata(machine.path("cache/runtime")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let runtime = machine.run(&["--require", ""], &[("XDG_RUNTIME_DIR", "/run/user/0")]).variables;
    assert!(!runtime.contains("XDG_RUNTIME_DIR"), "{runtime}");

    let colon = machine.path("a:b");
    let output = machine.run(&["--require", "", "--cache", colon.to_str().unwrap()], &[]);
    assert!(output.succeeded, "nothing is in the cache: {}", output.said);
    fs::rename(
        Machine::fetched(["libvk_swiftshader.so", "vk_swiftshader_icd.json"]).path("cache/swiftshader"),
        colon.join("swiftshader"),
    )
    .unwrap();
    let output = machine.run(&["--require", "", "--cache", colon.to_str().unwrap()], &[]);
    assert!(!output.succeeded && output.said.contains("set CARGO_TARGET_DIR"), "{}", output.said);
}

#[test]
fn the_fetched_manifest_names_the_driver_absolutely_and_keeps_the_rest() {
    let machine = Machine::fetched(["libvk_swiftshader.so", "vk_swiftshader_icd.json"]);
    let read = |folder: &str| {
        let said = machine.run(
            &["--report", "--require", "swiftshader", "--cache", machine.path(folder).to_str().unwrap()],
            &[],
        );
        assert!(said.succeeded, "{}", said.said);
        fs::read_to_string(machine.path(folder).join("swiftshader/absolute.json")).unwrap()
    };
    let expected = |folder: &str| {
        let driver = machine.path(folder).join("swiftshader/libvk_swiftshader.so");
        format!("{}\n", MANIFEST.replace("./libvk_swiftshader.so", driver.to_str().unwrap()))
    };
    assert_eq!(read("cache"), expected("cache"));
    let written =
        || fs::metadata(machine.path("cache/swiftshader/absolute.json")).unwrap().modified().unwrap();
    let first = written();
    read("cache");
    assert_eq!(written(), first, "written again without need");
    fs::rename(machine.path("cache"), machine.path("moved")).unwrap();
    assert_eq!(read("moved"), expected("moved"));
}

#[test]
fn a_damaged_folder_is_an_error_with_a_remedy() {
    let cut = Machine::fetched(["libvk_swiftshader.so", "vk_swiftshader_icd.json"]);
    cut.write("cache/swiftshader/vk_swiftshader_icd.json", &MANIFEST[..40]);
    let without =
        [["libvk_swiftshader.so", "readme"], ["vk_swiftshader_icd.json", "readme"]].map(Machine::fetched);
    for machine in [&cut, &without[0], &without[1]] {
        let output = machine.run(&["--require", ""], &[]);
        assert!(!output.succeeded && output.said.contains("delete the folder"), "{}", output.said);
    }
}

#[test]
fn a_named_manifest_must_exist() {
    let machine = Machine::with(&CHROME);
    let named = |path: &str| machine.run(&["--require", ""], &[("SEEDBED_SWIFTSHADER_ICD", path)]);
    let output = named("/nothing.json");
    assert!(
        !output.succeeded && output.said.contains("SEEDBED_SWIFTSHADER_ICD is /nothing.json"),
        "{}",
        output.said
    );
    assert!(!named(machine.0.path().to_str().unwrap()).succeeded, "a folder is no manifest");
    let file = machine.path(CHROME[1]);
    assert!(named(file.to_str().unwrap()).variables.contains(file.to_str().unwrap()));
}

#[test]
fn without_apt_only_what_is_installed_is_required_unless_more_is_asked_for() {
    let machine = Machine::with(&GL);
    let output = machine.run(&[], &[]);
    assert!(
        output.succeeded && output.variables.starts_with("SEEDBED_REQUIRE_ADAPTERS='gl'\n"),
        "{}",
        output.said
    );
    assert!(output.said.contains("only what is installed is required: `gl`; for the rest, install Mesa's"));
    for (arguments, environment) in
        [(&["--require", EVERY][..], &[][..]), (&[], &[("SEEDBED_REQUIRE_ADAPTERS", "gl, lavapipe ,")])]
    {
        let output = machine.run(arguments, environment);
        assert!(!output.succeeded && output.variables.is_empty());
        assert!(
            output.said.contains("cannot provide lavapipe") && output.said.contains("dnf install"),
            "{}",
            output.said
        );
    }
    let report = machine.run(&["--report", "--require", "gl, lavapipe"], &[]);
    assert!(!report.succeeded && report.said.contains("missing: lavapipe"), "{}", report.said);
    // An option comes before the environment, and its list is read leniently and printed strictly.
    let output = machine.run(&["--require", ", gl,,unknown"], &[("SEEDBED_REQUIRE_ADAPTERS", EVERY)]);
    assert!(output.variables.starts_with("SEEDBED_REQUIRE_ADAPTERS='gl,unknown'\n"), "{}", output.variables);
}

#[test]
fn with_apt_what_is_missing_is_installed_and_fetched_once() {
    // Without lists there is an update before the first try, and with old lists one after it.
    for (files, expected) in [
        (&[][..], "update install download"),
        (&["old", "var/lib/apt/lists/a_Packages.lz4"], "install update install download"),
    ] {
        let machine = Machine::debian(files);
        let report = machine.run(&["--report", "--require", ""], &[]);
        assert!(report.succeeded && machine.log().is_empty(), "{}", report.said);
        let output = machine.run(&[], &[]);
        let start = format!("SEEDBED_REQUIRE_ADAPTERS='{EVERY}'\nVK_ADD_DRIVER_FILES='");
        assert!(output.succeeded && output.variables.starts_with(&start), "{}", output.said);
        let log = machine.log();
        let is_command = |word: &&str| ["update", "install", "download"].contains(word);
        let commands: Vec<_> = log.split_whitespace().filter(is_command).collect();
        assert_eq!(commands.join(" "), expected, "{log}");
        assert!(
            log.contains("-qq -o DPkg::Lock::Timeout=300 -o APT::Sandbox::User=root install -y"),
            "{log}"
        );
        assert!(!machine.path("cache/swiftshader.partial").exists());
        assert!(machine.run(&[], &[]).succeeded);
        assert_eq!(machine.log(), log, "asked again without need");
    }
}

#[test]
fn an_archive_without_chromium_gives_way_to_debians() {
    for keyring in [true, false] {
        let machine =
            Machine::debian(&[&GL[..], &[LOADER, LAVAPIPE, "var/lib/apt/lists/a_Packages"]].concat());
        machine
            .program("apt-cache", "case \"$APT_CONFIG$*\" in *keyring*|*apt.conf*) ;; *) exit 100 ;; esac");
        let key = "usr/share/keyrings/debian-archive-keyring.gpg";
        if keyring {
            machine.write(key, "");
        }
        let output = machine.run(&[], &[]);
        assert!(
            output.succeeded && output.said.contains("no chromium-common\ntaking Debian's"),
            "{}",
            output.said
        );
        let log = machine.log();
        assert_eq!(log.contains("download debian-archive-keyring"), !keyring, "{log}");
        assert!(log.contains("update\n") && log.ends_with("download chromium-common\n"), "{log}");
    }
}

#[test]
fn what_cannot_be_provided_is_an_error_with_a_remedy() {
    let machine = Machine::debian(&[]);
    machine.program("id", "echo 1000");
    let output = machine.run(&[], &[]);
    assert!(!output.succeeded && output.said.contains("to be root or have a `sudo`"), "{}", output.said);
    assert!(output.said.contains("as root, run `apt-get install mesa-vulkan-drivers"), "{}", output.said);
    machine.program("sudo", "shift; exec \"$@\"");
    let output = machine.run(&[], &[]);
    assert!(output.succeeded, "{}", output.said);

    let machine = Machine::debian(&[]);
    machine.program("apt-get", "exit 0");
    let output = machine.run(&["--require", "gl"], &[]);
    assert!(!output.succeeded && output.said.contains("missing: gl; install Mesa's"), "{}", output.said);
    let machine = Machine::debian(&[]);
    machine.program("dpkg", "exit 0");
    let output = machine.run(&["--require", "swiftshader"], &[]);
    assert!(
        !output.succeeded && output.said.contains("set SEEDBED_SWIFTSHADER_ICD to another"),
        "{}",
        output.said
    );
    assert!(!machine.path("cache/swiftshader").exists());
}
