//! The data plane: glommio shards, the ring, relay loop, TLS, upstream, cancel routing, metrics.

pub mod ring;
