//! Temporary files, which become the target when they are complete.
//!
//! A process that is killed removes nothing. On Linux, a temporary file has no name (`O_TMPFILE`) until it is complete,
//! and the system frees the file with the process. Elsewhere a temporary file has a name of its own, and its writer holds
//! a lock on it. The system releases the locks of a dead process, so the next run removes each file that it can lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempPath};

/// The beginning and the end of the names of temporary files.
const NAME: [&str; 2] = [".seedbed-", ".tmp"];

/// A temporary file in the folder of its target. A value that is dropped removes the file.
#[derive(Debug)]
pub struct Temporary {
    // Fields are dropped in this order: Windows needs the file closed before it is removed.
    file: File,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Named(TempPath),
    /// The folder of a file without a name.
    Unnamed(PathBuf),
}

impl Temporary {
    /// Creates a temporary file. Success shows that the folder can hold a new file.
    pub fn create(folder: &Path) -> io::Result<Self> {
        Self::unnamed(folder).map_or_else(|| Self::named(folder), Ok)
    }

    /// `None`: the system or the folder has no files without names.
    fn unnamed(folder: &Path) -> Option<Self> {
        let file = unnamed::create(folder)?;
        // The file gets a temporary name before it replaces a target. The lock is older than the name.
        let _ = file.lock();
        Some(Self { file, place: Place::Unnamed(folder.to_owned()) })
    }

    fn named(folder: &Path) -> io::Result<Self> {
        let prefix = prefix();
        let mut builder = builder(&prefix);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The umask reduces these permissions, as for any new file. tempfile would give them to the owner alone.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        loop {
            let (file, path) = builder.tempfile_in(folder)?.into_parts();
            // Another run may have locked the file between its creation and this line, and then removes the file. Some
            // network file systems have no locks. There nobody takes the file for a dead process's.
            if file.lock().is_err() || path.try_exists().unwrap_or(true) {
                return Ok(Self { file, place: Place::Named(path) });
            }
        }
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file the target's name, and replaces what has the name.
    pub fn persist(self, target: &Path) -> io::Result<()> {
        // The lock lasts until the file has its name.
        let Self { file, place } = self;
        let named = match place {
            Place::Named(path) => path,
            Place::Unnamed(folder) => match unnamed::link(&file, target) {
                // A link replaces nothing, and a renamed file does.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => link_temporarily(&file, &folder)?,
                linked => return linked,
            },
        };
        named.persist(target).map_err(|error| error.error)
    }

    /// Gives the file the target's name, unless something has the name. The result says whether the file got it.
    pub fn persist_new(self, target: &Path) -> io::Result<bool> {
        let Self { file, place } = self;
        let (error, named) = match place {
            Place::Named(path) => match path.persist_noclobber(target) {
                Ok(()) => return Ok(true),
                Err(error) => (error.error, Some(error.path)),
            },
            Place::Unnamed(_) => match unnamed::link(&file, target) {
                Ok(()) => return Ok(true),
                Err(error) => (error, None),
            },
        };
        match named {
            _ if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            // Some file systems can't refuse to replace a file. Then two processes at the same moment both succeed.
            Some(path) => path.persist(target).map(|()| true).map_err(|error| error.error),
            None => Err(error),
        }
    }
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn builder(prefix: &str) -> Builder<'_, 'static> {
    let mut builder = Builder::new();
    builder.prefix(prefix).suffix(NAME[1]);
    builder
}

/// The beginning of the names that this process gives. The number of the process is for people.
fn prefix() -> String {
    format!("{}{}-", prefix_of_host(), std::process::id())
}

/// The beginning of the names that processes of this machine give.
fn prefix_of_host() -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    let host: String = host().chars().filter(is_plain).take(64).collect();
    // The dot ends the machine's name: node1 is not node10.
    format!("{}{host}.", NAME[0])
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Whether a name is that of a temporary file.
pub fn is_temporary(name: &str) -> bool {
    let [prefix, suffix] = NAME;
    name.starts_with(prefix) && name.ends_with(suffix)
}

/// The machines whose temporary files may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// This machine. Some network file systems keep locks within a machine, so another machine's lock may not be seen.
    ThisHost,
    /// All machines. The caller knows that no process needs its temporary file.
    All,
}

/// Removes the temporary files that dead processes have left in a folder. Errors are ignored: the files only take space.
pub fn remove_dead(folder: &Path, whose: Whose) {
    let own = prefix_of_host();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_wanted = is_temporary(&name) && (whose == Whose::All || name.starts_with(&own));
        // A pipe would wait for a reader.
        if is_wanted && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            remove_if_dead(&entry.path(), whose);
        }
    }
}

