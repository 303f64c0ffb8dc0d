//! Translates kernels: by naga, and from there by spirv-opt and by DXC.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use naga::back::{hlsl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use seedbed::program::Kernel;

use super::reassociate::reassociate;
use crate::golden::sha256;

/// A path from WGSL to an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Path {
    /// naga's SPIR-V
    NagaSpirv,
    /// naga's SPIR-V, after `spirv-opt -O`
    #[value(name = "spirv-opt-O")]
    SpirvOptO,
    /// naga's SPIR-V, after `spirv-opt -Os`
    #[value(name = "spirv-opt-Os")]
    SpirvOptOs,
    /// naga's SPIR-V, after `spirv-opt -O`, with sums and products reassociated as WGSL permits
    Reassociated,
    /// naga's HLSL, by DXC to SPIR-V, optimised
    #[value(name = "dxc-O3")]
    DxcO3,
    /// naga's HLSL, by DXC to SPIR-V, not optimised
    #[value(name = "dxc-Od")]
    DxcOd,
    /// naga's HLSL, by DXC to DXIL, which Direct3D runs and this program does not
    Dxil,
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        clap::ValueEnum::to_possible_value(self).map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

impl Path {
    /// Whether the path ends in SPIR-V.
    pub fn runs(self) -> bool {
        self != Self::Dxil
    }

    /// The rules that spirv-val applies. naga writes workgroup arrays with a stride, which Vulkan's rules forbid and
    /// drivers ignore.
    fn environment(self) -> &'static str {
        if self.needs_dxc() { "vulkan1.1" } else { "spv1.3" }
    }

    fn needs_dxc(self) -> bool {
        matches!(self, Self::DxcO3 | Self::DxcOd | Self::Dxil)
    }
}

/// A kernel, and its text as it is translated.
pub struct Source<'plan> {
    pub kernel: &'plan Kernel,
    pub text: String,
}

impl<'plan> Source<'plan> {
    /// The kernel, with texts replaced.
    pub fn new(kernel: &'plan Kernel, replacements: &[(&str, &str)]) -> Self {
        let text = kernel.wgsl.clone();
        let text = replacements.iter().fold(text, |text, (old, new)| text.replace(old, new));
        Self { kernel, text }
    }

    fn file(&self, folder: &std::path::Path, path: Path) -> PathBuf {
        folder.join(format!("{}-{path}.spv", sha256(self.text.as_bytes())))
    }

    /// # Errors
    /// Those of the file.
    pub fn save(&self, folder: &std::path::Path, path: Path, words: &[u32]) -> Result<()> {
        let file = self.file(folder, path);
        std::fs::write(&file, bytemuck::cast_slice(words)).with_context(|| file.display().to_string())
    }

    /// # Errors
    /// Those of the file.
    pub fn load(&self, folder: &std::path::Path, path: Path) -> Result<Vec<u32>> {
        let file = self.file(folder, path);
        let context = || format!("{} ({})", file.display(), self.kernel.label);
        words(&std::fs::read(&file).with_context(context)?).with_context(context)
    }
}

/// The words of a SPIR-V module.
fn words(bytes: &[u8]) -> Result<Vec<u32>> {
    let (words, rest) = bytes.as_chunks();
    ensure!(!words.is_empty() && rest.is_empty(), "{} bytes are no SPIR-V", bytes.len());
    Ok(words.iter().map(|&word| u32::from_le_bytes(word)).collect())
}

/// The compilers beside naga.
pub struct Tools {
    pub dxc: PathBuf,
    pub spirv_opt: PathBuf,
    pub spirv_val: PathBuf,
}

/// What wgpu gives DXC.
const DXC: [&str; 6] = ["-T", "cs_6_0", "-HV", "2018", "-no-warnings", "-Ges"];
/// What DXC needs for SPIR-V: the version that wgpu asks of Vulkan, and the memory layout of Direct3D, for which naga
/// writes.
const DXC_SPIRV: [&str; 3] = ["-spirv", "-fspv-target-env=vulkan1.1", "-fvk-use-dx-layout"];

impl Tools {
    /// Prints the versions of the compilers of these paths.
    ///
    /// # Errors
    /// A compiler that is missing.
    pub fn print_versions(&self, paths: &[Path]) -> Result<()> {
        let mut tools = vec![&self.spirv_opt];
        if paths.iter().any(|path| path.needs_dxc()) {
            tools.push(&self.dxc);
        }
        for tool in tools {
            let output = Command::new(tool).arg("--version").output();
            let output = output.with_context(|| tool.display().to_string())?;
            // spirv-opt prints to standard error.
            let text = [output.stdout, output.stderr].concat();
            println!("{}", String::from_utf8_lossy(&text).trim().lines().next().unwrap_or_default());
        }
        Ok(())
    }

