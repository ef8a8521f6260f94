//! Whether this machine lets us have the ring that we need, and if not, what to change.
//!
//! Looks at `/proc` and tries to set up a ring; changes nothing. The decision is a function of plain values
//! and tested as such.

use std::fs;

use super::queue;

/// The oldest kernel with `IORING_SETUP_DEFER_TASKRUN`.
const KERNEL_FLOOR: (u32, u32) = (6, 1);

/// Why the gateway cannot run here; each in one sentence that says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostProblem {
    /// `kernel.io_uring_disabled` is 2, or 1 for an unprivileged process.
    #[error(
        "io_uring is switched off on this machine: run `sysctl kernel.io_uring_disabled=0` (it is {value}{})",
        if *.value == 1 { ", so putting this user into the group named by kernel.io_uring_group works too" } else { "" }
    )]
    Disabled {
        /// What the setting is.
        value: u8,
    },
    /// Setting up a ring failed for another reason.
    #[error("io_uring cannot be set up (error {errno} of io_uring_setup(2)): fix what the kernel complains of")]
    Failed {
        /// The kernel's error number.
        errno: i32,
    },
    /// The kernel is older than 6.1.
    #[error("the kernel is {release}, and io_uring as used here needs Linux 6.1: boot a newer kernel")]
    Kernel {
        /// As `uname -r` prints it.
        release: String,
    },
    /// `RLIMIT_MEMLOCK` is too small.
    #[error(
        "the limit on locked memory is {limit} bytes and {needed} are needed: raise it with `ulimit -l {}`, \
         LimitMEMLOCK= in a systemd unit, or --ulimit memlock={needed} for a container",
        .needed.div_ceil(1024)
    )]
    Memlock {
        /// The soft limit in bytes.
        limit: u64,
        /// What is needed in bytes.
        needed: u64,
    },
    /// The kernel was built without `io_uring`.
    #[error("this kernel was built without io_uring: boot one with CONFIG_IO_URING=y")]
    Missing,
    /// A filter of system calls refuses it.
    #[error(
        "a seccomp filter forbids io_uring, as docker's default profile does: allow io_uring_setup, \
         io_uring_enter and io_uring_register in the profile (--security-opt seccomp=profile.json)"
    )]
    Seccomp,
}

/// What was seen on a machine.
struct Host<'a> {
    /// Kernel release, if it could be read.
    release: Option<&'a str>,
    /// `/proc/sys/kernel/io_uring_disabled`, which exists since Linux 6.6.
    disabled: Option<u8>,
    /// Error number of setting up a ring.
    setup: Result<(), i32>,
    /// Soft limit on locked memory in bytes; `None` if unlimited or unknown.
    memlock: Option<u64>,
}

/// Checks kernel, settings and limits of this machine.
///
/// `needed_memlock_bytes` is what the process is going to lock.
///
/// # Errors
/// The first problem found, with what to change.
pub fn check_host(needed_memlock_bytes: u64) -> Result<(), HostProblem> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let host = Host {
        release: release.as_deref().map(str::trim),
        disabled: disabled.and_then(|text| text.trim().parse().ok()),
        setup: queue::build(2, 0).map(drop).map_err(|error| error.raw_os_error().unwrap_or(libc::EIO)),
        memlock: memlock(&limits),
    };
    judge(&host, needed_memlock_bytes)
}

fn judge(host: &Host<'_>, needed: u64) -> Result<(), HostProblem> {
    if let Some(release) = host.release
        && version(release).is_some_and(|version| version < KERNEL_FLOOR)
    {
        return Err(HostProblem::Kernel { release: release.to_owned() });
    }
    // A value of 1 spares privileged processes, so the attempt decides and the setting explains.
    match (host.setup, host.disabled) {
        (Ok(()), _) => {}
        (Err(libc::EPERM | libc::EACCES), Some(value @ 1..)) => return Err(HostProblem::Disabled { value }),
        (Err(libc::EPERM | libc::EACCES), _) => return Err(HostProblem::Seccomp),
        (Err(libc::ENOSYS), _) => return Err(HostProblem::Missing),
        // Before memory was accounted to the control group, the rings themselves were locked memory.
        (Err(libc::ENOMEM), _) if host.memlock.is_some_and(|limit| limit < needed) => {}
        (Err(errno), _) => return Err(HostProblem::Failed { errno }),
    }
    match host.memlock {
        Some(limit) if limit < needed => Err(HostProblem::Memlock { limit, needed }),
        _ => Ok(()),
    }
}

