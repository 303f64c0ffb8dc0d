//! A model in a folder, the rules and the options for it, and checks of what the program makes of it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Output;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::common::{Folder, manifest, seedbed, text};

/// A tensor with data.
#[derive(Clone)]
pub struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl Tensor {
    /// A tensor whose bytes are arbitrary, and differ from name to name.
    pub fn arbitrary(name: &str, dtype: Dtype, shape: &[usize]) -> Self {
        let len = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        let start = name.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let words = (0_u32..).map(|i| start.wrapping_add(i).wrapping_mul(0x9E37_79B9) >> 24);
        let bytes = match dtype {
            Dtype::BOOL => words.map(|word| (word & 1) as u8).take(len).collect(),
            _ => words.map(|word| word as u8).take(len).collect(),
        };
        Self { name: name.into(), dtype, shape: shape.into(), bytes }
    }

    /// A tensor of these F32 values.
    pub fn f32(name: &str, shape: &[usize], values: impl IntoIterator<Item = f32>) -> Self {
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        Self { name: name.into(), dtype: Dtype::F32, shape: shape.into(), bytes }
    }
}

/// The bytes of a safetensors file.
pub fn safetensors(tensors: &[Tensor], metadata: &[(&str, &str)]) -> Vec<u8> {
    let views = tensors.iter().map(|tensor| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes).unwrap();
        (tensor.name.as_str(), view)
    });
    let metadata: HashMap<String, String> =
        metadata.iter().map(|&(key, value)| (key.into(), value.into())).collect();
    safetensors::serialize(views, (!metadata.is_empty()).then_some(metadata)).unwrap()
}

/// A run of the program on a machine without adapters.
pub fn on_the_host(arguments: &[impl AsRef<OsStr>]) -> Output {
    let backend = if cfg!(windows) { "metal" } else { "dx12" };
    seedbed().env("WGPU_BACKEND", backend).args(arguments).output().unwrap()
}

/// The lines of stderr, without the one that says that the machine has no adapter.
pub fn lines(output: &Output) -> Vec<String> {
    let stderr = text(&output.stderr);
    let lines = stderr.lines().filter(|line| !line.starts_with("note: there is no adapter"));
    lines.map(str::to_owned).collect()
}

/// A model, and the options of the commands that read it.
pub struct Job {
    pub folder: Folder,
    pub model: PathBuf,
    /// Options of `init` and `plan`.
    options: Vec<String>,
    /// Options of `init` alone.
    init_options: Vec<String>,
}

impl Job {
    /// A model of this file name and contents.
    pub fn with(name: &str, contents: impl AsRef<[u8]>) -> Self {
        let folder = Folder::new();
        let model = folder.write(name, contents);
        Self { folder, model, options: vec![], init_options: vec![] }
    }

    /// A manifest of F32 parameters.
    pub fn new(parameters: &[(&str, &[u64])]) -> Self {
        Self::with("model.json", manifest(parameters))
    }

    /// A manifest of parameters of several types.
    pub fn typed(parameters: &[(&str, &str, &[u64])]) -> Self {
        let entries: Vec<_> = parameters
            .iter()
            .map(|(name, dtype, shape)| format!("{name:?}: {{\"shape\": {shape:?}, \"dtype\": {dtype:?}}}"))
            .collect();
        Self::with("model.json", format!("{{\"parameters\": {{{}}}}}", entries.join(", ")))
    }

    /// A safetensors file with data.
    pub fn file(tensors: &[Tensor]) -> Self {
        Self::with("model.safetensors", safetensors(tensors, &[]))
    }

    /// A safetensors file of these bytes.
    pub fn bytes(bytes: &[u8]) -> Self {
        Self::with("model.safetensors", bytes)
    }

    /// The folder of the files is the model.
    pub fn of_the_folder(self) -> Self {
        let folder = self.folder.path("");
        self.model(&folder)
    }

    /// Another file or folder is the model.
    pub fn model(mut self, path: &Path) -> Self {
        self.model = path.into();
        self
    }

    /// Writes a further file beside the model.
    pub fn beside(self, name: &str, contents: impl AsRef<[u8]>) -> Self {
        self.folder.write(name, contents);
        self
    }

    pub fn rules(self, rules: &str) -> Self {
        let path = self.folder.write("rules.toml", rules);
        self.option("--rules", path.to_str().unwrap())
    }

    /// A file with data to copy from.
    pub fn from(self, tensors: &[Tensor]) -> Self {
        let path = self.folder.write("source.safetensors", safetensors(tensors, &[]));
        self.option("--from", path.to_str().unwrap())
    }

    pub fn option(mut self, option: &str, value: &str) -> Self {
        self.options.extend([option.into(), value.into()]);
        self
    }

