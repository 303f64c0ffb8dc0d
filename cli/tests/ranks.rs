//! `seedbed init --part`, `--layout dcp` and `seedbed index`: a folder that several processes write.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{Folder, manifest, run, seedbed, text};
use safetensors::SafeTensors;
use serde_json::Value;

const INDEX: &str = "model.safetensors.index.json";
const PARTIAL: &str = "seedbed.partial.json";

/// Tensors of all kinds. The large ones are cut.
const PARAMETERS: &[(&str, &[u64])] = &[
    ("embed.weight", &[1003, 96]),
    ("h.0.fused.weight", &[512, 300]),
    ("h.0.stack.weight", &[4, 128, 200]),
    ("h.0.orthogonal.weight", &[256, 300]),
    ("h.0.sparse.weight", &[600, 200]),
    ("h.0.formula.weight", &[700, 128]),
    ("h.0.norm.weight", &[300]),
    ("h.0.few.weight", &[3, 50_000]),
    ("conv.weight_v", &[600, 20, 20]),
    ("conv.weight_g", &[600, 1, 1]),
    ("scalar", &[]),
    ("empty.weight", &[0, 9]),
];

const RULES: &str = "
[[rule]]
match = '*.fused.weight'
init = 'normal(std=0.02)'
split = { axis = 1, into = 3 }
[[rule]]
match = '*.stack.weight'
init = 'kaiming_uniform'
unstack = 0
[[rule]]
match = '*.orthogonal.weight'
init = 'orthogonal'
[[rule]]
match = '*.sparse.weight'
init = 'sparse(0.3)'
[[rule]]
match = '*.formula.weight'
init = 'formula(\"n + i0 - i1 / 7\")'
[[rule]]
match = '*.weight_g'
init = 'norm(of=\".weight_v\")'
[[rule]]
match = 'embed.weight'
init = 'normal'
rows = { 5 = 'zeros', -1 = 'ones' }
[[rule]]
match = '*'
init = 'uniform(-1, 1)'
";

/// A model with its rules, and the folders that are made of it.
struct Job {
    folder: Folder,
    model: PathBuf,
    rules: PathBuf,
}

impl Job {
    fn new(parameters: &[(&str, &[u64])]) -> Self {
        let folder = Folder::new();
        let model = folder.write("m.json", manifest(parameters));
        let rules = folder.write("r.toml", RULES);
        Self { folder, model, rules }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// The command that writes a folder.
    fn command(&self, out: &str, options: &[&str]) -> Command {
        let mut command = seedbed();
        for launcher in
            ["RANK", "WORLD_SIZE", "PMI_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"]
        {
            command.env_remove(launcher);
        }
        command.arg("init").arg(&self.model).arg("-o").arg(format!("{}/", self.path(out).display()));
        command.arg("--rules").arg(&self.rules).args(["--adapter", "host"]).args(options);
        command
    }

    fn init(&self, out: &str, options: &[&str]) -> Output {
        self.command(out, options).output().unwrap()
    }

    fn succeed(&self, out: &str, options: &[&str]) -> Output {
        let output = self.init(out, options);
        assert!(output.status.success(), "{output:?}");
        output
    }

    fn refuse(&self, out: &str, options: &[&str], words: &[&str]) {
        let output = self.init(out, options);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        says(&output, words);
    }

    /// Makes all parts, in turn or at the same time, and completes the folder.
    fn parts(&self, out: &str, size: u64, options: &[&str], at_once: bool) {
        let commands = (0..size).map(|rank| {
            let part = format!("{rank}/{size}");
            self.command(out, &[options, &["--part", &part, "-q"]].concat())
        });
        if at_once {
            let children: Vec<_> = commands.map(|mut command| command.spawn().unwrap()).collect();
            for mut child in children {
                assert!(child.wait().unwrap().success());
            }
        } else {
            for mut command in commands {
                assert!(command.status().unwrap().success());
            }
        }
        let output = self.index(out);
        assert!(output.status.success(), "{output:?}");
    }

    fn index(&self, out: &str) -> Output {
        run(&[&"index", &self.path(out)])
    }

    /// Runs `seedbed index`, which finds files that are not complete.
    fn incomplete(&self, out: &str, words: &[&str]) -> String {
        let output = self.index(out);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(!self.path(out).join(INDEX).exists());
        says(&output, words)
    }

    fn files(&self, out: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.path(out)).unwrap().map(|entry| entry.unwrap());
        entries
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect()
    }

