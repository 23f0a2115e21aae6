//! Writing files so that nobody loses one.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf, Prefix};

use tempfile::NamedTempFile;

/// Replaces a file whole, or leaves the old one: written under a temporary name beside it, synced,
/// renamed. Through a link, the file behind it is replaced. What is no regular file, such as a pipe
/// or `/dev/stdout`, is written to as it is.
///
/// # Errors
///
/// What the system reports.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_file_keeping(path, bytes, None)
}

/// Replaces a file as [`replace_file`] does, but keeps the old one under another name in the same folder, if there is
/// an old one. At every moment one of the two names has a whole file.
///
/// # Errors
///
/// What the system reports.
pub fn replace_file_keeping(path: &Path, bytes: &[u8], previous: Option<&Path>) -> io::Result<()> {
    let path = behind_links(path);
    if is_special(&path) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let mut file = temporary_beside(&path)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    if let Some(previous) = previous
        && path.exists()
    {
        std::fs::rename(&path, previous)?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// A file that is written part by part, and takes its name when it is whole. Dropped before, it leaves nothing, and an
/// older file stays.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    written: Written,
}

/// Where the bytes go.
#[derive(Debug)]
enum Written {
    Temporary(NamedTempFile),
    /// A pipe or the like, written to as it is.
    Special(File),
}

impl Replacement {
    /// Begins a file that is to stand at `path`, by the rules of [`replace_file`].
    ///
    /// # Errors
    ///
    /// What the system reports.
    pub fn begin(path: &Path) -> io::Result<Replacement> {
        let path = behind_links(path);
        let written = match is_special(&path) {
            true => Written::Special(OpenOptions::new().write(true).open(&path)?),
            false => Written::Temporary(temporary_beside(&path)?),
        };
        Ok(Replacement { path, written })
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    ///
    /// What the system reports.
    pub fn finish(self) -> io::Result<()> {
        match self.written {
            Written::Special(mut file) => file.flush(),
            Written::Temporary(file) => {
                file.as_file().sync_all()?;
                file.persist(self.path).map_err(|error| error.error)?;
                Ok(())
            }
        }
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.written {
            Written::Temporary(file) => file.write(bytes),
            Written::Special(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.written {
            Written::Temporary(file) => file.flush(),
            Written::Special(file) => file.flush(),
        }
    }
}

/// Whether [`replace_file`] would succeed now, without touching the file.
///
/// # Errors
///
/// What the system reports.
pub fn check_writable(path: &Path) -> io::Result<()> {
    let path = behind_links(path);
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if is_special(&path) { Ok(()) } else { temporary_beside(&path).map(drop) }
}

fn behind_links(path: &Path) -> PathBuf {
    let behind = if is_windows_device(path) { None } else { path.canonicalize().ok() };
    behind.unwrap_or_else(|| path.to_owned())
}

/// Whether there is something that is neither a file nor a folder.
fn is_special(path: &Path) -> bool {
    is_windows_device(path) || path.exists() && !path.is_file() && !path.is_dir()
}

/// Whether it is `NUL` or another device of Windows, whose path and kind cannot be asked for.
fn is_windows_device(path: &Path) -> bool {
    let absolute = std::path::absolute(path).unwrap_or_default();
    let first = absolute.components().next();
    matches!(first, Some(Component::Prefix(prefix)) if matches!(prefix.kind(), Prefix::DeviceNS(_)))
}

fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let message = format!("there is no folder `{}`", folder.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    let mut builder = tempfile::Builder::new();
    // As open to others as the user's files are; a temporary file would be private.
    #[cfg(unix)]
    builder.permissions(<std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
    builder.prefix(".nngpu-").suffix(".tmp").tempfile_in(folder)
}
