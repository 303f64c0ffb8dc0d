//! `seedbed init`, on the host engine.

mod common;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Stdio;

use common::{Folder, expected, manifest, model, run, seedbed, succeed, text};
use safetensors::{Dtype, SafeTensors};
use seedbed::{DType, Init, Key, Region, host};

const ODD_SHAPES: &[(&str, &[u64])] = &[
    ("z.weight", &[3, 5]),
    ("z.bias", &[3]),
    ("norm.weight", &[7]),
    ("conv \"q\".weight", &[5, 3, 2, 1]),
    ("empty.weight", &[0, 9]),
    ("a.weight", &[1, 1]),
];

fn init_of(name: &str) -> Init {
    match name {
        _ if name.ends_with("bias") => Init::constant(0.0),
        "norm.weight" => Init::constant(1.0),
        _ => Init::xavier_normal(),
    }
}

#[test]
fn every_tensor_is_what_the_library_makes() {
    let folder = Folder::new();
    let (model, out) = (folder.write("m.json", manifest(ODD_SHAPES)), folder.path("o.safetensors"));
    let stdout = succeed(&[&"init", &model, &"-o", &out, &"--seed", &"0x2a", &"--adapter", &"host"]);
    assert!(stdout.contains("6 tensors, 56 elements, 224 bytes of data"), "{stdout}");

    let bytes = fs::read(&out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), ODD_SHAPES.len());
    for (name, shape) in ODD_SHAPES {
        let tensor = file.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), Dtype::F32);
        assert!(tensor.shape().iter().map(|&d| d as u64).eq(shape.iter().copied()));
        assert_eq!(tensor.data(), expected(shape, &init_of(name), Key::new(42).named(name)), "{name}");
    }
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header.offset_keys(), ODD_SHAPES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let metadata = header.metadata().as_ref().unwrap();
    assert_eq!(metadata["format"], "pt");
    assert_eq!(metadata["seedbed.seed"], "42");
    assert_eq!(metadata["seedbed.contract"], seedbed::CONTRACT_VERSION.to_string());
    assert_eq!(folder.names(), ["m.json", "o.safetensors"]);
}

#[test]
fn a_safetensors_file_is_a_model_and_may_be_its_own_output() {
    let folder = Folder::new();
    let (model, first, second) = (
        folder.write("m.json", manifest(ODD_SHAPES)),
        folder.path("1.safetensors"),
        folder.path("2.SafeTensors"),
    );
    succeed(&[&"init", &model, &"-o", &first, &"--adapter", &"host"]);
    let bytes = fs::read(&first).unwrap();
    succeed(&[&"init", &first, &"-o", &second, &"--adapter", &"host"]);
    assert_eq!(bytes, fs::read(&second).unwrap());

    let refused = run(&[&"init", &first, &"-o", &first, &"--adapter", &"host", &"--seed", &"1"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused.stderr).contains("is read and would be replaced; give another output, or --in-place")
    );
    assert_eq!(bytes, fs::read(&first).unwrap());
    succeed(&[&"init", &first, &"-o", &first, &"--adapter", &"host", &"--seed", &"1", &"--in-place"]);
    let other_seed = fs::read(&first).unwrap();
    assert_ne!(bytes, other_seed);
    succeed(&[&"init", &model, &"-o", &second, &"--adapter", &"host", &"--seed", &"1"]);
    assert_eq!(other_seed, fs::read(&second).unwrap());
}