    /// Translates all kernels, on all cores.
    ///
    /// # Errors
    /// The first kernel that a compiler rejects.
    pub fn translate_all(&self, path: Path, sources: &[Source<'_>]) -> Result<Vec<Vec<u32>>> {
        let results: Vec<_> = sources.iter().map(|_| Mutex::new(None)).collect();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(source) = sources.get(number) else { break };
                        let result = self
                            .translate(path, &source.text, &source.kernel.entry_point)
                            .with_context(|| source.kernel.label.clone());
                        if let Ok(mut slot) = results[number].lock() {
                            *slot = Some(result);
                        }
                    }
                });
            }
        });
        let finished = results.into_iter().map(|slot| slot.into_inner().ok().flatten());
        finished.map(|result| result.context("a translation that did not finish")?).collect()
    }

    /// Translates a kernel. The result is empty where the path ends in no SPIR-V.
    fn translate(&self, path: Path, text: &str, entry_point: &str) -> Result<Vec<u32>> {
        let (module, info) = parse(text)?;
        let spirv = || spirv(&module, &info, entry_point);
        let dxc = |arguments: &[&str]| {
            let arguments = [&["-E", entry_point], &DXC[..], arguments].concat();
            pipe(&self.dxc, &arguments, hlsl(&module, &info, entry_point)?.as_bytes())
        };
        let result = match path {
            Path::NagaSpirv => spirv()?,
            Path::SpirvOptO => pipe(&self.spirv_opt, &["-O", "-", "-o", "-"], &spirv()?)?,
            Path::SpirvOptOs => pipe(&self.spirv_opt, &["-Os", "-", "-o", "-"], &spirv()?)?,
            Path::Reassociated => {
                let optimised = pipe(&self.spirv_opt, &["-O", "-", "-o", "-"], &spirv()?)?;
                bytemuck::cast_slice(&reassociate(&words(&optimised)?)).to_vec()
            }
            Path::DxcO3 => dxc(&[&DXC_SPIRV[..], &["-O3"]].concat())?,
            Path::DxcOd => dxc(&[&DXC_SPIRV[..], &["-Od"]].concat())?,
            Path::Dxil => {
                let result = dxc(&[])?;
                ensure!(result.starts_with(b"DXBC"), "DXC wrote no DXIL");
                return Ok(Vec::new());
            }
        };
        pipe(&self.spirv_val, &["--target-env", path.environment(), "-"], &result)?;
        words(&result)
    }
}

/// Runs a program on these bytes, and returns what the program writes.
fn pipe(program: &std::path::Path, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| program.display().to_string())?;
    // The programs read all of their input before they write. A program that stops early says why.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let output = child.wait_with_output()?;
    let message = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} ({}): {message}", program.display(), output.status);
    written?;
    Ok(output.stdout)
}

/// naga's module of a WGSL text.
fn parse(text: &str) -> Result<(naga::Module, ModuleInfo)> {
    let module = naga::front::wgsl::parse_str(text).map_err(|error| anyhow!(error.emit_to_string(text)))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::SHADER_INT64)
        .validate(&module)
        .map_err(|error| anyhow!(error.emit_to_string(text)))?;
    Ok((module, info))
}

/// naga's SPIR-V, as wgpu has it written.
fn spirv(module: &naga::Module, info: &ModuleInfo, entry_point: &str) -> Result<Vec<u8>> {
    let options = spv::Options {
        lang_version: (1, 3),
        bounds_check_policies: BoundsCheckPolicies {
            index: BoundsCheckPolicy::Restrict,
            buffer: BoundsCheckPolicy::Restrict,
            ..Default::default()
        },
        ..Default::default()
    };
    let pipeline =
        spv::PipelineOptions { shader_stage: naga::ShaderStage::Compute, entry_point: entry_point.into() };
    let words = spv::write_vec(module, info, &options, Some(&pipeline))?;
    Ok(words.into_iter().flat_map(u32::to_le_bytes).collect())
}

/// naga's HLSL, as wgpu has it written for DXC, with registers that DXC makes the bindings of the WGSL. Group 1 has
/// the numbers of workgroups at binding 0.
fn hlsl(module: &naga::Module, info: &ModuleInfo, entry_point: &str) -> Result<String> {
    let target =
        |space, register| hlsl::BindTarget { space, register, restrict_indexing: true, ..Default::default() };
    let bindings = module.global_variables.iter().filter_map(|(_, variable)| variable.binding);
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_0,
        binding_map: bindings
            .map(|binding| (binding, target(binding.group as u8, binding.binding)))
            .collect(),
        fake_missing_bindings: false,
        special_constants_binding: Some(target(1, 0)),
        ..Default::default()
    };
    let mut text = String::new();
    let pipeline = hlsl::PipelineOptions::default();
    let names =
        hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None)?.entry_point_names;
    let names = names.into_iter().collect::<Result<Vec<_>, _>>()?;
    ensure!(names == [entry_point], "naga renamed the entry point: {names:?}");
    Ok(text)
}
