//! Somebody who would like to be taken for a decision maker, and counts what he is sent.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A listener that lives as long as the test.
pub(crate) struct Impostor {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

impl Impostor {
    /// Listens on an address of the loopback network.
    pub(crate) fn listen(ip: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, bytes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (seen, read) = (Arc::clone(&connections), Arc::clone(&bytes));
        thread::spawn(move || {
            for stream in listener.incoming() {
                seen.fetch_add(1, Ordering::SeqCst);
                let read = Arc::clone(&read);
                thread::spawn(move || {
                    let (mut stream, mut buffer) = (stream.unwrap(), [0; 4096]);
                    while let Ok(count @ 1..) = stream.read(&mut buffer) {
                        read.fetch_add(count, Ordering::SeqCst);
                    }
                });
            }
        });
        Self { address, connections, bytes }
    }

    /// Connections and bytes so far.
    pub(crate) fn received(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.bytes.load(Ordering::SeqCst))
    }
}
