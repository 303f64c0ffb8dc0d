//! The same bytes from every adapter: one trial for each adapter and command.

mod common;
#[path = "common/trials.rs"]
mod trials;

use std::ffi::OsStr;
use std::fs;
use std::process::ExitCode;

use common::{Folder, manifest, seedbed, text};
use libtest_mimic::Failed;
use serde_json::Value;

fn main() -> ExitCode {
    trials::run(
        &adapters(),
        &[
            ("init_equals_host", init_equals_host),
            ("fill_equals_host", fill_equals_host),
            ("parts_equal_host", parts_equal_host),
            ("rows_of_ranks_equal_host", rows_of_ranks_equal_host),
            ("bench_measures_everything", bench_measures_everything),
            ("selftest_passes", selftest_passes),
        ],
    )
}

/// The backend and the name of each adapter that the program lists.
fn adapters() -> Vec<(String, String)> {
    let output = seedbed().args(["adapters", "--json"]).output().unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| (text(&row["backend"]), text(&row["name"])))
        .filter(|(_, name)| name != "host")
        .collect()
}

fn bench_measures_everything(adapter: &str) -> Result<(), Failed> {
    let folder = Folder::new();
    let json = folder.path("bench.json");
    let mut command = seedbed();
    let output =
        command.args(["bench", "--adapter", adapter, "--elements", "4096", "--json"]).arg(&json).output()?;
    if !output.status.success() {
        return Err(text(&output.stderr).into());
    }
    let report: Value = serde_json::from_slice(&fs::read(json)?)?;
    let engine = &report["engines"][0];
    if engine["name"] != adapter {
        return Err(format!("{} was measured", engine["name"]).into());
    }
    let rows = engine["rows"].as_array().map_or(0, Vec::len);
    if rows != 15 || engine["first_use"]["pipelines"].as_f64().is_none_or(|seconds| seconds <= 0.0) {
        return Err(format!("{rows} rows: {engine}").into());
    }
    Ok(())
}

fn selftest_passes(adapter: &str) -> Result<(), Failed> {
    let output = seedbed().args(["selftest", "--adapter", adapter, "--json"]).output()?;
    if !output.status.success() {
        return Err(text(&[output.stderr, output.stdout].concat()).into());
    }
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let only = &report["adapters"][0];
    let checks = only["checks"].as_array().ok_or("no checks")?;
    let all_passed = checks.iter().all(|check| check["outcome"] == "passed");
    if only["name"] != adapter || report["passed"] != true || checks.len() < 50 || !all_passed {
        return Err(report.to_string().into());
    }
    Ok(())
}

/// The model has odd shapes that share a window, one that takes two, and one that begins in the middle of a
/// window.
fn init_equals_host(adapter: &str) -> Result<(), Failed> {
    let folder = Folder::new();
    let parameters: &[(&str, &[u64])] = &[
        ("a.bias", &[3]),
        ("a.weight", &[5, 7, 3]),
        ("norm.weight", &[1]),
        ("large.weight", &[3001, 3001]),
        ("empty.weight", &[0, 4]),
        ("large.bias", &[3001]),
        ("b.weight", &[1001, 999]),
    ];
    let model = folder.write("m.json", manifest(parameters));
    let on = |adapter: &str, out: &str| {
        made_by(&folder, adapter, out, &[&"init", &model, &"--seed", &"12345678901234567890"])
    };
    same(on(adapter, "gpu.safetensors")?, on("host", "host.safetensors")?)
}

