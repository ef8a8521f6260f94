//! Writes to files, for the audit log: the shard's thread must not block on a disk.
//!
//! The kernel finishes a write at once where it can and else on a thread of its own; the order of writes in
//! flight is not defined, so one who cares waits for each.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use io_uring::opcode;
use io_uring::types::{Fd, FsyncFlags};

use super::Ring;
use super::event::Event;
use super::queue::Kind;
use super::table::Table;

/// Bytes of one write that the kernel accepts at most (`MAX_RW_COUNT`).
const WRITE_MAX: usize = 0x7fff_f000;

/// A write or sync in flight, with all that it uses.
pub(super) struct FileOperation {
    /// Held so that the descriptor stays what it was.
    _file: Rc<File>,
    buffer: Vec<u8>,
    token: u64,
}

pub(super) type FileOperations = Table<FileOperation>;

impl Ring {
    /// Writes a buffer at an offset in bytes (`u64::MAX`: at the file's own position, or its end if it was
    /// opened for appending); [`Event::Written`] brings the buffer back.
    pub fn write_file(&mut self, file: &Rc<File>, buffer: Vec<u8>, offset: u64, token: u64) {
        let fd = Fd(file.as_raw_fd());
        let pointer = buffer.as_ptr();
        let len = u32::try_from(buffer.len().min(WRITE_MAX)).unwrap_or(0);
        let id = self.files.insert(FileOperation { _file: Rc::clone(file), buffer, token });
        let entry = opcode::Write::new(fd, pointer, len).offset(offset).build().user_data(Kind::Write.tag(id.index));
        // SAFETY: the buffer's heap memory is kept, unchanged, in the table until the completion was seen.
        unsafe { self.queue.push(entry) };
    }

    /// Brings the data of a file to disk (`fdatasync(2)`); [`Event::Synced`] tells when it is there. Covers
    /// the writes whose [`Event::Written`] came before this call.
    pub fn sync_file(&mut self, file: &Rc<File>, token: u64) {
        let fd = Fd(file.as_raw_fd());
        let id = self.files.insert(FileOperation { _file: Rc::clone(file), buffer: Vec::new(), token });
        let entry = opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build().user_data(Kind::Sync.tag(id.index));
        // SAFETY: the entry names no memory; the table keeps the file open.
        unsafe { self.queue.push(entry) };
    }

    pub(super) fn file_completed(&mut self, kind: Kind, index: u32, result: i32, events: &mut Vec<Event>) {
        let Some((id, _)) = self.files.at(index) else { return };
        self.files.retire(id);
        let Some(FileOperation { buffer, token, .. }) = self.files.remove(index) else { return };
        let result = usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
        events.push(match kind {
            Kind::Sync => Event::Synced { token, result: result.map(drop) },
            _ => Event::Written { token, buffer, result },
        });
    }
}
