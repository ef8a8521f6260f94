//! Whether watched files have changed: the config file, and the certificates, keys and secrets that it names.
//!
//! By polling, because a poll sees every way in which editors, deployment tools and container volumes replace a
//! file. A change counts when two looks in a row saw the same: a file that is still being written must not be
//! taken for a shorter one.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::limits::CONFIG_BYTES;

/// What a look at one file sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    modified_s: i64,
    modified_ns: i64,
    /// Of the content; a file that was only touched has the same.
    content: u64,
}

impl Stamp {
    /// Looks at a file. `before` saves reading one that stands as it did. `None`: it cannot be read.
    fn of(path: &Path, before: Option<&Self>) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        let mut stamp = Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            modified_s: metadata.mtime(),
            modified_ns: metadata.mtime_nsec(),
            content: 0,
        };
        if let Some(before) = before {
            stamp.content = before.content;
            if stamp == *before {
                return Some(stamp);
            }
        }
        let mut content = Vec::new();
        std::fs::File::open(path).ok()?.take(CONFIG_BYTES).read_to_end(&mut content).ok()?;
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        stamp.content = hasher.finish();
        Some(stamp)
    }
}

/// A set of files that is looked at again and again.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    files: Vec<(PathBuf, Option<Stamp>)>,
    settling: Settling,
}

/// When a change counts: told what each look saw, as one number for all contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Settling {
    loaded: u64,
    seen: u64,
}

impl Settling {
    /// Whether this look and the one before saw the same, and something else than what is loaded.
    fn look(&mut self, content: u64) -> bool {
        let settled = content == self.seen && content != self.loaded;
        self.seen = content;
        if settled {
            self.loaded = content;
        }
        settled
    }
}

impl Watch {
    /// Watches these files from now on, as they stand.
    pub(crate) fn set(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        self.files = paths.into_iter().map(|path| (path, None)).collect();
        let content = self.content();
        self.settling = Settling { loaded: content, seen: content };
    }

    /// Looks once. Returns whether the files have changed since they were last loaded, and rest.
    pub(crate) fn changed(&mut self) -> bool {
        let content = self.content();
        self.settling.look(content)
    }

    fn content(&mut self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (path, stamp) in &mut self.files {
            *stamp = Stamp::of(path, stamp.as_ref());
            stamp.map(|stamp| stamp.content).hash(&mut hasher);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_when_it_has_come_to_rest_and_once() {
        let mut settling = Settling { loaded: 1, seen: 1 };
        let looks = [1, 2, 3, 3, 3, 1, 1, 2, 1, 1];
        let counted = looks.map(|content| settling.look(content));
        assert_eq!(counted, [false, false, false, true, false, false, true, false, false, false]);
    }

    #[test]
    fn a_replaced_file_is_seen_and_a_touched_one_is_not() {
        let path = std::env::temp_dir().join(format!("wiregate-watch-{}", std::process::id()));
        std::fs::write(&path, "a").unwrap();
        let mut watch = Watch::default();
        watch.set([path.clone(), PathBuf::from("/nonexistent")]);
        assert!(!watch.changed());
        std::fs::write(&path, "a").unwrap();
        assert!(!watch.changed() && !watch.changed());
        let other = path.with_extension("new");
        std::fs::write(&other, "b").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(!watch.changed());
        assert!(watch.changed());
        assert!(!watch.changed());
        std::fs::remove_file(&path).unwrap();
        assert!(!watch.changed());
        assert!(watch.changed(), "a file that is gone is a change, which loading then reports");
    }
}
