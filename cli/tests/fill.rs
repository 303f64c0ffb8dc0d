//! `seedbed fill`, on the host engine, and what the other commands print.

mod common;

use std::fs;

use common::{Folder, expected, run, seedbed, succeed, text};
use safetensors::{Dtype, SafeTensors};
use seedbed::{DType, Init, Key, host};

fn bytes_of_npy(path: &std::path::Path, shape: &[u64]) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let file = npyz::NpyFile::new(&bytes[..]).unwrap();
    assert_eq!(file.shape(), shape);
    file.into_vec::<f32>().unwrap().iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn npy_and_safetensors_hold_what_the_library_makes() {
    let folder = Folder::new();
    let (npy, safetensors) = (folder.path("w.npy"), folder.path("w.safetensors"));
    let init = Init::XavierNormal { gain: 2.0 };
    let expected = expected(&[13, 7], &init, Key::new(5));
    let arguments = |out| {
        run(&[
            &"fill",
            &"xavier_normal(gain=2)",
            &"--shape",
            &"13,7",
            &"--seed",
            &"5",
            &"--adapter",
            &"host",
            &"-o",
            out,
        ])
    };
    assert!(arguments(&npy).status.success());
    assert_eq!(bytes_of_npy(&npy, &[13, 7]), expected);
    let output = arguments(&safetensors);
    assert!(text(&output.stdout).contains("1 tensor, 91 elements, 364 bytes of data"));
    let bytes = fs::read(&safetensors).unwrap();
    assert_eq!(SafeTensors::deserialize(&bytes).unwrap().tensor("weight").unwrap().data(), expected);
}

#[test]
fn sixteen_bits() {
    let folder = Folder::new();
    let (npy, safetensors) = (folder.path("w.npy"), folder.path("w.safetensors"));
    let fill = |out: &std::path::PathBuf, dtype: &str| {
        succeed(&[
            &"fill",
            &"uniform",
            &"--shape",
            &"1001",
            &"--adapter",
            &"host",
            &"-o",
            out,
            &"--dtype",
            &dtype,
        ]);
        fs::read(out).unwrap()
    };
    let expected = |dtype| {
        let mut bytes = vec![0; 2002];
        host::fill_bytes(&mut bytes, dtype, [1001], &Init::uniform(0.0, 1.0), Key::new(0)).unwrap();
        bytes
    };
    let bytes = fill(&npy, "f16");
    let header = npyz::NpyHeader::from_reader(&bytes[..]).unwrap();
    assert_eq!(header.dtype().descr(), "'<f2'");
    assert!(bytes.ends_with(&expected(DType::F16)));
    let bytes = fill(&safetensors, "bf16");
    let tensor = SafeTensors::deserialize(&bytes).unwrap().tensor("weight").unwrap();
    assert_eq!((tensor.dtype(), tensor.data()), (Dtype::BF16, &expected(DType::BF16)[..]));
}

#[test]
fn keys_are_derived_in_the_order_given() {
    let folder = Folder::new();
    let out = folder.path("w.npy");
    let base = Key { seed: u64::MAX, offset: u64::MAX - 1 };
    for (folds, key) in [
        (&[][..], base),
        (&["3"][..], base.fold_in(3)),
        (&["3", "0xFFFFFFFFFFFFFFFF"], base.fold_in(3).fold_in(u64::MAX)),
        (&["0xFFFFFFFFFFFFFFFF", "3"], base.fold_in(u64::MAX).fold_in(3)),
    ] {
        let mut command = seedbed();
        command.args([
            "fill",
            "normal",
            "--shape",
            "101",
            "--seed",
            "0xFFFFFFFFFFFFFFFF",
            "--offset",
            "18446744073709551614",
        ]);
        command.args(folds.iter().flat_map(|f| ["--fold-in", f])).args(["--adapter", "host", "-o"]).arg(&out);
        assert!(command.output().unwrap().status.success());
        assert_eq!(bytes_of_npy(&out, &[101]), expected(&[101], &Init::normal(0.0, 1.0), key), "{folds:?}");
    }
}

#[test]
fn names_scalars_and_empty_tensors() {
    let folder = Folder::new();
    let out = folder.path("w.safetensors");
    succeed(&[
        &"fill",
        &"constant(-1.5)",
        &"--shape",
        &"",
        &"--name",
        &"scale",
        &"--adapter",
        &"host",
        &"-o",
        &out,
    ]);
    let bytes = fs::read(&out).unwrap();
    let tensor = SafeTensors::deserialize(&bytes).unwrap().tensor("scale").unwrap();
    assert_eq!((tensor.shape(), tensor.data()), (&[][..], &(-1.5_f32).to_le_bytes()[..]));

    for (shape, dimensions) in [("", &[][..]), ("0,3", &[0, 3])] {
        let out = folder.path("w.npy");
        succeed(&[&"fill", &"ones", &"--shape", &shape, &"--adapter", &"host", &"-o", &out]);
        let count = dimensions.iter().product::<u64>() as usize;
        assert_eq!(bytes_of_npy(&out, dimensions), 1_f32.to_le_bytes().repeat(count));
    }
}

#[test]
fn measured_moments_are_near_the_expected_ones() {
    let folder = Folder::new();
    let out = folder.path("w.npy");
    let stdout = succeed(&[
        &"fill",
        &"normal(mean=3,std=0.5)",
        &"--shape",
        &"1000,1000",
        &"--adapter",
        &"host",
        &"-o",
        &out,
    ]);
    let row: Vec<_> = stdout.lines().nth(1).unwrap().split_whitespace().collect();
    let [.., mean, measured_mean, std, measured_std] = row[..] else { panic!("{stdout}") };
    assert_eq!((mean, std), ("3", "0.5"));
    let number = |text: &str| text.parse::<f64>().unwrap();
    // Ten standard errors of a million elements.
    assert!((number(measured_mean) - 3.0).abs() < 0.005, "{stdout}");
    assert!((number(measured_std) - 0.5).abs() < 0.0036, "{stdout}");
}

#[test]
fn adapters_in_json_end_with_the_host() {
    let list: serde_json::Value = serde_json::from_str(&succeed(&[&"adapters", &"--json"])).unwrap();
    let rows = list.as_array().unwrap();
    assert_eq!(rows.last().unwrap()["name"], "host");
    for row in &rows[..rows.len() - 1] {
        assert!(row["limits"]["max_storage_buffer_binding_size"].as_u64().unwrap() > 0, "{row}");
    }
}

#[test]
fn help_and_version() {
    assert!(succeed(&[&"--help"]).contains("seedbed init models/gpt2.json -o gpt2.safetensors"));
    for command in ["init", "fill", "adapters", "selftest", "rules"] {
        assert!(succeed(&[&command, &"--help"]).contains("Usage"));
    }
    assert!(succeed(&[&"--version"]).starts_with(concat!("seedbed ", env!("CARGO_PKG_VERSION"))));
}
