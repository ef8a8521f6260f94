//! A small disk of memory, to be filled: what a full one does to whoever writes there.

use crate::gateway::{self, Gateway, Setup};
use crate::program;
use crate::servers::Server;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// A folder on a disk of its own; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk(pub PathBuf);

impl SmallDisk {
    /// Mounts one of 64 MiB.
    ///
    /// # Errors
    /// Where this user may not, not even by sudo without a password.
    ///
    /// # Panics
    /// When there is no place for a folder.
    pub fn mount() -> Result<Self, String> {
        let dir = gateway::private_dir();
        let mut refused = String::new();
        for by in [&["mount"][..], &["sudo", "-n", "mount"]] {
            let mut mount = Command::new(by[0]);
            mount.args(&by[1..]).args(["-t", "tmpfs", "-o", "size=64m,mode=1777", "tmpfs"]).arg(&dir);
            if Command::new(by[0]).arg("--version").output().is_err() {
                continue;
            }
            let mounted = program::run(&mut mount, Duration::from_secs(10));
            if mounted.status == Some(0) {
                return Ok(Self(dir));
            }
            refused.push_str(mounted.stderr.trim());
        }
        let _ = fs::remove_dir(&dir);
        Err(format!("cannot mount a disk: {refused}"))
    }

    /// A gateway whose audit log lies here.
    #[must_use]
    pub fn gateway_before(&self, server: &Server, on_failure: &str) -> Gateway {
        let setup = Setup::before(server).audit_path(&self.0.join("audit"));
        setup.audit_lines(&format!("on_failure = \"{on_failure}\"")).start()
    }

    /// Takes all room that is left. What fails is the last write, and what came before it stays.
    ///
    /// # Panics
    /// When nothing can be created there.
    pub fn fill(&self) {
        let mut filler = fs::File::create(self.0.join("filler")).expect("create");
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    /// Gives the room back.
    ///
    /// # Panics
    /// When it was not taken.
    pub fn free(&self) {
        fs::remove_file(self.0.join("filler")).expect("remove");
    }
}

/// A statement whose record takes all that the log keeps of a text; it gives 16384.
#[must_use]
pub fn long_statement() -> String {
    format!("SELECT length('{}')", "x".repeat(16 << 10))
}

/// Checks that each of so many long statements is recorded, or counted as missing.
///
/// # Panics
/// When some are neither, or fewer than a hundred are missing.
pub fn assert_all_counted(gateway: &Gateway, statements: usize) {
    let gap = gateway.record("what is missing", |record| record["event"] == "gap");
    assert!(gap["dropped"].as_u64().is_some_and(|dropped| dropped > 100), "{gap}");
    let kept = gateway.records().iter().filter(|record| record["statement_cut"] == true).count();
    let dropped = gap["dropped"].as_u64().and_then(|dropped| usize::try_from(dropped).ok());
    assert_eq!(dropped.map(|dropped| dropped + kept), Some(statements), "each is recorded or counted as missing");
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).output();
        if !unmounted.is_ok_and(|output| output.status.success()) {
            let _ = Command::new("sudo").args(["-n", "umount", "-l"]).arg(&self.0).output();
        }
        let _ = fs::remove_dir(&self.0);
    }
}
