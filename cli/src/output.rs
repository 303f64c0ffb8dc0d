//! The output file, which is written completely or not at all.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, bail};

use crate::failure::Failure;
use crate::temporary::Temporary;

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
    syncer: Option<Syncer>,
    file: BufWriter<Temporary>,
    /// The bytes since the syncer was last called.
    unsynced: usize,
}

/// The bytes of the write buffer, so that the header and small tensors share a write.
const BUFFER_BYTES: usize = 1 << 20;
/// The bytes after which the disk is set to work.
const SYNC_BYTES: usize = 256 << 20;

/// Sends what was written to the disk while more is being written. The system alone would wait until a tenth of the memory
/// is waiting, and the disk would rest until then.
#[derive(Debug)]
struct Syncer {
    calls: Option<SyncSender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Syncer {
    fn new(file: &File) -> io::Result<Self> {
        let file = file.try_clone()?;
        let (calls, called) = sync_channel(1);
        let thread = thread::Builder::new().name("sync".into()).spawn(move || {
            while called.recv().is_ok() {
                // Both handles are one open file, whose errors are reported once: this one must not be lost.
                file.sync_data()?;
            }
            Ok(())
        })?;
        Ok(Self { calls: Some(calls), thread: Some(thread) })
    }

    /// Asks for what is written by now. A call that waits already asks for the same.
    fn call(&self) -> bool {
        match &self.calls {
            Some(calls) => !matches!(calls.try_send(()), Err(TrySendError::Disconnected(()))),
            None => false,
        }
    }

    /// Waits for the end.
    fn join(mut self) -> io::Result<()> {
        self.calls = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the thread that syncs the file failed")),
            None => Ok(()),
        }
    }
}

impl Drop for Syncer {
    /// The file is closed before it is removed.
    fn drop(&mut self) {
        self.calls = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The folder of a file.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// An error with what the user can do about it.
pub fn with_remedy(error: io::Error) -> io::Error {
    let remedy = match error.kind() {
        ErrorKind::StorageFull => "free some space, or write to another disk",
        ErrorKind::QuotaExceeded => "free some space of your quota, or write to another disk",
        ErrorKind::FileTooLarge => {
            "the file system or `ulimit -f` limits the size of files; write elsewhere, or to a folder with a smaller \
             --max-shard-size"
        }
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => "write to another folder",
        ErrorKind::NotFound => "create the folder first",
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{error}; {remedy}"))
}

/// The failure to create an output. A full disk is no mistake of the input, and a folder that can hold no file is one.
pub fn not_created(error: anyhow::Error) -> Failure {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    match kind {
        Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => Failure::Run(error),
        _ => Failure::Input(error),
    }
}

impl Output {
    /// Creates the temporary file. Success shows whether the target's folder can hold a new file.
    pub fn create(target: &Path) -> Result<Self> {
        let folder = folder_of(target);
        let place = || target.display().to_string();
        match target.metadata() {
            Ok(existing) if !existing.is_file() => {
                bail!("{}: exists and is not a regular file; give another path", place())
            }
            _ => {}
        }
        let temporary = Temporary::create(folder)
            // tempfile's text names a random file that never existed.
            .map_err(|error| with_remedy(error.kind().into()))
            .with_context(|| {
                format!("{}: can't create a file in the folder {}", place(), folder.display())
            })?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, temporary);
        Ok(Self { target: target.to_owned(), syncer: None, file, unsynced: 0 })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_and_sync(bytes).map_err(with_remedy).with_context(|| self.context())
    }

    fn write_and_sync(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.unsynced = self.unsynced.saturating_add(bytes.len());
        if self.unsynced < SYNC_BYTES {
            return Ok(());
        }
        self.unsynced = 0;
        let syncer = match &self.syncer {
            Some(syncer) => syncer,
            None => self.syncer.insert(Syncer::new(self.file.get_ref().file())?),
        };
        if syncer.call() {
            return Ok(());
        }
        // The thread ends early with an error alone.
        self.syncer.take().map_or(Ok(()), Syncer::join)
    }

    /// Completes the file and gives it the target's name.
    pub fn finish(self) -> Result<()> {
        let context = self.context();
        let Self { target, syncer, file, .. } = self;
        let finish = || {
            syncer.map_or(Ok(()), Syncer::join)?;
            let temporary = file.into_inner().map_err(|error| error.into_error())?;
            // Some file systems report a full disk only here. A power cut must not leave the name without the
            // data.
            temporary.file().sync_all()?;
            temporary.persist(&target)
        };
        finish().map_err(with_remedy).context(context)
    }

    fn context(&self) -> String {
        format!("{}: nothing was written", self.target.display())
    }
}
