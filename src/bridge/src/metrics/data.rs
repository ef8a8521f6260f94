//! Bytes and rows that passed through one shard.

/// Counts of what passed, on both legs of all sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataCounts {
    /// Bytes received from clients.
    pub bytes_from_client: u64,
    /// Bytes sent to clients.
    pub bytes_to_client: u64,
    /// Bytes received from servers.
    pub bytes_from_server: u64,
    /// Bytes sent to servers.
    pub bytes_to_server: u64,
    /// Rows that command tags counted.
    pub rows: u64,
    /// Cells redacted whole because they were over a limit.
    pub oversized_cells: u64,
    /// Times that a session stopped receiving because its other side was slow.
    pub backpressure_stalls: u64,
}

impl DataCounts {
    pub(super) const fn merge(&mut self, other: &Self) {
        self.bytes_from_client += other.bytes_from_client;
        self.bytes_to_client += other.bytes_to_client;
        self.bytes_from_server += other.bytes_from_server;
        self.bytes_to_server += other.bytes_to_server;
        self.rows += other.rows;
        self.oversized_cells += other.oversized_cells;
        self.backpressure_stalls += other.backpressure_stalls;
    }
}
