//! Sans-IO MySQL and MariaDB protocol: packets, handshake, commands, result sets, authentication, session.
//!
//! A connection goes through the handshake and authentication ([`greeting`], [`response`], [`auth`]) first;
//! once both legs have had their OK it is a [`session::Session`]. That takes chunks of bytes from either
//! side and says, as ranges of the chunk and owned bytes, what to send to either side. It asks a
//! [`wire::guard::Guard`] what may pass and what is masked; it knows no rule itself.
//!
//! - Framing and numbers: [`packet`], [`lenenc`], [`constant`], [`capability`].
//! - Set-up: [`greeting`], [`response`], [`reply`], [`auth`].
//! - The client's direction: `client` (bytes), `commands` (messages), `decisions`, `parameters`.
//! - The server's direction: `server` (bytes), `replies` (messages), `failures`, `catalogue`, `local_file`,
//!   `limited`.
//! - Another user in the middle of a session: `login`.
//! - Masking: `column`, `value`, `rows`, `stream`, `scrub`.
//! - What ties both together: `pipeline`, `statements`, [`session`].
//!
//! Nothing here does IO, reads a clock or draws randomness. Bytes from a peer give errors, never panics.
//!
//! Sources: MySQL Server documentation, "Client/Server Protocol" (dev.mysql.com/doc/dev/mysql-server), and
//! MariaDB Knowledge Base, "MariaDB Client/Server Protocol".

#![forbid(unsafe_code)]

pub mod auth;
pub mod capability;
pub mod constant;
pub mod greeting;
pub mod lenenc;
pub mod packet;
pub mod reply;
pub mod response;
pub mod session;

mod catalogue;
mod client;
mod column;
mod commands;
mod decisions;
mod failures;
mod limited;
mod local_file;
mod login;
mod parameters;
mod pipeline;
mod replies;
mod rows;
mod scrub;
mod server;
mod statements;
mod stream;
mod value;