    fn names(&self, out: &str) -> Vec<String> {
        self.files(out).into_keys().collect()
    }

    fn same(&self, one: &str, other: &str) {
        let (one, other) = (self.files(one), self.files(other));
        assert!(one.keys().eq(other.keys()), "{:?} {:?}", one.keys(), other.keys());
        for (name, bytes) in &one {
            assert!(*bytes == other[name], "{name} differs");
        }
    }

    fn verified(&self, out: &str) -> String {
        let output = run(&[&"verify", &self.path(out)]);
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout)
    }
}

/// The words are in what the program says.
fn says(output: &Output, words: &[&str]) -> String {
    let stderr = text(&output.stderr);
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in: {stderr}");
    }
    stderr
}

const SMALL: &[&str] = &["--max-shard-size", "400KB", "--seed", "7"];

#[test]
fn a_folder_does_not_depend_on_the_number_of_ranks() {
    let job = Job::new(PARAMETERS);
    job.succeed("one", SMALL);
    assert_eq!(job.names("one").len(), 9 + 1, "{:?}", job.names("one"));
    for size in [1, 2, 3, 4] {
        job.parts(&format!("turn{size}"), size, SMALL, false);
        job.parts(&format!("once{size}"), size, SMALL, true);
        job.same("one", &format!("turn{size}"));
        job.same("one", &format!("once{size}"));
    }
    // More ranks than files.
    let output = job.succeed("many", &[SMALL, &["--part", "0/20"]].concat());
    says(&output, &["note: 9 of 20 ranks have a file to make; a smaller --max-shard-size gives more files"]);
    for rank in 1..20 {
        let output = job.succeed("many", &[SMALL, &["--part", &format!("{rank}/20")]].concat());
        assert_eq!(text(&output.stderr), "");
        let stdout = text(&output.stdout);
        let line = stdout.lines().last().unwrap();
        let none = format!("rank {rank} of 20: no file");
        assert!(line == none || line.starts_with(&format!("rank {rank} of 20: model-0000")), "{line}");
    }
    assert!(job.index("many").status.success());
    job.same("one", "many");
    // A rerun of a complete folder changes nothing.
    job.succeed("many", &[SMALL, &["--part", "0/20"]].concat());
    job.same("one", "many");
    // A single process completes what ranks began.
    job.succeed("mixed", &[SMALL, &["--part", "1/3"]].concat());
    assert!(job.names("mixed").contains(&PARTIAL.to_owned()));
    job.succeed("mixed", SMALL);
    job.same("one", "mixed");
}

#[test]
fn one_file_needs_no_index() {
    let job = Job::new(PARAMETERS);
    job.succeed("one", &[]);
    job.parts("two", 2, &[], true);
    job.same("one", "two");
    assert_eq!(job.names("two"), ["model.safetensors"]);
    let output = job.index("two");
    assert!(output.status.success());
    assert!(text(&output.stdout).ends_with("two: 1 file is complete already\n"), "{output:?}");
}

