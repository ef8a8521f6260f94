//! What databases hold, as far as column masks ask: one catalogue for each listener and database.
//!
//! A catalogue is read over a session of a user who has column masks, between two of that user's
//! statements, and shared with all sessions of the shard from then on. It is read again when a statement
//! names something that it does not know, at most once in [`CATALOGUE_RELOAD_NS`].

use std::collections::HashMap;
use std::sync::Arc;

use policy::catalogue::Catalogue;

use crate::limits::{CATALOGUE_AGE_NS, CATALOGUE_RELOAD_NS, CATALOGUES};

/// One catalogue and when it was read.
#[derive(Clone)]
pub(crate) struct Loaded {
    /// What was read.
    pub(crate) catalogue: Arc<Catalogue>,
    /// Counts the catalogues that this shard has read; part of the verdict cache's context.
    pub(crate) number: u64,
    /// The listener's count of schema changes when it was read.
    pub(crate) schema_epoch: u64,
    read_ns: u64,
}

impl Loaded {
    /// Whether it is to be read again: relations may also change past Wiregate.
    pub(crate) fn is_old(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.read_ns) > CATALOGUE_AGE_NS
    }
}

/// The catalogues of one shard.
#[derive(Default)]
pub(crate) struct Catalogues {
    loaded: HashMap<(usize, Box<[u8]>), Loaded>,
    last_number: u64,
}

impl Catalogues {
    /// The catalogue of a database, if it has been read.
    pub(crate) fn find(&self, listener: usize, database: &[u8]) -> Option<Loaded> {
        // The key is boxed; a map of a few hundred entries asked once a judged statement is searched.
        self.loaded.iter().find(|((l, d), _)| *l == listener && **d == *database).map(|(_, loaded)| loaded.clone())
    }

    /// Whether a statement that names something unknown may have the catalogue read again.
    pub(crate) fn may_reload(&self, listener: usize, database: &[u8], now_ns: u64) -> bool {
        self.find(listener, database).is_none_or(|loaded| now_ns.saturating_sub(loaded.read_ns) >= CATALOGUE_RELOAD_NS)
    }

    /// How many catalogues were read so far; changes whenever there is a new one.
    pub(crate) fn count(&self) -> u64 {
        self.last_number
    }

    /// Takes a catalogue that was read.
    pub(crate) fn insert(
        &mut self,
        listener: usize,
        database: &[u8],
        catalogue: Arc<Catalogue>,
        schema_epoch: u64,
        now_ns: u64,
    ) {
        if self.loaded.len() >= CATALOGUES
            && let Some(oldest) =
                self.loaded.iter().min_by_key(|(_, loaded)| loaded.read_ns).map(|(key, _)| key.clone())
        {
            self.loaded.remove(&oldest);
        }
        self.last_number += 1;
        let loaded = Loaded { catalogue, number: self.last_number, schema_epoch, read_ns: now_ns };
        self.loaded.insert((listener, database.into()), loaded);
    }
}
