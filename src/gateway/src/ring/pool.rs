//! Receive buffers: memory that the kernel picks from when bytes arrive, and the handle to what it filled.
//!
//! The buffers are offered through a provided buffer ring (`IORING_REGISTER_PBUF_RING`, man page
//! `io_uring_register_buf_ring(3)`). The kernel takes a buffer at its head, a completion names it, a
//! [`Chunk`] owns it, and the chunk's drop puts it on a stack of spare ones. Once a turn, buffers go from
//! the stack to the ring's tail, but only until the ring has as many as a turn is likely to need: the ring
//! hands out the one that was back for longest, so with all of them in it each byte would be received into
//! memory that left the cache long ago. A relay of a bulk stream took 0.55 s of processor time for each
//! gigabyte with 1024 buffers of 64 KiB in the ring, and 0.34 s with 32.
//!
//! A buffer that is in the ring must never be read or written here; one that a chunk holds is not in the
//! ring, so the kernel cannot touch it.

use std::cell::{Cell, RefCell};
use std::ops::{Deref, DerefMut};
use std::ptr::{NonNull, addr_of_mut};
use std::rc::Rc;
use std::sync::atomic::{AtomicU16, Ordering};

use super::RingConfig;
use super::event::RingError;
use super::mapping::Mapping;

/// The group under which the buffers are registered; a ring has only this one.
pub(super) const BUFFER_GROUP: u16 = 0;

/// Buffers the kernel accepts in one ring.
const BUFFERS_MAX: u16 = 32_768;

const _: () = assert!((1_u64 << 28) * (super::receive::BURST as u64) <= u32::MAX as u64);

/// The kernel's `struct io_uring_buf`. In entry 0, `tail` is the tail of the whole ring; in the others it
/// is reserved and never touched.
#[repr(C)]
struct BufferEntry {
    address: u64,
    bytes: u32,
    buffer: u16,
    tail: u16,
}

/// All receive buffers of a ring. Outlives the ring while chunks do.
pub(super) struct Pool {
    memory: Mapping,
    entries: Mapping,
    buffers: u16,
    buffer_bytes: u32,
    /// From one buffer to the next.
    stride: usize,
    /// Where the next buffer goes; ahead of the shared tail until published.
    tail: Cell<u16>,
    /// Buffers in the ring.
    offered: Cell<u16>,
    /// Buffers neither in the ring nor in a chunk; the one used last is on top.
    spare: RefCell<Vec<u16>>,
}

impl Pool {
    /// Maps the memory; the ring is empty until [`offer`](Self::offer).
    pub(super) fn new(config: &RingConfig) -> Result<Rc<Self>, RingError> {
        if !config.buffers.is_power_of_two() || config.buffers > BUFFERS_MAX {
            return Err(RingError::Config("`buffers` must be a power of two and at most 32768"));
        }
        if !(64..=1 << 28).contains(&config.buffer_bytes) {
            return Err(RingError::Config("`buffer_bytes` must be between 64 and 256 MiB"));
        }
        let bytes =
            usize::try_from(config.buffer_bytes).map_err(|_| RingError::Config("`buffer_bytes` is too large"))?;
        // Buffers are powers of two, and at such distances the first lines of all buffers fall into the
        // same few cache sets; small messages touch nothing else. Five odd lines between them spread it.
        let stride = bytes.next_multiple_of(64) + 5 * 64;
        let total = stride * usize::from(config.buffers);
        let entries_bytes = size_of::<BufferEntry>() * usize::from(config.buffers);
        let map = |bytes| Mapping::new(bytes).map_err(|source| RingError::Memory { bytes, source });
        let pool = Self {
            memory: map(total)?,
            entries: map(entries_bytes)?,
            buffers: config.buffers,
            buffer_bytes: config.buffer_bytes,
            stride,
            tail: Cell::new(0),
            offered: Cell::new(0),
            spare: RefCell::new((0..config.buffers).rev().collect()),
        };
        Ok(Rc::new(pool))
    }

    /// Where the kernel finds the buffer ring.
    pub(super) fn ring_address(&self) -> u64 {
        u64::try_from(self.entries.start().as_ptr().addr()).unwrap_or(u64::MAX)
    }

    pub(super) fn total(&self) -> u16 {
        self.buffers
    }

    pub(super) fn buffer_bytes(&self) -> u32 {
        self.buffer_bytes
    }

    /// Buffers that no chunk holds.
    pub(super) fn free(&self) -> u16 {
        self.offered.get() + u16::try_from(self.spare.borrow().len()).unwrap_or(0)
    }

    /// Buffers that the kernel can take now.
    pub(super) fn offered(&self) -> u16 {
        self.offered.get()
    }

    /// Takes over the buffer that a completion named. `None` if the kernel named one that does not exist.
    ///
    /// # Safety
    /// `buffer` was named by a completion of this pool's ring, and this is called once for it.
    pub(super) unsafe fn take(pool: &Rc<Self>, buffer: u16, len: u32) -> Option<Chunk> {
        if buffer >= pool.buffers || len > pool.buffer_bytes {
            debug_assert!(false, "the kernel named buffer {buffer} with {len} bytes");
            return None;
        }
        pool.offered.set(pool.offered.get().saturating_sub(1));
        Some(Chunk { len: usize::try_from(len).unwrap_or(0), pool: Rc::clone(pool), buffer })
    }