/// The message says which rank to run again, and its command works as it stands.
#[cfg(unix)]
#[test]
fn a_rank_that_is_killed_runs_again() {
    let shapes: Vec<(String, [u64; 2])> =
        (0..4).map(|i| (format!("w{i}.weight"), [1 << 13, 1 << 12])).collect();
    let parameters: Vec<(&str, &[u64])> = shapes.iter().map(|(name, shape)| (&**name, &shape[..])).collect();
    let job = Job::new(&parameters);
    let options = ["--max-shard-size", "130MB"];
    job.succeed("out", &[&options[..], &["--part", "0/2"]].concat());
    let mut killed = job.command("out", &[&options[..], &["--part", "1/2", "-q"]].concat()).spawn().unwrap();
    let temporaries = || job.names("out").iter().filter(|name| name.ends_with(".tmp")).count();
    // In the middle of a file.
    while common::written(killed.id(), &job.path("out")) <= 1 << 20 {
        std::thread::yield_now();
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    for file in job.names("out").iter().filter(|name| name.ends_with(".safetensors")) {
        SafeTensors::deserialize(&fs::read(job.path("out").join(file)).unwrap()).unwrap();
    }
    let mut words = vec!["of 4 files are not complete: model-0000", " is missing"];
    if cfg!(target_os = "linux") {
        // The file had no name, so it ended with the process.
        assert_eq!(temporaries(), 0);
    } else {
        assert_eq!(temporaries(), 1);
        words.push("a rank was killed");
    }
    let stderr = job.incomplete("out", &words);
    let command = stderr.lines().find(|line| line.ends_with("--part 1/2")).unwrap();
    assert!(!stderr.contains("--part 0/2"), "{stderr}");
    let rerun = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(rerun.status.success(), "{rerun:?}");
    assert!(job.index("out").status.success());
    job.succeed("one", &options);
    job.same("one", "out");
}

#[test]
fn another_model_in_the_folder_is_refused() {
    let job = Job::new(PARAMETERS);
    job.succeed("out", &[SMALL, &["--part", "0/2"]].concat());
    let before = job.files("out");
    let refuse = |options: &[&str], words: &[&str]| {
        job.refuse(
            "out",
            options,
            &[words, &[PARTIAL, "finish that run, remove the file", "--seed 7"]].concat(),
        );
        assert!(before == job.files("out"));
    };
    let other = ["--max-shard-size", "400KB", "--seed", "8", "--part", "1/2"];
    refuse(
        &other,
        &["error: rank 1 of 2: ", "a run with the seed 7 writes here, and this run has the seed 8"],
    );
    refuse(&other[..4], &["a run with the seed 7 writes here, and this run has the seed 8"]);
    refuse(&["--seed", "7", "--part", "1/2"], &["a run with another model writes here, or with other rules"]);
    refuse(
        &[SMALL, &["--part", "1/2", "--dtype", "bf16"]].concat(),
        &["a run with another model writes here"],
    );
    refuse(
        &[SMALL, &["--part", "1/2", "--layout", "dcp"]].concat(),
        &["a run with the other layout writes here"],
    );
    // Another number of ranks makes the same files.
    for rank in 0..3 {
        job.succeed("out", &[SMALL, &["--part", &format!("{rank}/3")]].concat());
    }
    assert!(job.index("out").status.success());

    job.succeed("dcp", &["--layout", "dcp", "--part", "0/2"]);
    let words = [
        "a run of 2 ranks cuts this checkpoint, and this run has 3; --layout dcp needs the same number again",
    ];
    job.refuse("dcp", &["--layout", "dcp", "--part", "0/3"], &words);

    // A file that is given up is removed by hand, and the old files are replaced.
    job.succeed("again", &[SMALL, &["--part", "0/1"]].concat());
    fs::remove_file(job.path("again").join(PARTIAL)).unwrap();
    job.parts("again", 3, &["--max-shard-size", "400KB", "--seed", "8"], true);
    job.succeed("eight", &["--max-shard-size", "400KB", "--seed", "8"]);
    job.same("again", "eight");
    // So are those of a complete folder, whose index goes first.
    job.succeed("again", &[SMALL, &["--part", "0/2"]].concat());
    assert!(!job.path("again").join(INDEX).exists());
    let file = "model-00001-of-00009.safetensors";
    job.incomplete("again", &["is of the seed 8 instead of 7"]);
    fs::copy(job.path("eight").join(file), job.path("again").join(file)).unwrap();
    job.incomplete("again", &[&format!("{file} is of the seed 8 instead of 7")]);
    job.parts("again", 2, SMALL, true);
    job.succeed("seven", SMALL);
    job.same("again", "seven");
}

/// Of runs that begin at the same moment one is the first, and the others leave nothing.
#[test]
fn runs_that_begin_together_are_not_mixed() {
    let job = Job::new(PARAMETERS);
    for attempt in 0..10 {
        let out = format!("out{attempt}");
        let children: Vec<_> = (0..4)
            .map(|number| {
                let seed = (number / 2).to_string();
                let part = format!("{}/2", number % 2);
                let options = ["--max-shard-size", "400KB", "--seed", &seed, "--part", &part, "-q"];
                job.command(&out, &options).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        let codes: Vec<_> = outputs.iter().map(|output| output.status.code().unwrap()).collect();
        assert!(codes == [0, 0, 2, 2] || codes == [2, 2, 0, 0], "{outputs:?}");
        let seed = if codes[0] == 0 { "0" } else { "1" };
        assert!(job.index(&out).status.success());
        job.succeed(&format!("one{attempt}"), &["--max-shard-size", "400KB", "--seed", seed]);
        job.same(&out, &format!("one{attempt}"));
    }
}

#[test]
fn index_says_what_is_wrong() {
    let job = Job::new(PARAMETERS);
    let refused = |path: &str, word: &str| {
        let output = job.index(path);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        says(&output, &[word]);
    };
    refused("out", "out: no such folder");
    fs::create_dir(job.path("out")).unwrap();
    refused("out", "`seedbed init --part` has written nothing here: there is no seedbed.partial.json");

    job.succeed("out", &[SMALL, &["--part", "1/2"]].concat());
    let stderr = job.incomplete(
        "out",
        &["of 9 files are not complete: ", " is missing", "which keeps the complete files, or only these:"],
    );
    assert!(stderr.lines().last().unwrap().ends_with("--seed 7 --part 0/2"), "{stderr}");
    job.parts("out", 2, SMALL, false);
    let complete = job.files("out");
    assert!(job.index("out").status.success());
    assert!(complete == job.files("out"));
    assert_eq!(text(&run(&[&"index", &job.path("out"), &"-q"]).stdout), "");

    // Again with the plan of the ranks, and files that are wrong.
    job.succeed("other", &[SMALL, &["--part", "0/2"]].concat());
    let plan = fs::read(job.path("other").join(PARTIAL)).unwrap();
    let file = "model-00002-of-00009.safetensors";
    let path = job.path("out").join(file);
    let wrong = |bytes: &[u8], word: &str| {
        fs::write(job.path("out").join(PARTIAL), &plan).unwrap();
        fs::write(&path, bytes).unwrap();
        job.incomplete("out", &["1 of 9 files are not complete: ", &format!("{file} {word}")]);
    };
    let right = &complete[file];
    let short = format!("has {} bytes instead of {}", right.len() - 1, right.len());
    wrong(&right[..right.len() - 1], &short);
    wrong(&right[..100], "is no .safetensors file; remove it");
    wrong(b"", "is no .safetensors file; remove it");
    let foreign = br#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    let foreign = [&(foreign.len() as u64).to_le_bytes(), &foreign[..], b"x"].concat();
    wrong(&foreign, "was not made by `seedbed init`; remove it");
    wrong(&complete["model-00001-of-00009.safetensors"], "is of another model, or by other rules or options");
    fs::write(&path, right).unwrap();
    // What ranks that were killed on other machines have left.
    let half = job.path("out").join(".seedbed-abc.tmp");
    fs::write(&half, "half").unwrap();
    fs::remove_file(&path).unwrap();
    job.incomplete("out", &["1 of 9 files are not complete", "a rank was killed or is still at work"]);
    fs::write(&path, right).unwrap();
    // A living process holds a lock.
    let living = fs::OpenOptions::new().write(true).open(&half).unwrap();
    living.lock().unwrap();
    assert!(job.index("out").status.success());
    assert!(half.is_file());
    drop(living);
    fs::write(job.path("out").join(PARTIAL), &plan).unwrap();
    let output = job.index("out");
    assert!(output.status.success(), "{output:?}");
    assert!(complete == job.files("out"));

    fs::write(job.path("out").join(PARTIAL), "{").unwrap();
    refused("out", "seedbed.partial.json: this is no file of `seedbed init --part`, or of another version");
    let outside = text(&plan).replace(file, "../escape.safetensors");
    fs::write(job.path("out").join(PARTIAL), outside).unwrap();
    refused("out", "\"../escape.safetensors\" is no name of a file beside it");

    let hostile = |edit: &dyn Fn(&mut Value), word: &str| {
        let mut edited: Value = serde_json::from_slice(&plan).unwrap();
        edit(&mut edited);
        fs::write(job.path("out").join(PARTIAL), edited.to_string()).unwrap();
        refused("out", word);
    };
    hostile(&|plan| plan["files"][1] = plan["files"][0].clone(), "is there twice");
    hostile(&|plan| plan["files"][0]["name"] = "a/".into(), "\"a/\" is no name of a file beside it");
    // Loaders would follow the index out of the folder, or to files that nobody has checked.
    let evil = "../evil.safetensors";
    hostile(&|plan| plan["index"]["weight_map"]["x"] = evil.into(), "the index has another file, \"../evil.");
    hostile(&|plan| plan["files"] = Value::Array(Vec::new()), "the index has another file");
}

#[cfg(unix)]
#[test]
fn a_plan_that_is_no_file_is_refused() {
    // A device without an end would be read until the memory is full.
    let job = Job::new(PARAMETERS);
    fs::create_dir(job.path("out")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", job.path("out").join(PARTIAL)).unwrap();
    let output = job.index("out");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    says(&output, &["seedbed.partial.json: this is no regular file; remove it"]);
}

#[test]
fn nothing_of_another_program_is_replaced() {
    let job = Job::new(PARAMETERS);
    let foreign = br#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    let foreign = [&(foreign.len() as u64).to_le_bytes(), &foreign[..], b"x"].concat();
    fs::create_dir(job.path("out")).unwrap();
    job.folder.write("out/model.safetensors", &foreign);
    let part = ["--part", "0/1"];
    job.refuse("out", &part, &["`seedbed init` did not make it; remove it"]);
    job.refuse("out", &[SMALL, &part].concat(), &["the folder holds a model already", "the new index"]);
    job.refuse(
        "out",
        &["--layout", "dcp"],
        &["torch.distributed.checkpoint reads every .safetensors file of a folder"],
    );
    assert_eq!(job.names("out"), ["model.safetensors"]);
    assert_eq!(job.files("out")["model.safetensors"], foreign);

    // Files of another number of ranks would be read with the new ones.
    job.succeed("dcp", &["--layout", "dcp"]);
    job.refuse(
        "dcp",
        &["--layout", "dcp", "--max-shard-size", "400KB", "--part", "0/1"],
        &["shard-00001-model-00001-of-00001.safetensors: the folder holds a model already"],
    );
    // A file needs no layout, and is made by one process.
    let file = format!("{}.safetensors", job.path("file").display());
    for (option, value) in [("--part", "0/2"), ("--layout", "hf"), ("--layout", "dcp")] {
        let output = run(&[&"init", &job.model, &"-o", &file, &option, &value]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        says(
            &output,
            &[&format!("{option} writes a folder, and "), "give -o a folder, whose name ends with a slash"],
        );
    }
    for part in ["2", "2/2", "0/0", "a/b", "-1/2"] {
        let output = job.init("never", &[&format!("--part={part}")]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    assert!(!job.path("never").exists() && !Path::new(&file).exists());
}

/// The parts of each tensor, by their first row.
fn parts_of(files: &BTreeMap<String, Vec<u8>>) -> HashMap<String, BTreeMap<u64, Vec<u8>>> {
    let mut parts: HashMap<String, BTreeMap<u64, Vec<u8>>> = HashMap::new();
    for bytes in files.values() {
        let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        assert_eq!(metadata["DCP_VERSION"], "1.0");
        assert_eq!(metadata["format"], "pt");
        let sharding: Value = serde_json::from_str(&metadata["DCP_SHARDING_INFO"]).unwrap();
        for (name, tensor) in SafeTensors::deserialize(bytes).unwrap().tensors() {
            let offsets = sharding[&name]["saved_offsets"].as_array().unwrap();
            assert_eq!(offsets.len(), tensor.shape().len());
            assert!(offsets.iter().skip(1).all(|offset| offset == 0));
            let row = offsets.first().map_or(0, |offset| offset.as_u64().unwrap());
            assert!(parts.entry(name).or_default().insert(row, tensor.data().to_vec()).is_none());
        }
    }
    parts
}

#[test]
fn rows_in_many_files_are_those_of_the_whole() {
    let job = Job::new(PARAMETERS);
    job.succeed("whole", &[]);
    let whole = fs::read(job.path("whole").join("model.safetensors")).unwrap();
    let whole = SafeTensors::deserialize(&whole).unwrap();
    for size in [1, 2, 3, 4, 5] {
        let out = format!("dcp{size}");
        job.parts(&out, size, &["--layout", "dcp"], size % 2 == 0);
        let files = job.files(&out);
        assert_eq!(files.len() as u64, size);
        assert!(files.contains_key(&format!("shard-{size:05}-model-00001-of-00001.safetensors")));
        let mut parts = parts_of(&files);
        for (name, shape) in PARAMETERS {
            let parts = parts.remove(*name).unwrap();
            let right = whole.tensor(name).unwrap().data();
            let width = shape.iter().skip(1).product::<u64>() * 4;
            let mut at = 0;
            for (row, bytes) in &parts {
                assert_eq!(row * width, at, "{name}");
                at += bytes.len() as u64;
            }
            assert!(parts.values().flatten().eq(right), "{name}");
            match *name {
                "h.0.orthogonal.weight" | "conv.weight_g" | "h.0.norm.weight" | "scalar" | "empty.weight" => {
                    assert_eq!(parts.len(), 1, "{name}");
                }
                "h.0.few.weight" | "h.0.stack.weight" => assert_eq!(parts.len() as u64, size.min(shape[0])),
                _ => assert_eq!(parts.len() as u64, size, "{name}"),
            }
        }
        assert!(parts.is_empty());
        let stdout = job.verified(&out);
        assert!(stdout.contains(" 0 differ, 0 copied, 0 unknown"), "{stdout}");
    }
    // A rerun of a complete folder changes nothing.
    let before = job.files("dcp3");
    job.succeed("dcp3", &["--layout", "dcp", "--part", "1/3"]);
    assert!(before == job.files("dcp3"));
    // One process without --part is one rank, and completes the folder itself.
    job.succeed("alone", &["--layout", "dcp"]);
    job.same("alone", "dcp1");
    // Files of several pieces each.
    job.parts("small", 2, &["--layout", "dcp", "--max-shard-size", "300KB"], true);
    let names = job.names("small");
    assert!(names.len() > 4 && names.iter().all(|name| name.starts_with("shard-0000")), "{names:?}");
    assert_eq!(parts_of(&job.files("small")).len(), PARAMETERS.len());
    job.verified("small");
}

#[test]
fn verify_finds_what_is_wrong_in_many_files() {
    let job = Job::new(PARAMETERS);
    job.succeed("out", &["--layout", "dcp", "--part", "0/3"]);
    let output = run(&[&"verify", &job.path("out")]);
    assert_eq!(output.status.code(), Some(2));
    says(&output, &["the ranks' files are not complete; `seedbed index"]);
    job.parts("out", 3, &["--layout", "dcp"], true);
    let name = |rank: u32| format!("shard-0000{rank}-model-00001-of-00001.safetensors");
    let path = job.path("out").join(name(2));
    // A file alone knows its own part.
    let output = run(&[&"verify", &path]);
    assert!(output.status.success(), "{output:?}");
    let stdout = text(&output.stdout);
    assert!(stdout.contains("[334, 96] at [334, 0]") && stdout.contains(" 0 differ, 0 copied, "), "{stdout}");

    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let output = run(&[&"verify", &"-q", &job.path("out")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stdout).contains("differs: element ["), "{output:?}");

    fs::remove_file(&path).unwrap();
    let output = run(&[&"verify", &"-q", &job.path("out")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stdout).contains("embed.weight: no file has the rows 334..668"), "{output:?}");
    let output = job.index("out");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    says(&output, &["the checkpoint is not complete", "no file has the rows"]);
    // The part is no model of its own.
    let output = run(&[&"plan", &job.path("out").join(name(1))]);
    says(
        &output,
        &["warning: the model is a file of torch.distributed.checkpoint, which may have only a part"],
    );
}

/// A copy is cut like what is made.
#[test]
fn copies_are_cut_too() {
    let job = Job::new(PARAMETERS);
    let from = job.folder.path("from.safetensors");
    let made = run(&[
        &"init",
        &job.model,
        &"-o",
        &from,
        &"--rules",
        &job.rules,
        &"--adapter",
        &"host",
        &"--seed",
        &"3",
    ]);
    assert!(made.status.success(), "{made:?}");
    fs::write(&job.rules, "[[rule]]\nmatch = '*'\ncopy = true\n").unwrap();
    let from = from.to_str().unwrap();
    job.parts("out", 3, &["--layout", "dcp", "--from", from], true);
    let right = fs::read(from).unwrap();
    let right = SafeTensors::deserialize(&right).unwrap();
    for (name, parts) in parts_of(&job.files("out")) {
        assert!(parts.values().flatten().eq(right.tensor(&name).unwrap().data()), "{name}");
    }
    // The tensor without elements.
    assert!(job.verified("out").contains(": 1 as initialised, 0 differ, "));
}

const BATCH: &str = "SLURM_JOB_ID=7 SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_LOCALID=0 SLURM_NODEID=0";

/// The command with the variables of a launcher.
fn launched<'a>(command: &'a mut Command, variables: &str) -> &'a mut Command {
    command.envs(variables.split_whitespace().filter_map(|pair| pair.split_once('=')))
}

#[test]
fn launchers_say_the_part() {
    let job = Job::new(PARAMETERS);
    job.succeed("one", SMALL);
    let auto = [SMALL, &["--part", "auto", "-q"]].concat();
    for (out, variables) in [
        ("torchrun", "RANK=@ WORLD_SIZE=3 LOCAL_RANK=@ LOCAL_WORLD_SIZE=3"),
        ("mpi", "OMPI_COMM_WORLD_RANK=@ OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_LOCAL_RANK=@"),
        ("pmi", "PMI_RANK=@ PMI_SIZE=3 MPI_LOCALRANKID=@ MPI_LOCALNRANKS=3"),
        (
            "slurm",
            "SLURM_JOB_ID=7 SLURM_PROCID=@ SLURM_STEP_NUM_TASKS=3 SLURM_NTASKS=3 SLURM_LOCALID=@ SLURM_STEP_TASKS_PER_NODE=2,1",
        ),
    ] {
        for rank in 0..3 {
            let variables = variables.replace('@', &rank.to_string());
            let output = launched(&mut job.command(out, &auto), &variables).output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        }
        assert!(job.index(out).status.success());
        job.same("one", out);
    }

    let refused = |variables: &str, word: &str| {
        let output = launched(&mut job.command("never", &auto), variables).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        says(&output, &["error: --part auto: ", word, "--part R/N"]);
        assert!(!job.path("never").exists());
    };
    refused("", "no launcher has set this process's rank");
    refused(BATCH, "this process is in a Slurm job, but srun did not start it");
    refused("RANK=0", "RANK is set, and WORLD_SIZE is not");
    refused("RANK=0 WORLD_SIZE=2 PMI_RANK=1 PMI_SIZE=2", "two launchers contradict each other");
    refused("RANK=2 WORLD_SIZE=2", "there is no rank 2 of 2");
}

#[test]
fn processes_that_each_make_the_whole_are_warned() {
    let job = Job::new(PARAMETERS);
    let stderr = |variables: &str, options: &[&str]| {
        let output = launched(&mut job.command("out", options), variables).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        text(&output.stderr)
    };
    assert_eq!(
        stderr("RANK=0 WORLD_SIZE=4", &[]),
        "warning: torchrun started 4 processes, and without --part each of them makes the whole model; --part auto deals \
         the files to them\n"
    );
    for variables in ["RANK=1 WORLD_SIZE=4", "RANK=0 WORLD_SIZE=1", BATCH, ""] {
        assert_eq!(stderr(variables, &[]), "note: 1 of 1 files are finished already\n");
    }
    assert_eq!(stderr("RANK=0 WORLD_SIZE=4", &["-q"]), "");
}

/// The host is the engine of a rank whose user names no adapter.
#[test]
fn a_rank_computes_on_the_host() {
    let job = Job::new(PARAMETERS);
    let out = format!("{}/", job.path("out").display());
    let output = run(&[&"init", &job.model, &"-o", &out, &"--rules", &job.rules, &"--part", &"0/1"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        text(&output.stderr),
        format!("note: when the rank is done, `seedbed index {out}` completes the folder\n")
    );
    assert!(text(&output.stdout).contains(" s (host)\nrank 0 of 1: model.safetensors\n"), "{output:?}");
}