#[test]
fn element_types_are_kept_or_chosen() {
    let folder = Folder::new();
    let parameters: &[(&str, &[u64])] = &[("a.weight", &[3, 3]), ("b.weight", &[5, 3]), ("c.bias", &[3])];
    // The order of the file is F16, F32, BF16. In the output the larger types come first, so that all are
    // aligned.
    let mut types = ["F16", "F32", "BF16"].into_iter();
    let text = manifest(parameters).split("F32").collect::<Vec<_>>().join("@");
    let text = text.chars().map(|c| if c == '@' { types.next().unwrap().into() } else { c.to_string() });
    let (model, out) = (folder.write("m.json", text.collect::<String>()), folder.path("o.safetensors"));
    for (dtype, expected_types) in [
        ("keep", [(DType::F32, "b.weight"), (DType::F16, "a.weight"), (DType::BF16, "c.bias")]),
        ("bf16", ["a.weight", "b.weight", "c.bias"].map(|name| (DType::BF16, name))),
        ("f32", ["a.weight", "b.weight", "c.bias"].map(|name| (DType::F32, name))),
    ] {
        succeed(&[&"init", &model, &"-o", &out, &"--adapter", &"host", &"--dtype", &dtype]);
        let bytes = fs::read(&out).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.offset_keys(), expected_types.map(|(_, name)| name));
        let file = SafeTensors::deserialize(&bytes).unwrap();
        for (dtype, name) in expected_types {
            let tensor = file.tensor(name).unwrap();
            assert_eq!(tensor.dtype().to_string(), dtype.to_string().to_uppercase());
            let shape = parameters.iter().find(|(n, _)| *n == name).unwrap().1;
            let mut expected = vec![0; tensor.data().len()];
            host::fill_bytes(&mut expected, dtype, shape, &init_of(name), Key::new(0).named(name)).unwrap();
            assert_eq!(tensor.data(), expected, "{name}");
        }
    }
}

