//! Names of the log's files, and opening them.
//!
//! The one place of this crate that does IO, all of it blocking: [`open_directory`] at start, [`create`] at a
//! rotation. Files are only ever appended to; none is truncated, renamed or removed here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// The file to which a shard appends.
#[derive(Debug)]
pub struct Opened {
    /// Opened for appending; the lock on it is held until it is closed.
    pub file: File,
    /// Its number in the shard's series.
    pub sequence: u64,
    /// Bytes in it.
    pub len: u64,
}

/// The name of a file: `audit-0-000001.jsonl`.
#[must_use]
pub fn file_name(shard: usize, sequence: u64) -> String {
    format!("audit-{shard}-{sequence:06}.jsonl")
}

/// Shard and sequence of a file's name, if it is one of ours.
#[must_use]
pub fn parse_file_name(name: &str) -> Option<(usize, u64)> {
    let (shard, sequence) = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?.split_once('-')?;
    let (shard, sequence) = (shard.parse().ok()?, sequence.parse().ok()?);
    // Only the spelling that we write: `audit-+1-7.jsonl` is somebody else's.
    (file_name(shard, sequence) == name).then_some((shard, sequence))
}

/// Opens the newest file of a shard for appending, or its first; creates the directory (mode 0700) where it is
/// missing.
///
/// The next file of the series is begun in place of the newest one where that ends in the middle of a line (the
/// process or the disk died while writing), or another process writes to it.
///
/// # Errors
///
/// Whatever the system says about the directory or the file.
pub fn open_directory(directory: &Path, shard: usize) -> io::Result<Opened> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let newest = newest_sequence(directory, shard)?;
    if let Some(sequence) = newest
        && let Some(opened) = reopen(&directory.join(file_name(shard, sequence)), sequence)?
    {
        return Ok(opened);
    }
    let mut sequence = newest.map_or(1, |sequence| sequence.saturating_add(1));
    loop {
        match create(directory, shard, sequence) {
            Ok(file) => return Ok(Opened { file, sequence, len: 0 }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => sequence = sequence.saturating_add(1),
            Err(error) => return Err(error),
        }
    }
}

/// Creates one file of a series, readable by its owner only.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] where there is one already, and whatever else the system says.
pub fn create(directory: &Path, shard: usize, sequence: u64) -> io::Result<File> {
    let path = directory.join(file_name(shard, sequence));
    let file = OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(path)?;
    // Nobody else can hold a file that did not exist; where the file system has no locks, there are none.
    drop(file.try_lock());
    Ok(file)
}

fn newest_sequence(directory: &Path, shard: usize) -> io::Result<Option<u64>> {
    let mut newest = None;
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if let Some((of_shard, sequence)) = name.to_str().and_then(parse_file_name)
            && of_shard == shard
        {
            newest = newest.max(Some(sequence));
        }
    }
    Ok(newest)
}

/// Opens an existing file unless it must not be appended to.
fn reopen(path: &Path, sequence: u64) -> io::Result<Option<Opened>> {
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    if let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
        return Ok(None);
    }
    let len = file.metadata()?.len();
    if len > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            return Ok(None);
        }
    }
    Ok(Some(Opened { file, sequence, len }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    fn scratch(test: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("wiregate-audit-{}-{test}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        path
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        assert_eq!(file_name(3, 42), "audit-3-000042.jsonl");
        assert_eq!(parse_file_name("audit-3-000042.jsonl"), Some((3, 42)));
        assert_eq!(parse_file_name("audit-3-1234567.jsonl"), Some((3, 1_234_567)));
        for other in ["audit-3-42.jsonl", "audit-+3-000042.jsonl", "audit-3-000042.jsonl.gz", "audit-000042.jsonl"] {
            assert_eq!(parse_file_name(other), None, "{other}");
        }
    }

    #[test]
    fn a_second_start_appends_to_the_newest_file_of_its_shard() {
        let directory = scratch("append");
        let mut first = open_directory(&directory, 0).unwrap();
        assert_eq!((first.sequence, first.len), (1, 0));
        first.file.write_all(b"{}\n").unwrap();
        drop(first);
        drop(create(&directory, 1, 9).unwrap());
        let mut second = open_directory(&directory, 0).unwrap();
        assert_eq!((second.sequence, second.len), (1, 3));
        second.file.write_all(b"[]\n").unwrap();
        assert_eq!(fs::read(directory.join("audit-0-000001.jsonl")).unwrap(), b"{}\n[]\n");
        let mode = fs::metadata(directory.join("audit-0-000001.jsonl")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_torn_line_is_left_alone() {
        let directory = scratch("torn");
        let mut first = open_directory(&directory, 0).unwrap();
        first.file.write_all(b"{}\n{\"ev").unwrap();
        drop(first);
        let second = open_directory(&directory, 0).unwrap();
        assert_eq!((second.sequence, second.len), (2, 0));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn two_processes_never_share_a_file() {
        let directory = scratch("locked");
        let first = open_directory(&directory, 0).unwrap();
        let second = open_directory(&directory, 0).unwrap();
        assert_eq!((first.sequence, second.sequence), (1, 2));
        fs::remove_dir_all(directory).unwrap();
    }
}
