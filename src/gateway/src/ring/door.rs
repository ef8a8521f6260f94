//! The two system calls that the `io-uring` crate does not offer in the form needed.
//!
//! Its `Submitter` forgets a registered ring descriptor when it is dropped and borrows the ring while it
//! lives; and it leaves `GETEVENTS` out when nothing is waited for, without which deferred work does not
//! run. Must never be used from another thread than the ring's own.

use std::io;
use std::os::fd::RawFd;
use std::ptr;

use io_uring::types::{SubmitArgs, Timespec};

use super::event::Gather;

/// `IORING_REGISTER_RING_FDS` of `io_uring_register(2)`.
const REGISTER_RING_FDS: libc::c_uint = 20;
/// `IORING_UNREGISTER_RING_FDS`.
const UNREGISTER_RING_FDS: libc::c_uint = 21;

/// The kernel's `struct io_uring_rsrc_update`.
#[repr(C)]
struct ResourceUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

/// How the kernel is entered: by the ring's descriptor, or by its index in a table of this thread, which
/// saves the look-up and the reference count of a descriptor on every call.
pub(super) struct Door {
    ring: RawFd,
    registered: Option<u32>,
}

impl Door {
    /// Registers the descriptor where the kernel can (5.18, and at most 16 of a thread).
    pub(super) fn new(ring: RawFd) -> Self {
        let mut update =
            ResourceUpdate { offset: u32::MAX, reserved: 0, data: u64::try_from(ring).unwrap_or_default() };
        let registered = register(ring, REGISTER_RING_FDS, &mut update).ok().map(|()| update.offset);
        Self { ring, registered }
    }

    /// Undoes the registration. The kernel keeps the ring alive as long as it stands.
    pub(super) fn unregister(&mut self) {
        if let Some(offset) = self.registered.take() {
            let mut update = ResourceUpdate { offset, reserved: 0, data: 0 };
            let result = register(self.ring, UNREGISTER_RING_FDS, &mut update);
            debug_assert!(result.is_ok(), "{result:?}");
        }
    }

    /// Submits up to `submit` entries; with `events`, runs deferred work and waits for `want`, for at most
    /// `timeout`. Gives how many entries the kernel took.
    pub(super) fn enter(&self, submit: u32, want: Gather, events: bool, timeout: Option<&Timespec>) -> io::Result<u32> {
        use io_uring::EnterFlags;
        let mut flags = if events { EnterFlags::GETEVENTS } else { EnterFlags::empty() };
        let index = match self.registered {
            Some(index) => {
                flags |= EnterFlags::REGISTERED_RING;
                libc::c_long::from(index)
            }
            None => libc::c_long::from(self.ring),
        };
        let gathered = (want.micros > 0).then(|| SubmitArgs::new().min_wait_usec(want.micros));
        let arguments = match timeout {
            Some(timeout) => Some(gathered.unwrap_or_default().timespec(timeout)),
            None => gathered,
        };
        let (address, bytes) = match &arguments {
            Some(arguments) => {
                flags |= EnterFlags::EXT_ARG;
                (ptr::from_ref(arguments).cast::<libc::c_void>(), size_of_val(arguments))
            }
            None => (ptr::null(), 0),
        };
        // SAFETY: the arguments are those of `io_uring_enter(2)`; `address` is null or points to a
        // `struct io_uring_getevents_arg` (which `SubmitArgs` is, transparently) of `bytes` bytes that, like
        // the timeout it names, lives until the call returns. What queued entries name is the promise of
        // those who pushed them.
        let result = unsafe {
            libc::syscall(libc::SYS_io_uring_enter, index, submit, want.events, flags.bits(), address, bytes)
        };
        u32::try_from(result).map_err(|_| io::Error::last_os_error())
    }
}

fn register(ring: RawFd, operation: libc::c_uint, update: &mut ResourceUpdate) -> io::Result<()> {
    // SAFETY: both operations take an array of `struct io_uring_rsrc_update`, here one, which the kernel
    // reads and writes during the call.
    let result = unsafe { libc::syscall(libc::SYS_io_uring_register, ring, operation, ptr::from_mut(update), 1) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