fn fill_equals_host(adapter: &str) -> Result<(), Failed> {
    let folder = Folder::new();
    for (init, shape, dtype) in [
        ("normal(mean=1,std=3)", "1000003", "f32"),
        ("xavier_normal(gain=2)", "11,13,17", "f32"),
        ("constant(0.1)", "100003", "f16"),
        ("constant(nan)", "3", "f32"),
        ("zeros", "5", "f16"),
        ("ones", "", "bf16"),
        ("ones", "0", "f32"),
        ("uniform(-0.1,0.3)", "30001", "f32"),
        ("trunc_normal(std=0.02,a=-0.04,b=inf)", "30001", "bf16"),
        ("eye", "301,299", "f32"),
        ("dirac(groups=2)", "6,5,3,3", "f16"),
        ("xavier_uniform(gain=0.5)", "37,41", "bf16"),
        ("kaiming_uniform(a=0.2,nonlinearity=relu)", "37,41,3", "f32"),
        ("kaiming_normal(mode=fan_out)", "37,41,3", "f16"),
        ("orthogonal(gain=2)", "33,4,9", "bf16"),
        ("orthogonal", "3000001,4", "f32"),
        ("sparse(0.3,std=0.5)", "301,99", "f32"),
        ("jax::variance_scaling(2,fan_geo_avg,normal)", "37,41", "f32"),
        ("jax::glorot_normal(in_axis=0,out_axis=(1,2))", "37,4,11", "f32"),
        ("keras::he_uniform", "37", "bf16"),
    ] {
        let on = |adapter: &str, out: &str| {
            let key: [&dyn AsRef<OsStr>; 4] = [&"--offset", &"18446744073709551615", &"--fold-in", &"7"];
            made_by(
                &folder,
                adapter,
                out,
                &[&[&"fill" as &dyn AsRef<OsStr>, &init, &"--shape", &shape, &"--dtype", &dtype][..], &key]
                    .concat(),
            )
        };
        let same = same(on(adapter, "gpu.safetensors")?, on("host", "host.safetensors")?);
        same.map_err(|error| format!("{init} {shape} {dtype}: {}", error.message().unwrap_or_default()))?;
    }
    Ok(())
}

/// Tensors of several sources: parts that a device makes, and copies, formulas and norms that the host makes between them.
/// Odd sizes let runs of 16-bit elements begin within a word.
fn parts_equal_host(adapter: &str) -> Result<(), Failed> {
    let folder = Folder::new();
    let parameters: &[(&str, &[u64])] = &[
        ("rows.weight", &[301, 77]),
        ("columns.weight", &[61, 33]),
        ("experts.weight", &[5, 31, 17]),
        ("slices.weight", &[13, 3, 9]),
        ("middle.kernel", &[5, 7, 3]),
        ("delta.kernel", &[3, 3, 5, 9]),
        ("ids", &[1, 4099]),
        ("conv.weight_v", &[19, 3, 5]),
        ("conv.weight_g", &[19, 1, 1]),
        ("grown.weight", &[11, 7]),
        ("large.weight", &[3001, 3001]),
    ];
    let manifest = manifest(parameters)
        .replace("\"shape\": [1, 4099], \"dtype\": \"F32\"", "\"shape\": [1, 4099], \"dtype\": \"I64\"");
    let model = folder.write("m.json", &manifest);
    let source = folder.write("s.json", manifest.replace("[11, 7]", "[4, 7]"));
    let rules = folder.write(
        "r.toml",
        r#"
        [[rule]]
        match = "rows.*"
        init = "orthogonal"
        rows = { 1 = "zeros", 4 = "normal", -1 = "ones" }
        [[rule]]
        match = "columns.*"
        init = ["orthogonal", "normal", "orthogonal"]
        split = { axis = 1, sizes = [11, 5, 17] }
        [[rule]]
        match = "experts.*"
        init = "orthogonal"
        unstack = 0
        [[rule]]
        match = "slices.*"
        init = "xavier_uniform"
        unstack = 1
        [[rule]]
        match = "middle.*"
        init = "jax::orthogonal(column_axis=1)"
        [[rule]]
        match = "delta.*"
        init = "jax::delta_orthogonal()"
        [[rule]]
        match = "ids"
        init = "arange()"
        [[rule]]
        match = "*weight_g"
        init = "norm(of='.weight_v')"
        [[rule]]
        match = "grown.*"
        copy = true
        grow = "normal(std=0.02)"
        [[rule]]
        match = "*"
        init = "normal(std=0.5)"
        "#,
    );
    let plain = folder
        .write("p.toml", "[[rule]]\nmatch = 'ids'\ninit = 'zeros'\n[[rule]]\nmatch = '*'\ninit = 'normal'");
    for dtype in ["f32", "bf16"] {
        let from = folder.path("s.safetensors");
        // Copies keep their type, so the model that grows has the type of its source.
        let typed = folder.write("t.json", fs::read_to_string(&model)?.replace("F32", &dtype.to_uppercase()));
        made_by(
            &folder,
            "host",
            "s.safetensors",
            &[&"init", &source, &"--rules", &plain, &"--dtype", &dtype],
        )?;
        let on = |adapter: &str, out: &str| {
            made_by(&folder, adapter, out, &[&"init", &typed, &"--rules", &rules, &"--from", &from])
        };
        let same = same(on(adapter, "gpu.safetensors")?, on("host", "host.safetensors")?);
        same.map_err(|error| format!("{dtype}: {}", error.message().unwrap_or_default()))?;
    }
    Ok(())
}

