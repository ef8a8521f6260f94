//! Sans-IO Postgres protocol: frames, start-up, messages, rows, COPY, SCRAM, session.
//!
//! A connection goes through start-up and authentication ([`startup`], [`scram`]) first; from its first
//! ReadyForQuery on it is a [`session::Session`]. That takes chunks of bytes from either side and says, as
//! ranges of the chunk and owned bytes, what to send to either side. It asks a [`wire::guard::Guard`] what
//! may pass and what is masked; it knows no rule itself.
//!
//! - Framing and names: [`frame`], [`message`], [`types`].
//! - The client's direction: `client` (bytes), `requests` (messages), `decisions`, `bind`.
//! - The server's direction: `server` (bytes), `replies` (messages), `failures`, `catalogue`.
//! - Masking: `rows`, `copy` and its three formats, `scrub`.
//! - What ties both together: `pipeline`, `statements`, `refusal`, [`session`].
//!
//! Nothing here does IO, reads a clock or draws randomness. Bytes from a peer give errors, never panics.

#![forbid(unsafe_code)]

pub use wire::secret;

pub mod auth;
pub mod backend;
pub mod frame;
pub mod frontend;
pub mod message;
pub mod scram;
pub mod session;
pub mod startup;
pub mod types;

mod bind;
mod catalogue;
mod client;
mod copy;
mod copy_binary;
mod copy_csv;
mod copy_text;
mod decisions;
mod description;
mod failures;
mod known;
mod limited;
mod pipeline;
mod refusal;
mod replies;
mod requests;
mod rows;
mod scrub;
mod server;
mod statements;