    /// Fills the ring up to `window` buffers, as far as there are any.
    pub(super) fn offer(&self, window: usize) {
        let mut spare = self.spare.borrow_mut();
        let before = self.tail.get();
        while usize::from(self.offered.get()) < window
            && let Some(buffer) = spare.pop()
        {
            self.put(buffer);
            self.offered.set(self.offered.get() + 1);
        }
        let tail = self.tail.get();
        if tail == before {
            return;
        }
        let entry: *mut BufferEntry = self.entries.start().as_ptr().cast();
        // SAFETY: entry 0 exists and is aligned; its `tail` is only ever accessed atomically, here and by
        // the kernel. Release: the entries below the tail are written before the kernel can see it.
        let shared = unsafe { AtomicU16::from_ptr(addr_of_mut!((*entry).tail)) };
        shared.store(tail, Ordering::Release);
    }

    fn start_of(&self, buffer: u16) -> NonNull<u8> {
        // SAFETY: `buffer` is below `buffers` (checked in `take`, given in `new`), so the offset lies within
        // the mapping, which has `stride * buffers` bytes.
        unsafe { self.memory.start().add(self.stride * usize::from(buffer)) }
    }

    /// Writes a buffer at the tail, not yet visible to the kernel.
    fn put(&self, buffer: u16) {
        let tail = self.tail.get();
        let position = usize::from(tail & (self.buffers - 1));
        let address = u64::try_from(self.start_of(buffer).as_ptr().addr()).unwrap_or(u64::MAX);
        // SAFETY: the position is below `buffers`, so the entry lies within the mapping. The kernel does not
        // read it: it lies at or past the published tail, and since each buffer is in one place the ring
        // cannot be so full that this is an entry not yet taken. The shared tail, which lies in entry 0's
        // last field, is not written.
        unsafe {
            let entry = self.entries.start().as_ptr().cast::<BufferEntry>().add(position);
            addr_of_mut!((*entry).address).write(address);
            addr_of_mut!((*entry).bytes).write(self.buffer_bytes);
            addr_of_mut!((*entry).buffer).write(buffer);
        }
        self.tail.set(tail.wrapping_add(1));
    }

    fn give_back(&self, buffer: u16) {
        // Room for every buffer was made at the start.
        self.spare.borrow_mut().push(buffer);
    }
}

/// Received bytes, where the kernel put them. Dropping it gives the buffer back to the ring.
pub struct Chunk {
    pool: Rc<Pool>,
    buffer: u16,
    len: usize,
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `len` is at most the buffer's size; the mapping is zeroed, so every byte is initialised;
        // the kernel and other chunks have no access to this buffer while the chunk lives.
        unsafe { std::slice::from_raw_parts(self.pool.start_of(self.buffer).as_ptr(), self.len) }
    }
}

impl DerefMut for Chunk {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; a chunk is not `Clone`, so `&mut self` is the only way to these bytes.
        unsafe { std::slice::from_raw_parts_mut(self.pool.start_of(self.buffer).as_ptr(), self.len) }
    }
}

impl core::fmt::Debug for Chunk {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Never the bytes: they are somebody's data, and debug output ends in logs.
        formatter.debug_struct("Chunk").field("buffer", &self.buffer).field("len", &self.len).finish()
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.pool.give_back(self.buffer);
    }
}

#[cfg(test)]
impl Chunk {
    /// Takes buffer `buffer` of a pool that no kernel knows, filled with `bytes`.
    pub(super) fn for_test(pool: &Rc<Pool>, buffer: u16, bytes: &[u8]) -> Self {
        pool.spare.borrow_mut().retain(|spare| *spare != buffer);
        // SAFETY: the pool is not registered with a ring; tests take each buffer once.
        let mut chunk = unsafe { Pool::take(pool, buffer, u32::try_from(bytes.len()).unwrap()) }.unwrap();
        chunk.copy_from_slice(bytes);
        chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_the_kernel_refuses_are_refused_first() {
        let config = |buffers, buffer_bytes| RingConfig { entries: 8, buffers, buffer_bytes };
        for bad in [config(0, 4096), config(3, 4096), config(4, 63), config(4, (1 << 28) + 1)] {
            assert!(matches!(Pool::new(&bad), Err(RingError::Config(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_chunk_owns_its_bytes_and_comes_back_on_drop() {
        let pool = Pool::new(&RingConfig { entries: 8, buffers: 4, buffer_bytes: 64 }).unwrap();
        let mut first = Chunk::for_test(&pool, 0, &[1; 64]);
        let second = Chunk::for_test(&pool, 1, &[2; 64]);
        first.fill(9);
        assert_eq!(*second, [2; 64]);
        assert_eq!(pool.free(), 2);
        drop(first);
        drop(second);
        assert_eq!(pool.free(), 4);
    }

    #[test]
    fn the_ring_has_no_more_than_the_window_and_the_warmest_buffer_goes_first() {
        let pool = Pool::new(&RingConfig { entries: 8, buffers: 8, buffer_bytes: 64 }).unwrap();
        let last = Chunk::for_test(&pool, 6, b"");
        pool.offer(2);
        assert_eq!((pool.offered(), pool.free()), (2, 7));
        drop(last);
        pool.offer(2);
        assert_eq!(pool.offered(), 2);
        pool.offer(3);
        assert_eq!((pool.offered(), pool.spare.borrow().contains(&6)), (3, false));
        pool.offer(100);
        assert_eq!((pool.offered(), pool.free()), (8, 8));
    }

    #[test]
    fn chunks_may_outlive_the_owner_of_the_pool() {
        let pool = Pool::new(&RingConfig { entries: 8, buffers: 2, buffer_bytes: 64 }).unwrap();
        let chunk = Chunk::for_test(&pool, 1, b"still here");
        drop(pool);
        assert_eq!(&*chunk, b"still here");
    }
}