/// The rows that three ranks make of tensors, which begin anywhere in a tensor and in its parts.
fn rows_of_ranks_equal_host(adapter: &str) -> Result<(), Failed> {
    let folder = Folder::new();
    let parameters: &[(&str, &[u64])] = &[
        ("whole.weight", &[1001, 257]),
        ("columns.weight", &[701, 333]),
        ("experts.weight", &[5, 131, 517]),
        ("formula.weight", &[503, 301]),
        ("orthogonal.weight", &[307, 211]),
        ("bias", &[33]),
    ];
    let model = folder.write("m.json", manifest(parameters));
    let rules = folder.write(
        "r.toml",
        r#"
        [[rule]]
        match = "columns.*"
        init = "normal"
        split = { axis = 1, sizes = [111, 5, 217] }
        [[rule]]
        match = "experts.*"
        init = "xavier_normal"
        unstack = 0
        [[rule]]
        match = "formula.*"
        init = 'formula("u + i0")'
        [[rule]]
        match = "orthogonal.*"
        init = "orthogonal"
        [[rule]]
        match = "*"
        init = "uniform"
        "#,
    );
    for dtype in ["f32", "bf16"] {
        let on = |adapter: &str| -> Result<Vec<Vec<u8>>, Failed> {
            let out = folder.path(&format!("{}-{dtype}", if adapter == "host" { "host" } else { "gpu" }));
            (1..=3)
                .map(|number| {
                    let mut command = seedbed();
                    command.args(["init", "--layout", "dcp", "--part", &format!("{}/3", number - 1)]);
                    command.arg(&model).arg("--rules").arg(&rules).args(["--dtype", dtype]);
                    command.args(["--adapter", adapter]).arg("-o").arg(format!("{}/", out.display()));
                    let output = command.output()?;
                    let stdout = text(&output.stdout);
                    if !output.status.success() || !stdout.contains(&format!(" s ({adapter})\n")) {
                        return Err(format!("{stdout}{}", text(&output.stderr)).into());
                    }
                    Ok(fs::read(out.join(format!("shard-0000{number}-model-00001-of-00001.safetensors")))?)
                })
                .collect()
        };
        for (gpu, host) in on(adapter)?.into_iter().zip(on("host")?) {
            same(gpu, host).map_err(|error| format!("{dtype}: {}", error.message().unwrap_or_default()))?;
        }
    }
    Ok(())
}

/// The bytes of the file that an adapter made.
fn made_by(
    folder: &Folder,
    adapter: &str,
    out: &str,
    arguments: &[&dyn AsRef<OsStr>],
) -> Result<Vec<u8>, Failed> {
    let out = folder.path(out);
    let output = seedbed().args(arguments).arg("--adapter").arg(adapter).arg("-o").arg(&out).output()?;
    let stdout = text(&output.stdout);
    // The last line must name this adapter, not the host in its place.
    if !output.status.success() || !stdout.trim_end().ends_with(&format!("({adapter})")) {
        return Err(format!("{:?}\n{stdout}{}", output.status, text(&output.stderr)).into());
    }
    Ok(fs::read(out)?)
}

fn same(gpu: Vec<u8>, host: Vec<u8>) -> Result<(), Failed> {
    match gpu.iter().zip(&host).position(|(a, b)| a != b) {
        _ if gpu.len() != host.len() => {
            Err(format!("{} bytes, the host has {}", gpu.len(), host.len()).into())
        }
        Some(first) => Err(format!("byte {first} differs from the host's").into()),
        None => Ok(()),
    }
}
