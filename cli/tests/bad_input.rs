//! Bad input: one line on stderr that says where and what, exit code 2, no file, no panic.

mod common;

use std::ffi::OsStr;

use common::{Folder, manifest, run, succeed, text};

/// The program's line about bad input.
fn refusal(folder: &Folder, arguments: &[&dyn AsRef<OsStr>]) -> String {
    let before = folder.names();
    let output = run(arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(output.stdout.is_empty());
    assert!(stderr.starts_with("error: "), "{stderr}");
    // One line, and sometimes a rule to paste after an empty line.
    assert!(stderr.lines().nth(1).is_none_or(str::is_empty), "{stderr}");
    assert_eq!(folder.names(), before, "{stderr}");
    stderr
}

/// The program's line about a bad model.
fn refused_model(name: &str, contents: &[u8]) -> String {
    let folder = Folder::new();
    let model = folder.write(name, contents);
    let stderr =
        refusal(&folder, &[&"init", &model, &"-o", &folder.path("o.safetensors"), &"--adapter", &"host"]);
    assert!(stderr.starts_with(&format!("error: {}: ", model.display())), "{stderr}");
    stderr
}

fn refused_parameters(parameters: &[(&str, &[u64])]) -> String {
    refused_model("m.json", manifest(parameters).as_bytes())
}

fn safetensors(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
}

macro_rules! assert_says {
    ($stderr:expr, $text:expr) => {{
        let stderr = $stderr;
        assert!(stderr.contains($text), "{:?} is not in: {stderr}", $text);
    }};
}

#[test]
fn safetensors_headers() {
    let refused = |bytes: &[u8]| refused_model("m.safetensors", bytes);
    let tensor = |shape: &str, offsets: &str| {
        format!(r#"{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let good = tensor("[2,2]", "[0,16]");

    assert_says!(refused(b""), "byte 0: the file ends within the header's length");
    assert_says!(refused(b"1234567"), "byte 0: the file ends within the header's length");
    assert_says!(
        refused(&[0xFF; 100]),
        "is said to have 18446744073709551615 bytes, but 92 follow; it is truncated"
    );
    assert_says!(refused(&safetensors(&good, 16)[..40]), "but 32 follow; it is truncated");
    assert_says!(refused(&safetensors(&good, 15)), "describes 16 bytes of data, but 15 follow");
    assert_says!(refused(&safetensors("", 0)), "header: line 1 column 0: EOF");
    assert_says!(refused(&safetensors("{\"w\": 1}", 0)), "header: ");
    assert_says!(refused(&safetensors("[1,\n2]", 0)), "header: line 1 column 0: invalid type: sequence");
    assert_says!(refused(&safetensors("{\"\u{7f}\":\u{1}", 0)), "header: line 1 column 6");
    assert_says!(
        refused(&[&safetensors("", 0)[..0], &4_u64.to_le_bytes(), b"{\"\xFF\""].concat()),
        "header: line 1 column"
    );
    // These headers lie about the data.
    assert_says!(refused(&safetensors(&tensor("[2,2]", "[0,12]"), 12)), "needs 16 bytes");
    assert_says!(
        refused(&safetensors(&tensor("[2,2]", "[16,0]"), 16)),
        "needs 16 bytes, but the data are said to be the bytes 16 to 0"
    );
    assert_says!(
        refused(&safetensors(&tensor("[4294967296,4294967296,4]", "[0,16]"), 16)),
        "has more than 2^60 elements"
    );
    assert_says!(refused(&safetensors(&tensor("[-1]", "[0,16]"), 16)), "invalid value: integer `-1`");
    assert_says!(
        refused(&safetensors(
            r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}"#,
            24
        )),
        "the data of \"b\" begin at byte 8, within those of another tensor"
    );
    assert_says!(
        refused(&safetensors(
            r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#,
            16
        )),
        "the name \"a\" comes twice"
    );
    assert_says!(
        refused(&safetensors(r#"{"ids":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}}"#, 16)),
        "no rule matches this parameter: \"ids\" [2]"
    );
}

#[test]
fn manifests() {
    let refused = |text: &str| refused_model("m.json", text.as_bytes());
    assert_says!(refused(""), "line 1 column 0: EOF");
    assert_says!(
        refused("{\n  \"parameters\": {\n    \"a\": {\"shape\": [1], }\n}}"),
        "line 3 column 25: trailing comma"
    );
    assert_says!(
        refused("{\"name\": \"x\"}"),
        "expected an object with shape and dtype; a model in JSON is {\"parameters\": "
    );
    assert_says!(refused("{\"parameters\": []}"), "expected an object with one entry per parameter");
    assert_says!(
        refused("{\"parameters\": {\"a\": {\"shape\": [1.5], \"dtype\": \"F32\"}}}"),
        "invalid type: floating point"
    );
    assert_says!(
        refused(&manifest(&[("a", &[1]), ("a", &[2])])),
        "line 3 column 3: the name \"a\" comes twice"
    );
    assert_says!(refused(&"[".repeat(100_000)), "line 1 column");
}

#[test]
fn types() {
    let wide = manifest(&[("a.weight", &[1]), ("b.weight", &[1])]).replace("F32", "F64");
    assert_says!(
        refused_model("m.json", wide.as_bytes()),
        "parameter \"a.weight\" [1]: preset default, rule 14 (line 84): constant(1): the type F64 is not supported; F32, F16"
    );
    let folder = Folder::new();
    let fill = |more: &[&dyn AsRef<OsStr>]| {
        let arguments: [&dyn AsRef<OsStr>; 4] = [&"fill", &"normal(std=1e4)", &"--shape", &"3"];
        refusal(&folder, &[&arguments, more].concat())
    };
    assert_says!(fill(&[&"-o", &folder.path("o.npy"), &"--dtype", &"bf16"]), ".npy has no type for bf16");
    assert_says!(
        fill(&[&"-o", &folder.path("o.npy"), &"--dtype", &"f16"]),
        "|mean| + 6.77 std = 6.77e4 overflows f16; the largest is 6.5504e4"
    );
}

#[test]
fn matrices_beyond_memory() {
    let folder = Folder::new();
    let out = folder.path("o.safetensors");
    assert_says!(
        refusal(
            &folder,
            &[
                &"fill",
                &"orthogonal",
                &"--shape",
                &"1000000000,1000000000",
                &"-o",
                &out,
                &"--adapter",
                &"host"
            ]
        ),
        "error: orthogonal of shape [1000000000, 1000000000]: orthogonal(gain=1): no memory for a matrix of 1000000000 x 1000000000"
    );
}

#[test]
fn shapes_and_initialisers() {
    assert_says!(
        refused_parameters(&[("w", &[1 << 32, 1 << 32])]),
        "parameter \"w\" [4294967296, 4294967296]: preset default, rule 15 (line 90): the shape [4294967296, 4294967296] has more than 2^60 elements"
    );
    assert_says!(
        refused_parameters(&[("a", &[1 << 59, 2]), ("b", &[1 << 59, 2])]),
        "parameter \"b\": with it, the output would have more than 2^63 bytes"
    );
    assert_says!(
        refused_parameters(&[("w", &[2, 2]), ("temperature", &[])]),
        "no rule matches this parameter: \"temperature\" []"
    );
    assert_says!(refused_parameters(&[("__metadata__", &[1, 1])]), "\"__metadata__\" can't be the name");
}

#[test]
fn rules() {
    let refused = |rules: &str| {
        let folder = Folder::new();
        let model = folder.write("m.json", manifest(&[("a.weight", &[3, 4]), ("a.bias", &[3])]));
        let rules = folder.write("rules.toml", rules);
        let out = folder.path("o.safetensors");
        let stderr =
            refusal(&folder, &[&"init", &model, &"-o", &out, &"--rules", &rules, &"--adapter", &"host"]);
        stderr.replace(&rules.display().to_string(), "RULES").replace(&model.display().to_string(), "MODEL")
    };
    assert_says!(refused(""), "RULES: there is no [[rule]]");
    assert_says!(refused("[[rule]]\nmatch = \n"), "RULES: line 2 column 9: ");
    assert_says!(
        refused("[[rule]]\nmatch = '*'\ninit = 'zeros'\nrnak = 1\n"),
        "RULES: line 4 column 1: unknown field `rnak`"
    );
    assert_says!(
        refused("[[rule]]\nmatch = '*'\n"),
        "RULES: rule 1: line 2 column 9: missing field `init` (or `copy`, `tie`, `refuse`, `skip`)"
    );
    assert_says!(
        refused("[[rule]]\nmatch = '{a'\ninit = 'zeros'\n"),
        "RULES: rule 1: line 2 column 9: error parsing glob \"{a\""
    );
    assert_says!(
        refused("[[rule]]\nmatch = 'a'\ninit = 'ones'\n[[rule]]\nmatch = '*'\ninit = 'xavier_norml'\n"),
        "RULES: rule 2: line 6 column 8: \"xavier_norml\" is not an initialiser"
    );
    assert_says!(
        refused("[[rule]]\nmatch = '*.bias'\ninit = 'zeros'\n"),
        "MODEL: no rule matches this parameter: \"a.weight\" [3, 4]; add one"
    );
    assert_says!(
        refused("[[rule]]\nmatch = '*'\ninit = 'xavier_normal'\n"),
        "MODEL: parameter \"a.bias\" [3]: RULES, rule 1 (line 1): xavier_normal(gain=1): Fan in and fan out can not be computed"
    );
    assert_says!(
        refused("[[rule]]\nmatch = '*'\ninit = 'constant(1e39)'\n"),
        "parameter \"a.weight\" [3, 4]: RULES, rule 1 (line 1): constant(1"
    );
    assert_says!(refused("[[rule]]\nmatch = '*'\ninit = 'normal(std=-1)'\n"), "std >= 0.0");
}

#[test]
fn paths() {
    let folder = Folder::new();
    let (model, out) = (folder.write("m.json", manifest(&[("w", &[2, 2])])), folder.path("o.safetensors"));
    let init = |model: &dyn AsRef<OsStr>, out: &dyn AsRef<OsStr>| {
        refusal(&folder, &[&"init", model, &"-o", out, &"--adapter", &"host"])
    };
    assert_says!(init(&folder.path("none.json"), &out), "none.json: no such file or folder");
    assert_says!(init(&folder.path("none"), &out), "none: no such file or folder");
    std::fs::create_dir(folder.path("folder.json")).unwrap();
    assert_says!(init(&folder.path("folder.json"), &out), "folder.json: ");
    assert_says!(
        init(&model, &folder.path("o.bin")),
        "o.bin: a model goes into a .safetensors file, or into a folder"
    );
    assert_says!(
        init(&folder.write("odd.bin", ""), &out),
        "odd.bin: the extension does not say what this is"
    );
    assert_says!(init(&model, &folder.path("o.npy")), "o.npy: a model goes into a .safetensors file");
    assert_says!(init(&model, &folder.path("none/o.safetensors")), "can't create a file in the folder");
    assert_says!(init(&model, &folder.path("m.json/o.safetensors")), "can't create a file in the folder");
    std::fs::create_dir(folder.path("d.safetensors")).unwrap();
    assert_says!(
        init(&model, &folder.path("d.safetensors")),
        "d.safetensors: exists and is not a regular file"
    );
    let rules = folder.path("none.toml");
    assert_says!(
        refusal(&folder, &[&"init", &model, &"-o", &out, &"--rules", &rules]),
        "none.toml: No such file"
    );
}

#[test]
fn adapters() {
    let folder = Folder::new();
    let (model, out) = (folder.write("m.json", manifest(&[("w", &[2, 2])])), folder.path("o.safetensors"));
    // Drivers may print lines of their own.
    let output = run(&[&"init", &model, &"-o", &out, &"--adapter", &"no such adapter"]);
    assert_eq!(output.status.code(), Some(2));
    assert_says!(
        text(&output.stderr),
        "error: --adapter no such adapter: no adapter matches \"no such adapter\"; there are: "
    );
    assert_eq!(folder.names(), ["m.json"]);
    assert_says!(refusal(&folder, &[&"selftest", &"--adapter", &"host"]), "compares adapters with the host");
}

#[test]
fn fills() {
    let folder = Folder::new();
    let refused = |init: &str, shape: &str| {
        let out = folder.path("w.npy");
        refusal(&folder, &[&"fill", &init, &"--shape", &shape, &"-o", &out, &"--adapter", &"host"])
    };
    assert_says!(
        refused("xavier_normal", "3"),
        "xavier_normal of shape [3]: xavier_normal(gain=1): Fan in and fan out"
    );
    assert_says!(refused("ones", "4294967296,4294967296"), "more than 2^60 elements");
    assert_says!(refused("constant(1e39)", "3"), "overflows f32");
}

/// Errors of the command line come from clap, and take several lines.
#[test]
fn command_lines() {
    let folder = Folder::new();
    let out = folder.path("w.npy");
    for arguments in [
        &["fill", "xavier_norml", "--shape", "3,3"][..],
        &["fill", "ones", "--shape", "3,x"],
        &["fill", "ones"],
        &["fill", "ones", "--shape", "3", "--seed", "-1"],
        &["fill", "ones", "--shape", "3", "--seed", "18446744073709551616"],
        &["fill", "ones", "--shape", "3", "--adapter", ""],
        &["init"],
        &["inti"],
    ] {
        let output = common::seedbed().args(arguments).arg("-o").arg(&out).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(text(&output.stderr).starts_with("error: "), "{output:?}");
        assert!(!out.exists());
    }
    // The program still works after all of that.
    succeed(&[&"fill", &"ones", &"--shape", &"3", &"-o", &out, &"--adapter", &"host"]);
}
