//! The pair of queues between one shard and the control plane.

use crate::limits::{COMMANDS, EVENTS};
use crate::message::{Command, Event};
use crate::queue::{Receiver, Sender, channel};

/// The shard's end.
#[derive(Debug)]
pub struct ShardLink {
    /// What the control plane asks for.
    pub commands: Receiver<Command>,
    /// What the shard reports.
    pub events: Sender<Event>,
}

/// The control plane's end.
#[derive(Debug)]
pub struct ControlLink {
    /// What the control plane asks for.
    pub commands: Sender<Command>,
    /// What the shard reports.
    pub events: Receiver<Event>,
}

/// A link for one shard, with the capacities of [`crate::limits`].
#[must_use]
pub fn link() -> (ShardLink, ControlLink) {
    let (command_sender, command_receiver) = channel(COMMANDS);
    let (event_sender, event_receiver) = channel(EVENTS);
    (
        ShardLink { commands: command_receiver, events: event_sender },
        ControlLink { commands: command_sender, events: event_receiver },
    )
}
