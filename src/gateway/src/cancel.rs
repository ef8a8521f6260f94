//! Which server session a cancel key belongs to.
//!
//! The server's own key goes to the client unchanged, so a CancelRequest can arrive on any core and on any
//! connection. It is passed on only when a live session of the same listener holds that key, and only to
//! the address that this session is connected to: an unknown or stale key opens no connection, and a key of
//! one listener says nothing on another. The lock is taken when a session begins, when it ends, and for a
//! CancelRequest: never for a message of an established session.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use socket2::SockAddr;

/// A key as BackendKeyData gave it, on one listener. For a MySQL session: its connection id, and its user in
/// place of a secret, so that it is found by whoever may kill it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CancelKey {
    /// Index of the listener.
    pub(crate) listener: usize,
    /// The server's process id.
    pub(crate) process: u32,
    /// 4 bytes in protocol 3.0, up to 256 in 3.2.
    pub(crate) secret: Box<[u8]>,
}

/// All live sessions' cancel keys.
#[derive(Debug, Default)]
pub(crate) struct CancelRegistry {
    targets: Mutex<HashMap<CancelKey, SockAddr>>,
}

impl CancelRegistry {
    /// Remembers where a key's session runs.
    pub(crate) fn insert(&self, key: CancelKey, server: SockAddr) {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).insert(key, server);
    }

    /// Forgets a key.
    pub(crate) fn remove(&self, key: &CancelKey) {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// The session of a key belongs to another user from now on.
    pub(crate) fn rename(&self, key: &CancelKey, new: CancelKey) {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = targets.remove(key) {
            targets.insert(new, server);
        }
    }

    /// Where the key's session runs, if it lives.
    pub(crate) fn target(&self, key: &CancelKey) -> Option<SockAddr> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr};

    #[test]
    fn a_key_is_known_only_on_its_listener_and_while_its_session_lives() {
        let registry = CancelRegistry::default();
        let key = CancelKey { listener: 0, process: 7, secret: Box::from(&b"abcd"[..]) };
        let server = SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 5432)));
        registry.insert(key.clone(), server.clone());
        assert_eq!(registry.target(&key), Some(server.clone()));
        assert_eq!(registry.target(&CancelKey { listener: 1, ..key.clone() }), None);
        assert_eq!(registry.target(&CancelKey { secret: Box::from(&b"abce"[..]), ..key.clone() }), None);
        let renamed = CancelKey { secret: Box::from(&b"ana"[..]), ..key.clone() };
        registry.rename(&key, renamed.clone());
        assert_eq!((registry.target(&key), registry.target(&renamed)), (None, Some(server)));
        registry.remove(&renamed);
        assert_eq!(registry.target(&renamed), None);
    }
}
