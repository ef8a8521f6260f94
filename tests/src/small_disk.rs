//! A small disk of memory, to be filled: what a full one does to whoever writes there.

use crate::{gateway, program};
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

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).output();
        if !unmounted.is_ok_and(|output| output.status.success()) {
            let _ = Command::new("sudo").args(["-n", "umount", "-l"]).arg(&self.0).output();
        }
        let _ = fs::remove_dir(&self.0);
    }
}