/// Major and minor version of a release such as `6.1.0-18-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|symbol: char| !symbol.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The soft limit in `/proc/self/limits`; `None` if unlimited or not there.
fn memlock(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Host<'_> =
        Host { release: Some("6.1.0-18-amd64"), disabled: Some(0), setup: Ok(()), memlock: Some(8 << 20) };

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(version("6.18.44-fc-v595"), Some((6, 18)));
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("6.2-rc1"), Some((6, 2)));
        assert_eq!(version("5.15.0"), Some((5, 15)));
        assert_eq!(version("strange"), None);
        assert!(version("6.10.1") > Some(KERNEL_FLOOR));
    }

    #[test]
    fn the_limit_on_locked_memory_is_read() {
        let text = "Max open files            1024     4096     files\n\
                    Max locked memory         8388608  8388608  bytes\n";
        assert_eq!(memlock(text), Some(8_388_608));
        assert_eq!(memlock("Max locked memory         unlimited  unlimited  bytes\n"), None);
        assert_eq!(memlock(""), None);
    }

    #[test]
    fn a_good_host_passes() {
        assert_eq!(judge(&GOOD, 1 << 20), Ok(()));
        assert_eq!(judge(&Host { release: None, disabled: None, memlock: None, ..GOOD }, 1 << 20), Ok(()));
        // Privileged, so a setting of 1 does not matter.
        assert_eq!(judge(&Host { disabled: Some(1), ..GOOD }, 1 << 20), Ok(()));
    }

    #[test]
    fn each_problem_is_told_from_the_others() {
        let old = Host { release: Some("5.15.0-91-generic"), setup: Err(libc::EINVAL), ..GOOD };
        assert_eq!(judge(&old, 0), Err(HostProblem::Kernel { release: "5.15.0-91-generic".into() }));
        let refused = |disabled| Host { disabled, setup: Err(libc::EPERM), ..GOOD };
        assert_eq!(judge(&refused(Some(2)), 0), Err(HostProblem::Disabled { value: 2 }));
        assert_eq!(judge(&refused(Some(1)), 0), Err(HostProblem::Disabled { value: 1 }));
        assert_eq!(judge(&refused(Some(0)), 0), Err(HostProblem::Seccomp));
        assert_eq!(judge(&refused(None), 0), Err(HostProblem::Seccomp));
        assert_eq!(judge(&Host { setup: Err(libc::ENOSYS), ..GOOD }, 0), Err(HostProblem::Missing));
        let small = HostProblem::Memlock { limit: 8 << 20, needed: 9 << 20 };
        assert_eq!(judge(&GOOD, 9 << 20), Err(small.clone()));
        assert_eq!(judge(&Host { setup: Err(libc::ENOMEM), ..GOOD }, 9 << 20), Err(small));
        assert_eq!(
            judge(&Host { setup: Err(libc::ENOMEM), ..GOOD }, 0),
            Err(HostProblem::Failed { errno: libc::ENOMEM })
        );
    }

    #[test]
    fn each_problem_is_one_sentence_that_says_what_to_change() {
        for (problem, remedy) in [
            (HostProblem::Disabled { value: 2 }, "sysctl kernel.io_uring_disabled=0"),
            (HostProblem::Disabled { value: 1 }, "kernel.io_uring_group"),
            (HostProblem::Kernel { release: "5.15".into() }, "boot a newer kernel"),
            (HostProblem::Memlock { limit: 65_536, needed: 524_288 }, "ulimit -l 512"),
            (HostProblem::Missing, "CONFIG_IO_URING"),
            (HostProblem::Seccomp, "docker's default profile"),
        ] {
            let text = problem.to_string();
            assert!(text.contains(remedy) && !text.contains('\n') && !text.contains(". "), "{text}");
        }
    }

    #[test]
    fn this_machine_passes() {
        assert_eq!(check_host(0), Ok(()));
    }
}
