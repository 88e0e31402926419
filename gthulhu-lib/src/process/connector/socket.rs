//! The socket on which the kernel tells of processes.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::{CONNECTOR, SocketAddrNetlink};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, send, socket_with,
};

use super::event::{self, Event};
use crate::process::governed::Unavailable;

/// Room for the events of some ten thousand forks while this process does not listen.
const BUFFER: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct Socket(OwnedFd);

impl Socket {
    /// Begins to listen.
    pub(super) fn listen() -> Result<Self, Unavailable> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(CONNECTOR))?;
        // The greater size needs a right; with the smaller one there are more snapshots after a storm.
        set_socket_recv_buffer_size_force(&fd, BUFFER)
            .or_else(|_| set_socket_recv_buffer_size(&fd, BUFFER))?;
        bind(&fd, &SocketAddrNetlink::new(0, event::PROC))?;
        let mut socket = Self(fd);
        // Answers go to all who listen, so ours has to be known by a mark that nobody else has.
        let [mark @ .., _, _, _, _] = RandomState::new().hash_one(()).to_ne_bytes();
        let mark = u32::from_ne_bytes(mark);
        match send(&socket.0, &event::order(true, mark), SendFlags::empty()) {
            // In another network namespace than the first nobody is there to take it.
            Err(Errno::CONNREFUSED) => return Err(Unavailable::Silent),
            sent => sent?,
        };
        // The order is carried out within the call, and so is the answer sent.
        loop {
            match socket.next()? {
                Some(Event::Answer { to, error }) if to == mark.wrapping_add(1) => {
                    let refused = |error| Unavailable::Connector(io::Error::from_raw_os_error(error));
                    let error = i32::try_from(error).unwrap_or(i32::MAX);
                    return if error == 0 { Ok(socket) } else { Err(refused(error)) };
                }
                Some(_) => {}
                None => return Err(Unavailable::Silent),
            }
        }
    }

    /// The next event, if there is one. [`Errno::NOBUFS`]: some were lost.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Errno> {
        let mut buffer = [0; 512];
        loop {
            let (read, _, sender) = match recvfrom(&self.0, &mut buffer, RecvFlags::empty()) {
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => continue,
                received => received?,
            };
            let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
            if sender.is_some_and(|sender| sender.pid() == 0) {
                // What cannot be read is from a kernel that says it in another way.
                return Ok(Some(event::parse(&buffer[..read]).unwrap_or(Event::Other)));
            }
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Socket {
    /// Older kernels count who listens, and do not notice when a socket is closed.
    fn drop(&mut self) {
        let _ = send(&self.0, &event::order(false, 0), SendFlags::empty());
    }
}
