//! Processes on their way to the decision maker: all of them whenever one is there anew, and then what happens.
//!
//! Whoever is slow delays the next report, not the kernel: what happens meanwhile waits in the ring, and if that is too
//! much all are told anew.

use std::path::PathBuf;

use gthulhu_http::exit::Exit;
use gthulhu_lib::wire::feed::{Processes, Role};

use super::{all, news, refused, wait};
use crate::feed::{self, FeedInput, Report};
use crate::inbox::{Address, Inbox, Letter};
use crate::watch::BpfEvents;

/// Whether the decision maker takes a report now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    Away,
    /// It has not taken the last one yet.
    Busy,
    Ready,
}

/// Tells the decision maker at this socket, whenever there is one, until it is to stop.
pub(super) fn tell(
    source: &mut BpfEvents,
    inbox: &Inbox,
    address: Address,
    socket: PathBuf,
) -> Result<(), Exit> {
    let deliver = move |input| address.send(Letter::Feed(input));
    let handle = feed::connect(socket, Role::Monitor, deliver).map_err(|error| refused(&error))?;
    let send = |processes: Processes| handle.send(Report::Processes(processes.into_parts()));
    let mut peer = Peer::Away;
    loop {
        let letters = wait(inbox, Some(&*source).filter(|_| peer == Peer::Ready))?;
        for letter in letters {
            match letter {
                Letter::Stop => return Ok(()),
                Letter::Feed(FeedInput::Up { .. }) => {
                    send(all(source)?);
                    peer = Peer::Busy;
                }
                Letter::Feed(FeedInput::Told) => peer = Peer::Ready,
                Letter::Feed(FeedInput::Down { .. }) => peer = Peer::Away,
                // What it holds is not for whoever only watches.
                _ => {}
            }
        }
        if peer == Peer::Ready {
            let told = news(source)?;
            if told.anew || !told.news.is_empty() {
                send(told);
                peer = Peer::Busy;
            }
        }
    }
}