    /// An option that `init` has, and `plan` has not.
    pub fn init_option(mut self, option: &[&str]) -> Self {
        self.init_options.extend(option.iter().map(|&text| text.to_owned()));
        self
    }

    /// The output that `init` writes.
    pub fn out(&self) -> PathBuf {
        self.folder.path("out.safetensors")
    }

    /// Runs `init` into a file or folder.
    pub fn run_init(&self, out: &Path) -> Output {
        let mut arguments = vec!["init".into(), self.model.clone().into_os_string(), "-o".into()];
        arguments.push(out.into());
        arguments.extend(["--adapter", "host"].map(OsString::from));
        arguments.extend(self.options.iter().chain(&self.init_options).map(OsString::from));
        on_the_host(&arguments)
    }

    pub fn run_plan(&self) -> Output {
        let mut arguments = vec!["plan".into(), self.model.clone().into_os_string(), "--json".into()];
        arguments.extend(self.options.iter().map(OsString::from));
        on_the_host(&arguments)
    }

    /// Runs `init` and reads the file.
    pub fn init(&self) -> Made {
        let output = self.run_init(&self.out());
        assert!(output.status.success(), "{}", text(&output.stderr));
        Made { bytes: fs::read(self.out()).unwrap(), stderr: lines(&output) }
    }

    /// The row of the plan about a parameter.
    pub fn row(&self, name: &str) -> Value {
        let output = self.run_plan();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
        rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
    }

    /// Checks what the plan says about mean and std, of the parameter or of each of its parts.
    pub fn planned(&self, name: &str, mean: f64, std: f64) {
        let row = self.row(name);
        let parts = row["parts"].as_array().filter(|parts| !parts.is_empty());
        let rows = parts.cloned().unwrap_or_else(|| vec![row]);
        for row in rows {
            // A mean of 0 has no digits of its own, so its bound is that of std.
            let near = |key: &str, right: f64| {
                let found = row[key].as_f64().unwrap_or_else(|| panic!("{name} has no {key}: {row}"));
                let bound = 1e-12 * if right == 0.0 { std } else { right.abs() };
                assert!((found - right).abs() <= bound, "{name}: {key} = {found}, not {right}");
            };
            near("mean", mean);
            near("std", std);
        }
    }

    /// Checks the distribution of a parameter: what the plan says, and the values that `init` made.
    pub fn law(&self, made: &Made, name: &str, mean: f64, std: f64) {
        self.planned(name, mean, std);
        has_law(name, &made.values(name), mean, std);
    }

    /// Runs `init`, expects one line that says what is wrong, and no file.
    pub fn init_error(&self, words: &[&str]) {
        let before = self.folder.names();
        let output = self.run_init(&self.out());
        says(&output, words);
        assert!(output.stdout.is_empty(), "{output:?}");
        assert_eq!(self.folder.names(), before, "{words:?}");
    }

    /// Like [`init_error`](Self::init_error), of an error that `plan` finds too.
    pub fn error(&self, words: &[&str]) {
        self.init_error(words);
        says(&self.run_plan(), words);
    }

    /// An error of a rule, which says where the rule is.
    pub fn rule_error(&self, number: usize, words: &[&str]) {
        let rule = format!("rule {number}");
        self.error(&[words, &["rules.toml", &rule, "line "]].concat());
    }

    /// Expects that `init` and `plan` succeed, and that each says a warning of these words.
    pub fn warning(&self, words: &[&str]) {
        for output in [self.run_plan(), self.run_init(&self.out())] {
            assert!(output.status.success(), "{}", text(&output.stderr));
            let lines = lines(&output);
            let found = lines
                .iter()
                .any(|line| line.starts_with("warning: ") && words.iter().all(|word| line.contains(word)));
            assert!(found, "no warning has {words:?}: {lines:#?}");
        }
    }

    /// Expects that `init` and `plan` succeed without a warning.
    pub fn no_warning(&self) {
        for output in [self.run_plan(), self.run_init(&self.out())] {
            assert!(output.status.success(), "{}", text(&output.stderr));
            assert!(!lines(&output).iter().any(|line| line.starts_with("warning: ")), "{output:?}");
        }
    }
}

/// The program found the input at fault, and its only error has all of these words. A rule to paste may follow the
/// line of the error, after an empty line.
fn says(output: &Output, words: &[&str]) {
    assert_eq!(output.status.code(), Some(2), "{words:?}: {output:?}");
    let lines = lines(output);
    let start = lines.iter().position(|line| line.starts_with("error: ")).unwrap();
    let (others, error) = lines.split_at(start);
    let are_notes = others.iter().all(|line| line.starts_with("warning: ") || line.starts_with("note: "));
    assert!(are_notes, "{lines:#?}");
    assert!(error.get(1).is_none_or(String::is_empty), "{lines:#?}");
    let error = error.join("\n");
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
}

