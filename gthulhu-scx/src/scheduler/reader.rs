//! Reads the ring of events.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libbpf_rs::{MapCore, RingBuffer, RingBufferBuilder};

use crate::maps::{Event, layout};

/// Gives the events in the order in which they happened, on each CPU.
#[derive(Debug)]
pub struct EventReader {
    ring: RingBuffer<'static>,
    fd: OwnedFd,
    found: Arc<Mutex<Vec<Event>>>,
}

impl EventReader {
    pub(super) fn new(map: &dyn MapCore) -> libbpf_rs::Result<Self> {
        let found = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&found);
        let mut builder = RingBufferBuilder::new();
        builder.add(map, move |bytes| {
            match layout::event(bytes) {
                Ok(Some(event)) => sink.lock().unwrap_or_else(PoisonError::into_inner).push(event),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "an event is not understood"),
            }
            0
        })?;
        let ring = builder.build()?;
        let fd = epoll_of(&ring)?;
        Ok(Self { ring, fd, found })
    }

    /// All events there are; waits for the first until `timeout`, and is empty then.
    pub fn poll(&mut self, timeout: Duration) -> io::Result<Vec<Event>> {
        match self.ring.poll(timeout) {
            Err(error) if error.kind() != libbpf_rs::ErrorKind::Interrupted => {
                return Err(io::Error::other(error));
            }
            Ok(()) | Err(_) => {}
        }
        Ok(std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Readable while there are events.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A descriptor of our own for what the ring waits with.
#[expect(unsafe_code, reason = "the library gives a bare number")]
pub(crate) fn epoll_of(ring: &RingBuffer<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the ring holds this descriptor open as long as it lives, and it lives until the end of this call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(ring.epoll_fd()) };
    borrowed.try_clone_to_owned()
}