fn remove_if_dead(path: &Path, whose: Whose) {
    // NFS locks for writing only what is open for writing.
    let Ok(file) = OpenOptions::new().write(true).open(path) else { return };
    let is_dead = match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        // The file system has no locks.
        Err(TryLockError::Error(_)) => whose == Whose::All,
    };
    if is_dead {
        // The lock is held until the name is gone, so no writer takes the file for its own.
        let _ = fs::remove_file(path);
    }
}

/// Gives a file without a name a temporary one.
fn link_temporarily(file: &File, folder: &Path) -> io::Result<TempPath> {
    Ok(builder(&prefix()).make_in(folder, |path| unnamed::link(file, path))?.into_temp_path())
}

/// Files without names.
#[cfg(target_os = "linux")]
mod unnamed {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::path::Path;

    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};

    /// Creates a file without a name, if the folder can hold one and name it later.
    pub fn create(folder: &Path) -> Option<File> {
        let open = || {
            let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
            // The umask reduces these permissions, as for any new file.
            openat(CWD, folder, flags, Mode::from_raw_mode(0o666)).ok().map(File::from)
        };
        // A complete file that can't be named would be lost: /proc may be missing, or a rule may forbid links. The link
        // of an empty file finds out. The name is removed at once.
        super::link_temporarily(&open()?, folder).ok()?;
        open()
    }

    /// Gives the file a name that nothing has.
    pub fn link(file: &File, path: &Path) -> io::Result<()> {
        // A link of the file handle itself would need a privilege on Linux before 6.10.
        let handle = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(linkat(CWD, handle, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod unnamed {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub fn create(_: &Path) -> Option<File> {
        None
    }

    pub fn link(_: &File, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = crate::partial::names(folder).collect();
        names.sort();
        names
    }

    /// Both kinds of temporary files, where the system has both.
    fn both(folder: &Path) -> Vec<Temporary> {
        let mut both = vec![Temporary::named(folder).unwrap()];
        if cfg!(target_os = "linux") {
            both.push(Temporary::unnamed(folder).expect("a folder for temporary files with O_TMPFILE"));
        }
        both
    }

    #[test]
    fn a_file_replaces_the_target_with_all_its_contents() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        for old in [None, Some("old")] {
            for (index, mut temporary) in both(folder.path()).into_iter().enumerate() {
                let _ = fs::remove_file(&target);
                old.iter().for_each(|old| fs::write(&target, old).unwrap());
                temporary.write_all(b"new").unwrap();
                assert_eq!(fs::read(&target).ok().as_deref(), old.map(str::as_bytes), "{index}");
                temporary.persist(&target).unwrap();
                assert_eq!(fs::read(&target).unwrap(), b"new", "{index}");
            }
            assert_eq!(names(folder.path()), ["target"]);
        }
    }

    /// A reader finds the old file or the new one, whole, at every moment. Another run removes nothing meanwhile.
    #[test]
    fn a_target_is_replaced_in_one_step() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let contents = [vec![b'a'; 1 << 16], vec![b'b'; 1 << 16]];
        fs::write(&target, &contents[0]).unwrap();
        let write = || {
            for round in 0..100 {
                for mut temporary in both(folder.path()) {
                    temporary.write_all(&contents[round % 2]).unwrap();
                    let replaced = temporary.persist(&target);
                    // Windows replaces no file that somebody reads.
                    assert!(cfg!(windows) || replaced.is_ok(), "{replaced:?}");
                }
            }
        };
        std::thread::scope(|scope| {
            let writer = scope.spawn(write);
            while !writer.is_finished() {
                remove_dead(folder.path(), Whose::All);
                let found = fs::read(&target);
                assert!(cfg!(windows) || contents.contains(&found.unwrap()));
            }
        });
    }

    #[test]
    fn a_new_file_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        for mut temporary in both(folder.path()) {
            let _ = fs::remove_file(&target);
            temporary.write_all(b"first").unwrap();
            assert!(temporary.persist_new(&target).unwrap());
            for mut second in both(folder.path()) {
                second.write_all(b"second").unwrap();
                assert!(!second.persist_new(&target).unwrap());
            }
            assert_eq!(fs::read(&target).unwrap(), b"first");
            assert_eq!(names(folder.path()), ["target"]);
        }
    }

    #[test]
    fn a_file_that_is_dropped_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        drop(both(folder.path()));
        assert!(names(folder.path()).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_without_a_name_is_not_seen() {
        let folder = tempfile::tempdir().unwrap();
        let mut temporary = Temporary::create(folder.path()).unwrap();
        temporary.write_all(b"half").unwrap();
        assert!(names(folder.path()).is_empty());
    }

    /// Between its temporary name and the target's, a file is locked too.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_complete_file_is_not_taken_for_a_dead_one() {
        let folder = tempfile::tempdir().unwrap();
        let temporary = Temporary::unnamed(folder.path()).unwrap();
        let name = link_temporarily(&temporary.file, folder.path()).unwrap();
        remove_dead(folder.path(), Whose::ThisHost);
        assert_eq!(names(folder.path()).len(), 1);
        name.persist(folder.path().join("target")).unwrap();
        assert_eq!(names(folder.path()), ["target"]);
    }

    #[cfg(unix)]
    #[test]
    fn both_kinds_have_the_permissions_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |file: &File| file.metadata().unwrap().permissions().mode();
        let usual = mode(&File::create(folder.path().join("usual")).unwrap());
        both(folder.path()).iter().for_each(|temporary| assert_eq!(mode(temporary.file()), usual));
    }

    #[test]
    fn a_living_process_keeps_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let temporary = Temporary::named(folder.path()).unwrap();
        for whose in [Whose::ThisHost, Whose::All] {
            remove_dead(folder.path(), whose);
            assert_eq!(names(folder.path()).len(), 1, "{whose:?}");
        }
        let target = folder.path().join("target");
        temporary.persist(&target).unwrap();
        assert_eq!(names(folder.path()), ["target"]);
    }

    /// The folder in which a child process of the test makes a temporary file and waits to be killed.
    const CHILD: &str = "SEEDBED_TEST_TEMPORARY";

    /// The child, which ends with the test whether the test passes or not.
    struct Child(std::process::Child);

    impl Drop for Child {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_dead_process_loses_its_file() {
        if let Some(folder) = std::env::var_os(CHILD) {
            let mut temporary = Temporary::named(Path::new(&folder)).unwrap();
            temporary.write_all(b"half").unwrap();
            loop {
                std::thread::park();
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "temporary::tests::a_dead_process_loses_its_file"])
            .env(CHILD, folder.path());
        let mut child = Child(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let written = || -> u64 {
            let entries = fs::read_dir(folder.path()).unwrap().flatten();
            entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
        };
        while written() < 4 {
            assert!(child.0.try_wait().unwrap().is_none(), "the child has ended early");
            std::thread::yield_now();
        }
        remove_dead(folder.path(), Whose::ThisHost);
        let left = names(folder.path());
        assert_eq!(left.len(), 1);
        assert!(left[0].contains(&format!(".{}-", child.0.id())), "{left:?}");
        drop(child);
        assert_eq!(names(folder.path()), left);

        // What is no temporary file of this machine stays.
        let others = [".seedbed-elsewhere.1-abc.tmp", "model.tmp", ".seedbed-.safetensors"];
        others.iter().for_each(|name| fs::write(folder.path().join(name), "other").unwrap());
        remove_dead(folder.path(), Whose::ThisHost);
        let mut all = others.to_vec();
        all.sort_unstable();
        assert_eq!(names(folder.path()), all);
        remove_dead(folder.path(), Whose::All);
        assert_eq!(names(folder.path()), [".seedbed-.safetensors", "model.tmp"]);
    }
}
