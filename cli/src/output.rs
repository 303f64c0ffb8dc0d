//! The output file, which is written completely or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::{Builder, TempPath};

/// The format of the file, from its extension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    Safetensors,
    Npy,
}

impl Format {
    pub fn of(path: &Path) -> Result<Self> {
        match seedbed_model::extension(path).as_deref() {
            Some("safetensors") => Ok(Self::Safetensors),
            Some("npy") => Ok(Self::Npy),
            _ => bail!(
                "{}: the extension names no format; give the output one of .safetensors or .npy",
                path.display()
            ),
        }
    }
}

/// A temporary file beside the target. The complete file replaces the target. An output that is dropped
/// earlier removes the temporary file and leaves the target unchanged.
#[derive(Debug)]
pub struct Output {
    target: PathBuf,
    // Fields are dropped in this order: Windows needs the file closed before it is removed.
    file: BufWriter<File>,
    temporary: TempPath,
}

/// The bytes of the write buffer, so that the header and small tensors share a write.
const BUFFER_BYTES: usize = 1 << 20;

impl Output {
    /// Creates the temporary file. Success shows whether the target's folder can hold a new file.
    pub fn create(target: &Path) -> Result<Self> {
        let folder = match target.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let place = || target.display().to_string();
        match target.metadata() {
            Ok(existing) if !existing.is_file() => {
                bail!("{}: exists and is not a regular file; give another path", place())
            }
            _ => {}
        }
        let mut builder = Builder::new();
        builder.prefix(".seedbed-").suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The umask reduces these permissions, as for any new file. tempfile would give them to the owner
            // alone.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let (file, temporary) = builder
            .tempfile_in(folder)
            // tempfile's text names a random file that never existed.
            .map_err(|error| io::Error::from(error.kind()))
            .with_context(|| format!("{}: can't create a file in the folder {}", place(), folder.display()))?
            .into_parts();
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        Ok(Self { target: target.to_owned(), file, temporary })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).with_context(|| self.context())
    }

    /// Completes the file and gives it the target's name.
    pub fn finish(self) -> Result<()> {
        let context = self.context();
        let Self { target, file, temporary } = self;
        let finish = || {
            let file = file.into_inner().map_err(|error| error.into_error())?;
            // Some file systems report a full disk only here. A power cut must not leave the name without the
            // data.
            file.sync_all()?;
            drop(file);
            temporary.persist(&target).map_err(|error| error.error)
        };
        finish().context(context)
    }

    fn context(&self) -> String {
        format!("{}: nothing was written", self.target.display())
    }
}
