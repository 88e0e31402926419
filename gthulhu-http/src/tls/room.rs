//! How much goes on with one node at a time.
//!
//! A handshake costs both ends far more than a request does. Without a bound, requests that come while connections are being made
//! each begin one more, and two busy ends do nothing but shake hands: after a change of certificates, when there is no
//! connection yet, that is how it would begin.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Connections to one node, and requests on them.
const AT_ONCE: usize = 8;

/// The rooms of one client, by the marked authority of the node: see [`Target`](super::target::Target).
#[derive(Default)]
pub(crate) struct Rooms(Mutex<HashMap<String, Weak<Room>>>);

/// What there is room for with one node.
pub(crate) struct Room {
    requests: Semaphore,
    connections: Arc<Semaphore>,
}

/// A connection's place, given back when it is closed.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    /// As long as a connection is there, so is its room.
    _room: Arc<Room>,
}

impl Rooms {
    /// The room of this node; a new one if nothing goes on with it.
    pub(crate) fn of(&self, authority: &str) -> Arc<Room> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = rooms.get(authority).and_then(Weak::upgrade) {
            return room;
        }
        rooms.retain(|_, room| room.strong_count() > 0);
        let connections = Arc::new(Semaphore::new(AT_ONCE));
        let room = Arc::new(Room { requests: Semaphore::new(AT_ONCE), connections });
        rooms.insert(authority.to_owned(), Arc::downgrade(&room));
        room
    }
}

impl Room {
    /// Waits for a turn, which lasts as long as what is given back.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.requests.acquire().await.ok()
    }

    /// Waits until there may be one more connection. Meanwhile another one may come free for the request: there are as many
    /// connections as requests.
    pub(crate) async fn place(self: Arc<Self>) -> Place {
        let permit = Arc::clone(&self.connections).acquire_owned().await.ok();
        Place { _permit: permit, _room: self }
    }
}

impl fmt::Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rooms")
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("connections", &self.connections.available_permits())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_room_is_there_as_long_as_its_connections() {
        let rooms = Rooms::default();
        let mut places = Vec::new();
        for _ in 0..AT_ONCE {
            places.push(rooms.of("a").place().await);
        }
        assert_eq!(rooms.of("a").connections.available_permits(), 0);
        assert_eq!(rooms.of("b").connections.available_permits(), AT_ONCE, "another node has its own");
        places.clear();
        assert_eq!(rooms.of("a").connections.available_permits(), AT_ONCE);
        assert_eq!(rooms.0.lock().unwrap().len(), 1, "what is empty is forgotten");
    }
}