#[test]
fn a_matrix_that_takes_several_windows_is_made_at_once() {
    let folder = Folder::new();
    let rules = folder.write("r.toml", "[[rule]]\nmatch = '*'\ninit = 'orthogonal(gain=2)'\n");
    // The tensor has 40 MB, more than a window, and is thin enough to be quick.
    let parameters: &[(&str, &[u64])] = &[("small", &[3, 5]), ("tall", &[2_000_001, 5]), ("last", &[7, 2])];
    let (model, out) = (folder.write("m.json", manifest(parameters)), folder.path("o.safetensors"));
    succeed(&[&"init", &model, &"-o", &out, &"--adapter", &"host", &"--rules", &rules]);
    let bytes = fs::read(&out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for (name, shape) in parameters {
        let expected = expected(shape, &Init::Orthogonal { gain: 2.0 }, Key::new(0).named(name));
        assert!(file.tensor(name).unwrap().data() == expected, "{name}");
    }
}

#[test]
fn pytorchs_warning_names_the_parameter() {
    let folder = Folder::new();
    let rules = folder.write("r.toml", "[[rule]]\nmatch = '*'\ninit = 'kaiming_normal()'\n");
    let model = folder.write("m.json", manifest(&[("empty", &[0, 5])]));
    let out = folder.path("o.safetensors");
    let output = run(&[&"init", &model, &"-o", &out, &"--adapter", &"host", &"--rules", &rules]);
    assert!(output.status.success());
    let stderr = text(&output.stderr);
    assert!(stderr.contains("parameter \"empty\"") && stderr.ends_with("zero-element tensors is a no-op\n"));
}

#[test]
fn rules_decide() {
    let folder = Folder::new();
    let rules = folder.write(
        "r.toml",
        "[[rule]]\nmatch = 'z.*'\nrank = 2\ninit = 'normal(std=0.02)'\n\
         [[rule]]\nmatch = 'nothing.*'\ninit = 'zeros'\n\
         [[rule]]\nmatch = '*'\ninit = 'constant(0.25)'\n",
    );
    let parameters: &[(&str, &[u64])] = &[("z.w", &[4, 3]), ("z.b", &[4]), ("scalar", &[])];
    let (model, out) = (folder.write("m.json", manifest(parameters)), folder.path("o.safetensors"));
    let output = run(&[&"init", &model, &"-o", &out, &"--rules", &rules, &"--adapter", &"host"]);
    assert!(output.status.success());
    assert_eq!(
        text(&output.stderr),
        format!(
            "warning: {}, rule 2 (line 5) (match = \"nothing.*\") matches no parameter\n",
            rules.display()
        )
    );
    let bytes = fs::read(&out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let normal = expected(&[4, 3], &Init::normal(0.0, 0.02), Key::new(0).named("z.w"));
    assert_eq!(file.tensor("z.w").unwrap().data(), normal);
    assert_eq!(file.tensor("z.b").unwrap().data(), 0.25_f32.to_le_bytes().repeat(4));
    assert_eq!(file.tensor("scalar").unwrap().data(), 0.25_f32.to_le_bytes());
}

#[test]
fn printed_rules_are_the_built_in_ones() {
    let folder = Folder::new();
    let rules = folder.write("r.toml", succeed(&[&"rules"]));
    let model = folder.write("m.json", manifest(ODD_SHAPES));
    let [a, b] = [folder.path("a.safetensors"), folder.path("b.safetensors")];
    succeed(&[&"init", &model, &"-o", &a, &"--adapter", &"host"]);
    succeed(&[&"init", &model, &"-o", &b, &"--adapter", &"host", &"--rules", &rules]);
    assert_eq!(fs::read(a).unwrap(), fs::read(b).unwrap());
}

#[test]
fn a_model_without_parameters_is_a_file_without_tensors() {
    let folder = Folder::new();
    let (model, out) = (folder.write("m.json", manifest(&[])), folder.path("o.safetensors"));
    succeed(&[&"init", &model, &"-o", &out, &"--adapter", &"host"]);
    assert!(SafeTensors::deserialize(&fs::read(out).unwrap()).unwrap().is_empty());
}

#[test]
fn quiet_prints_nothing() {
    let folder = Folder::new();
    let (model, out) = (folder.write("m.json", manifest(ODD_SHAPES)), folder.path("o.safetensors"));
    // The backend is one that this system lacks, so that no driver prints either.
    let output =
        without_adapters().arg("init").arg(&model).arg("-o").arg(&out).arg("--quiet").output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    assert!(out.is_file());
}

#[test]
fn without_an_adapter_it_runs_on_the_host_and_says_so() {
    let folder = Folder::new();
    let (model, out) = (folder.write("m.json", manifest(ODD_SHAPES)), folder.path("o.safetensors"));
    let output = without_adapters().arg("init").arg(&model).arg("-o").arg(&out).output().unwrap();
    assert!(output.status.success());
    assert_eq!(
        text(&output.stderr),
        "note: there is no adapter; computing on the host (the bits are the same)\n"
    );
    assert!(text(&output.stdout).trim_end().ends_with("s (host)"));
}

fn without_adapters() -> std::process::Command {
    let mut command = seedbed();
    command.env("WGPU_BACKEND", if cfg!(windows) { "metal" } else { "dx12" });
    command
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let folder = Folder::new();
    let (model, out) = (folder.write("m.json", manifest(ODD_SHAPES)), folder.path("o.safetensors"));
    let mut command = seedbed();
    let mut child = command
        .arg("init")
        .arg(&model)
        .arg("-o")
        .arg(&out)
        .args(["--adapter", "host"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(out.is_file());
}

#[cfg(unix)]
#[test]
fn the_file_has_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let (model, out) = (folder.write("m.json", manifest(ODD_SHAPES)), folder.path("o.safetensors"));
    succeed(&[&"init", &model, &"-o", &out, &"--adapter", &"host"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&out), mode(&model));
}

/// A model of 32 GiB. No test waits for its end.
#[cfg(unix)]
const ENDLESS: &[(&str, &[u64])] = &[("w", &[1 << 20, 1 << 13])];

#[cfg(unix)]
#[test]
fn signals_leave_no_file() {
    for signal in ["INT", "TERM"] {
        let folder = Folder::new();
        let (model, out) = (folder.write("m.json", manifest(ENDLESS)), folder.write("o.safetensors", "old"));
        let mut command = seedbed();
        command.arg("init").arg(&model).arg("-o").arg(&out).args(["--adapter", "host"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Signals are watched before the temporary file is made.
        while common::written(child.id(), &folder.path("")) < 1 << 20 {
            std::thread::yield_now();
        }
        let kill =
            std::process::Command::new("kill").arg(format!("-{signal}")).arg(child.id().to_string()).status();
        assert!(kill.unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{output:?}");
        assert_eq!(text(&output.stderr), "interrupted, nothing was written\n");
        assert_eq!(folder.names(), ["m.json", "o.safetensors"]);
        assert_eq!(fs::read(&out).unwrap(), b"old");
    }
}

/// SIGKILL gives the program no chance to remove anything.
#[cfg(unix)]
#[test]
fn a_killed_run_leaves_nothing_for_long() {
    let folder = Folder::new();
    let (model, out) = (folder.write("m.json", manifest(ENDLESS)), folder.write("o.safetensors", "old"));
    let start = || {
        let mut command = seedbed();
        command.arg("init").arg(&model).arg("-o").arg(&out).args(["--adapter", "host", "-q"]);
        let child = command.spawn().unwrap();
        while common::written(child.id(), &folder.path("")) < 64 << 20 {
            std::thread::yield_now();
        }
        child
    };
    let kill = |mut child: std::process::Child| {
        child.kill().unwrap();
        child.wait().unwrap();
    };
    let small = folder.write("small.json", manifest(ODD_SHAPES));
    let run = |name: &str| {
        let model = folder.path("small.json");
        succeed(&[&"init", &model, &"-o", &folder.path(name), &"--adapter", &"host", &"-q"]);
    };
    assert!(small.is_file());

    kill(start());
    if cfg!(target_os = "linux") {
        // The file had no name, so it ended with the process.
        assert_eq!(folder.names(), ["m.json", "o.safetensors", "small.json"]);
    }
    run("other.safetensors");
    assert_eq!(folder.names(), ["m.json", "o.safetensors", "other.safetensors", "small.json"]);
    assert_eq!(fs::read(&out).unwrap(), b"old");

    // A run beside a living one takes nothing away from it.
    let living = start();
    let before = common::written(living.id(), &folder.path(""));
    run("other.safetensors");
    assert!(common::written(living.id(), &folder.path("")) >= before);
    kill(living);
    run("o.safetensors");
    assert_eq!(folder.names(), ["m.json", "o.safetensors", "other.safetensors", "small.json"]);
    assert!(fs::read(&out).unwrap() == fs::read(folder.path("other.safetensors")).unwrap());
}

/// A file system of 8 MB, and the same one without permission to write.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_and_a_read_only_folder_are_named() {
    let folder = Folder::new();
    let model = folder.write("m.json", manifest(ENDLESS));
    let script = r#"
        program=$1 model=$2
        mount -t tmpfs -o size=8m none /mnt
        echo old >/mnt/o.safetensors
        trial() {
            set +e
            "$program" init "$model" -o "$1" --adapter host -q
            echo "exit code $?: $(ls -A /mnt)" >&2
            set -e
        }
        trial /mnt/o.safetensors
        mount -o remount,ro /mnt
        trial /mnt/o.safetensors
        trial /mnt/new/
        cat /mnt/o.safetensors"#;
    let Some(output) = common::with_own_mounts(script, &[&env!("CARGO_BIN_EXE_seedbed"), &model]) else {
        return;
    };
    let stderr = text(&output.stderr);
    assert!(
        output.status.success()
            && output.stdout
                == b"old
",
        "{output:?}"
    );
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(
        lines,
        [
            "error: /mnt/o.safetensors: nothing was written: No space left on device (os error 28); free some space, or \
             write to another disk",
            "exit code 1: o.safetensors",
            "error: /mnt/o.safetensors: can't create a file in the folder /mnt: read-only filesystem or storage medium; \
             write to another folder",
            "exit code 2: o.safetensors",
            "error: /mnt/new/: can't create the folder: Read-only file system (os error 30); write to another folder",
            "exit code 2: o.safetensors",
        ]
    );
}

/// A user without permission for the folder.
#[cfg(unix)]
#[test]
fn a_folder_of_another_user_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let model = folder.write("m.json", manifest(ODD_SHAPES));
    let (place, out) = (folder.path("theirs"), folder.path("theirs/o.safetensors"));
    fs::create_dir(&place).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = seedbed();
    // Root may write everywhere. The program and the model have to be readable for the other user.
    if File::create(place.join("probe")).is_ok() {
        fs::remove_file(place.join("probe")).unwrap();
        fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        let program = folder.path("program");
        fs::copy(env!("CARGO_BIN_EXE_seedbed"), &program).unwrap();
        command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    }
    let output =
        command.arg("init").arg(&model).arg("-o").arg(&out).args(["--adapter", "host"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let right = format!(
        "error: {}: can't create a file in the folder {}: permission denied; write to another folder\n",
        out.display(),
        place.display()
    );
    assert_eq!(text(&output.stderr), right);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
}

/// Standard output on a full device.
#[cfg(target_os = "linux")]
#[test]
fn a_report_that_can_not_be_printed_is_an_error() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = seedbed().arg("plan").arg(model("gpt2.json")).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(text(&output.stderr), "error: standard output: No space left on device (os error 28)\n");
}

/// A limit on the size of files. The error names the limit.
#[cfg(unix)]
#[test]
fn a_write_that_fails_leaves_no_file() {
    let folder = Folder::new();
    let (model, out) = (folder.write("m.json", manifest(ENDLESS)), folder.path("o.safetensors"));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 20000; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_seedbed")]);
    let output =
        command.arg("init").arg(&model).arg("-o").arg(&out).args(["--adapter", "host"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = text(&output.stderr);
    let beginning = format!("error: {}: nothing was written: ", out.display());
    assert!(stderr.starts_with(&beginning) && stderr.lines().count() == 1, "{stderr}");
    assert!(
        stderr.contains("; the file system or `ulimit -f` limits the size of files; write elsewhere"),
        "{stderr}"
    );
    assert_eq!(folder.names(), ["m.json"]);
}

/// GPT-2 has 498 MB of data, and the process an address space of 400 MB.
#[test]
fn gpt2_in_bounded_memory() {
    let folder = Folder::new();
    let out = folder.path("gpt2.safetensors");
    let mut command = if cfg!(target_os = "linux") {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "ulimit -v 400000; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_seedbed")]);
        // Each thread reserves address space that it never touches, so there are few threads and one arena.
        command.env("MALLOC_ARENA_MAX", "1").env("RAYON_NUM_THREADS", "2");
        command
    } else {
        seedbed()
    };
    let output = command
        .arg("init")
        .arg(model("gpt2.json"))
        .arg("-o")
        .arg(&out)
        .args(["--adapter", "host"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = text(&output.stdout);
    assert!(stdout.contains("148 tensors, 124,439,808 elements, 497,759,232 bytes of data"), "{stdout}");
    assert_eq!(stdout.lines().count(), 1 + 148 + 2);

    let mut file = File::open(out).unwrap();
    let mut length = [0; 8];
    file.read_exact(&mut length).unwrap();
    let mut header = vec![0; u64::from_le_bytes(length) as usize];
    file.read_exact(&mut header).unwrap();
    let metadata: safetensors::tensor::Metadata = serde_json::from_slice(&header).unwrap();
    assert_eq!(metadata.tensors().len(), 148);
    assert_eq!(file.metadata().unwrap().len(), 8 + header.len() as u64 + 497_759_232);

    let init_of = |name: &str, rank| match rank {
        _ if name.ends_with("bias") => Init::constant(0.0),
        1 => Init::constant(1.0),
        _ => Init::xavier_normal(),
    };
    for (name, info) in metadata.tensors() {
        let shape: Vec<_> = info.shape.iter().map(|&d| d as u64).collect();
        let elements: u64 = shape.iter().product();
        // The samples are the beginning, the first window's end in the largest tensor, and the end.
        let boundary = 8 << 20;
        let wanted =
            [0..1001.min(elements), boundary - 501..boundary + 500, elements.saturating_sub(1001)..elements];
        for range in wanted.into_iter().filter(|range| range.end <= elements) {
            let mut written = vec![0; 4 * (range.end - range.start) as usize];
            let start = 8 + header.len() as u64 + info.data_offsets.0 as u64 + 4 * range.start;
            file.seek(SeekFrom::Start(start)).unwrap();
            file.read_exact(&mut written).unwrap();
            let mut values = vec![0.0_f32; written.len() / 4];
            let region = Region::new(&shape[..]).elements(range.clone());
            host::fill(&mut values, region, &init_of(&name, shape.len()), Key::new(0).named(&name)).unwrap();
            assert!(values.iter().flat_map(|v| v.to_le_bytes()).eq(written), "{name} {range:?}");
        }
    }
}

/// A checkpoint in two files and an index, in a folder, has the tensors of the manifest.
#[test]
fn an_index_and_a_folder_are_models() {
    let folder = Folder::new();
    let (first, second) = ODD_SHAPES.split_at(3);
    let make = |name: &str, parameters| {
        let (model, out) = (folder.write("part.json", manifest(parameters)), folder.path(name));
        succeed(&[&"init", &model, &"-o", &out, &"--adapter", &"host", &"-q"]);
    };
    make("model-00001-of-00002.safetensors", first);
    make("model-00002-of-00002.safetensors", second);
    let entry = |number: u32, parameters: &[(&str, &[u64])]| -> Vec<String> {
        let file = format!("model-0000{number}-of-00002.safetensors");
        parameters.iter().map(|(name, _)| format!("{name:?}: {file:?}")).collect()
    };
    let entries = [entry(1, first), entry(2, second)].concat();
    let index = |entries: &[String]| {
        let text = format!("{{\"metadata\": {{}}, \"weight_map\": {{{}}}}}", entries.join(", "));
        folder.write("model.safetensors.index.json", text)
    };
    let (whole, out) = (folder.write("whole.json", manifest(ODD_SHAPES)), folder.path("whole.safetensors"));
    succeed(&[&"init", &whole, &"-o", &out, &"--adapter", &"host", &"--seed", &"5"]);
    let expected = fs::read(&out).unwrap();

    let path = index(&entries);
    for model in [path.as_path(), path.parent().unwrap()] {
        let out = folder.path("again.safetensors");
        succeed(&[&"init", &model, &"-o", &out, &"--adapter", &"host", &"--seed", &"5"]);
        assert!(fs::read(&out).unwrap() == expected, "{}", model.display());
    }

    let refused = |entries: &[String]| {
        let path = index(entries);
        let output = run(&[&"init", &path, &"-o", &folder.path("never.safetensors")]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        text(&output.stderr)
    };
    let with = |change: &dyn Fn(&str) -> String| -> Vec<String> {
        entries.iter().map(|entry| change(entry)).collect()
    };
    for (entries, message) in [
        (entries[1..].to_vec(), "holds \"z.weight\", which the index does not name"),
        (
            [&entries[..], &["\"x\": \"model-00001-of-00002.safetensors\"".into()]].concat(),
            "does not hold it",
        ),
        (
            with(&|entry| entry.replace("-00002-of", "-00009-of")),
            "model-00009-of-00002.safetensors: No such file",
        ),
        (
            with(&|entry| entry.replace("model-00002", "../model-00002")),
            "which is no name of a file beside it",
        ),
        (with(&|entry| entry.replace("model-00002", "/model-00002")), "which is no name of a file beside it"),
    ] {
        let error = refused(&entries);
        assert!(
            error.contains("model.safetensors.index.json: ") && error.contains(message),
            "{message}: {error}"
        );
    }
    fs::copy(folder.path("whole.safetensors"), folder.path("model.safetensors")).unwrap();
    let output = run(&[&"init", &folder.path(""), &"-o", &folder.path("never.safetensors")]);
    assert!(text(&output.stderr).contains("are both in this folder; name one of them"), "{output:?}");
    fs::remove_file(folder.path("model.safetensors")).unwrap();
    fs::remove_file(path).unwrap();
    let output = run(&[&"init", &folder.path(""), &"-o", &folder.path("never.safetensors")]);
    assert!(text(&output.stderr).contains("safetensors files are in this folder, and neither"), "{output:?}");
    assert!(!folder.names().iter().any(|name| name.contains("never")), "{:?}", folder.names());
}

/// A buffer of a type that can't be made need not stop a checkpoint: a rule leaves the buffer out.
#[test]
fn a_rule_skips_parameters_of_any_type() {
    let folder = Folder::new();
    let parameters = manifest(&[("bn.running_mean", &[3]), ("bn.buckets", &[]), ("fc.weight", &[2, 3])]);
    let parameters =
        parameters.replace("\"shape\": [], \"dtype\": \"F32\"", "\"shape\": [], \"dtype\": \"torch.int64\"");
    let (model, out) = (folder.write("m.json", parameters), folder.path("o.safetensors"));
    let output = run(&[&"init", &model, &"-o", &out, &"--adapter", &"host"]);
    let error = text(&output.stderr);
    assert!(error.contains("no rule matches this parameter: \"bn.buckets\" []"), "{error}");
    assert!(error.contains("\nmatch = \"bn.buckets\"\n") && error.contains("skip = true"), "{error}");

    let built_in = succeed(&[&"rules"]);
    let rules = folder.write("r.toml", format!("[[rule]]\nmatch = \"*buckets\"\nskip = true\n\n{built_in}"));
    let output = run(&[&"init", &model, &"-o", &out, &"--adapter", &"host", &"--rules", &rules]);
    assert!(output.status.success(), "{output:?}");
    // The copied rules match nothing here, and nobody is warned of that.
    assert_eq!(text(&output.stderr), "note: the output is without 1 of 3 parameters\n");
    let bytes = fs::read(&out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort();
    assert_eq!(names, ["bn.running_mean", "fc.weight"]);
    assert_eq!(file.tensor("bn.running_mean").unwrap().data(), [0; 12]);
    let weight = expected(&[2, 3], &Init::xavier_normal(), Key::new(0).named("fc.weight"));
    assert_eq!(file.tensor("fc.weight").unwrap().data(), weight);
}

/// A compiled model gets the values of the model itself.
#[test]
fn a_stripped_prefix_changes_no_value() {
    let folder = Folder::new();
    let tensor = |prefix: &str, options: &[&str]| {
        let name = format!("{prefix}fc.weight");
        let (model, out) =
            (folder.write("m.json", manifest(&[(name.as_str(), &[16, 8])])), folder.path("o.safetensors"));
        let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> =
            vec![&"init", &model, &"-o", &out, &"--adapter", &"host"];
        arguments.extend(options.iter().map(|option| option as &dyn AsRef<std::ffi::OsStr>));
        succeed(&arguments);
        let bytes = fs::read(&out).unwrap();
        SafeTensors::deserialize(&bytes).unwrap().tensor(&name).unwrap().data().to_vec()
    };
    let plain = tensor("", &[]);
    assert_ne!(tensor("_orig_mod.", &[]), plain);
    assert_eq!(tensor("_orig_mod.", &["--strip-prefix", "_orig_mod."]), plain);
    let both = ["--strip-prefix", "module.", "--strip-prefix", "_orig_mod."];
    assert_eq!(tensor("module._orig_mod.", &both), plain);
    // A prefix that no name has is most likely a typing mistake.
    let output = run(&[&"plan", &folder.path("m.json"), &"--strip-prefix", &"modul."]);
    assert_eq!(text(&output.stderr), "warning: no parameter's name has the prefix \"modul.\"\n");
}

/// The names of shards follow from the folder, so a trained model there must not be replaced unasked.
#[test]
fn a_folder_keeps_the_model_of_another_program() {
    let folder = Folder::new();
    let model = folder.write("m.json", manifest(&[("a.weight", &[8, 8]), ("b.weight", &[8, 8])]));
    std::fs::create_dir(folder.path("out")).unwrap();
    let header = r#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    let trained = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), b"x"].concat();
    let path = folder.write("out/model.safetensors", &trained);
    let init = |more: &[&dyn AsRef<std::ffi::OsStr>]| {
        let arguments: [&dyn AsRef<std::ffi::OsStr>; 6] =
            [&"init", &model, &"-o", &folder.path("out/"), &"--adapter", &"host"];
        run(&[&arguments[..], more].concat())
    };
    let refused = init(&[]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(text(&refused.stderr).contains("`seedbed init` did not make it; remove it"), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), trained);
    let refused = init(&[&"--max-shard-size", &"256"]);
    assert!(text(&refused.stderr).contains("the folder holds a model already"), "{refused:?}");

    fs::remove_file(&path).unwrap();
    assert!(init(&[&"--max-shard-size", &"256"]).status.success());
    // Our own files are replaced; files of another number of shards are named.
    assert!(init(&[&"--max-shard-size", &"256", &"--seed", &"1"]).status.success());
    fs::rename(
        folder.path("out/model-00001-of-00002.safetensors"),
        folder.path("out/model-00001-of-00003.safetensors"),
    )
    .unwrap();
    let output = init(&[&"--max-shard-size", &"256"]);
    assert!(output.status.success());
    assert!(
        text(&output.stderr)
            .contains("1 files in the folder are no part of this model, such as model-00001-of-00003"),
        "{output:?}"
    );
}