/// A file that the program made.
pub struct Made {
    pub bytes: Vec<u8>,
    /// The lines of stderr.
    pub stderr: Vec<String>,
}

impl Made {
    /// Reads a file.
    pub fn read(path: &Path) -> Self {
        Self { bytes: fs::read(path).unwrap(), stderr: vec![] }
    }

    pub fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap()
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.file().names().into_iter().map(str::to_owned).collect();
        names.sort();
        names
    }

    pub fn metadata(&self) -> HashMap<String, String> {
        let (_, header) = SafeTensors::read_metadata(&self.bytes).unwrap();
        header.metadata().clone().unwrap_or_default()
    }

    pub fn tensor(&self, name: &str) -> Tensor {
        let file = self.file();
        let tensor = file.tensor(name).unwrap();
        Tensor {
            name: name.into(),
            dtype: tensor.dtype(),
            shape: tensor.shape().into(),
            bytes: tensor.data().into(),
        }
    }

    pub fn data(&self, name: &str) -> Vec<u8> {
        self.tensor(name).bytes
    }

    /// The elements as f64, which holds every value of the types that the tests read.
    pub fn values(&self, name: &str) -> Vec<f64> {
        let tensor = self.tensor(name);
        fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            bytes.chunks_exact(N).map(|chunk| value(chunk.try_into().unwrap())).collect()
        }
        match tensor.dtype {
            Dtype::F32 => each(&tensor.bytes, |bytes| f32::from_le_bytes(bytes).into()),
            Dtype::BF16 => each(&tensor.bytes, |[low, high]| f32::from_le_bytes([0, 0, low, high]).into()),
            Dtype::I64 => each(&tensor.bytes, |bytes| i64::from_le_bytes(bytes) as f64),
            Dtype::I32 => each(&tensor.bytes, |bytes| i32::from_le_bytes(bytes).into()),
            Dtype::U8 | Dtype::BOOL => each(&tensor.bytes, |[byte]| byte.into()),
            other => panic!("{name}: {other:?}"),
        }
    }

    /// The rows of a matrix.
    pub fn rows(&self, name: &str, range: Range<usize>) -> Vec<f64> {
        let width = self.tensor(name).shape[1..].iter().product::<usize>();
        self.values(name)[range.start * width..range.end * width].to_vec()
    }

    /// The bytes of rows of a tensor.
    pub fn row_bytes(&self, name: &str, range: Range<usize>) -> Vec<u8> {
        let tensor = self.tensor(name);
        let width = tensor.bytes.len() / tensor.shape[0];
        tensor.bytes[range.start * width..range.end * width].to_vec()
    }

    pub fn constant(&self, name: &str, right: f64) {
        let values = self.values(name);
        assert!(values.iter().all(|&value| value == right), "{name}: {values:?}");
    }

    pub fn copied(&self, from: &Tensor) {
        let made = self.tensor(&from.name);
        assert_eq!((made.dtype, &made.shape), (from.dtype, &from.shape), "{}", from.name);
        assert!(made.bytes == from.bytes, "{} is no copy", from.name);
    }

    pub fn absent(&self, name: &str) {
        assert!(self.file().tensor(name).is_err(), "{name} is there");
    }

    pub fn same(&self, one: &str, other: &str) {
        assert!(self.data(one) == self.data(other), "{one} and {other} differ");
    }
}

/// Mean and std of a sample lie within 5 standard errors of those of the distribution.
///
/// The standard error of std is that of a normal distribution, which is more than that of a uniform one.
pub fn has_law(name: &str, values: &[f64], mean: f64, std: f64) {
    let n = values.len() as f64;
    let found = values.iter().sum::<f64>() / n;
    let error = std / n.sqrt();
    assert!((found - mean).abs() <= 5.0 * error, "{name}: mean {found}, not {mean} ± {error}");
    let found = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    let error = std / (2.0 * n).sqrt();
    assert!((found - std).abs() <= 5.0 * error, "{name}: std {found}, not {std} ± {error}");
}

/// The shorter side of a matrix is orthonormal, up to the gain.
pub fn is_orthogonal(name: &str, values: &[f64], [rows, columns]: [usize; 2], gain: f64) {
    assert_eq!(values.len(), rows * columns, "{name}");
    let at = |i: usize, j: usize| match rows <= columns {
        true => values[i * columns + j],
        false => values[j * columns + i],
    };
    let (short, long) = (rows.min(columns), rows.max(columns));
    for i in 0..short {
        for j in 0..short {
            let product: f64 = (0..long).map(|k| at(i, k) * at(j, k)).sum();
            let right = if i == j { gain * gain } else { 0.0 };
            assert!((product - right).abs() < 1e-5, "{name}: the product at {i}, {j} is {product}");
        }
    }
}
