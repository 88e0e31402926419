//! One peer, from its greeting to its end.

use std::sync::Arc;

use gthulhu_http::shutdown::Shutdown;
use gthulhu_lib::wire::feed::{Bye, Frame, Hello, PROTOCOL, Role};
use tokio::{
    net::UnixStream,
    sync::{mpsc, watch},
    task,
};

use super::{
    Offered,
    asks::{Ask, Asked},
    hub::{Hub, Seat, short},
    sets,
    stream::{Gone, Incoming, Outgoing},
    tables,
};
use crate::{state::State, told::Teller};

/// Serves a connection until either side ends it.
pub(super) async fn serve(stream: UnixStream, hub: Arc<Hub>, offered: Offered, shutdown: Shutdown) {
    let uid = stream.peer_cred().map(|cred| cred.uid());
    let (reader, writer) = stream.into_split();
    let (mut incoming, mut outgoing) = (Incoming::new(reader), Outgoing::new(writer));
    let admitted = async {
        outgoing.say(&Frame::Hello(Hello::new(Role::DecisionMaker, env!("CARGO_PKG_VERSION")))).await?;
        admit(incoming.greeting().await?, uid?, &hub)
    };
    let admitted = tokio::select! {
        admitted = admitted => admitted,
        () = shutdown.requested() => return outgoing.bye(STOPPING).await,
    };
    let (mut seat, asks) = match admitted {
        Ok(Admitted::Peer(seat, asks)) => (seat, asks),
        Ok(Admitted::Reader(version)) => return read(outgoing, &offered, &hub, &version).await,
        Err(gone) => {
            hub.refused(&gone.to_string());
            return outgoing.bye(gone.to_string()).await;
        }
    };
    let (asked, teller) = (Asked::default(), offered.told.teller());
    let gone = tokio::select! {
        biased;
        // First, since the node's thread ends with the daemon: whoever looks late sees both.
        () = shutdown.requested() => return outgoing.bye(STOPPING).await,
        gone = hear(&mut incoming, &seat, &asked, &teller) => gone,
        gone = tell(&mut outgoing, offered.held, asks, &asked) => gone,
    };
    // Nothing is said to one who has gone; a frame that is half sent to another makes the last word useless, not harmful.
    if !matches!(gone, Gone::Closed | Gone::Bye(_)) {
        outgoing.bye(gone.to_string()).await;
    }
    seat.leave(&gone);
}

const STOPPING: &str = "the decision maker stops";

/// Gives the table to a reader, who needs nothing else: his place is free again at once.
async fn read(mut outgoing: Outgoing, offered: &Offered, hub: &Hub, version: &str) {
    match tables::give(&mut outgoing, &offered.table).await {
        Ok(()) => tracing::info!(version = short(version), "a reader has got the table"),
        Err(gone) => {
            hub.refused(&gone.to_string());
            outgoing.bye(gone.to_string()).await;
        }
    }
}

/// Who is wanted.
enum Admitted {
    /// A scheduler or a monitor, and the questions that it will be asked.
    Peer(Seat, mpsc::Receiver<Ask>),
    /// Somebody who wants the table; his version.
    Reader(String),
}

/// Whether this user may be scheduler or monitor.
pub(super) fn is_ours(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// Whether a peer that greets like this is wanted.
fn admit(greeting: Frame, uid: u32, hub: &Arc<Hub>) -> Result<Admitted, Gone> {
    let hello = match greeting {
        Frame::Hello(hello) => hello,
        Frame::Bye(Bye { reason }) => return Err(Gone::Bye(reason)),
        _ => return Err(Gone::Foreign("it did not greet".to_owned())),
    };
    let Hello { protocol, role, version } = hello;
    let refused = |reason: String| Err(Gone::Refused(reason));
    if protocol != PROTOCOL {
        return refused(format!("protocol {protocol} is not spoken here; protocol {PROTOCOL} is"));
    }
    match role {
        Role::Scheduler | Role::Monitor => {}
        // The socket's mode has decided.
        Role::Reader => return Ok(Admitted::Reader(version)),
        Role::DecisionMaker | Role::Unknown => {
            return refused("only the roles scheduler, monitor and reader are served".to_owned());
        }
    }
    if !is_ours(uid) {
        let own = rustix::process::geteuid().as_raw();
        return refused(format!("uid {uid} may not be scheduler or monitor; 0 and {own} may"));
    }
    let (seat, asks) = hub.seat(role, &version).map_err(|reason| Gone::Refused(reason.to_owned()))?;
    Ok(Admitted::Peer(seat, asks))
}

/// Takes what the peer says, until it goes.
async fn hear(incoming: &mut Incoming, seat: &Seat, asked: &Asked, teller: &Teller) -> Gone {
    loop {
        match incoming.next().await {
            Ok(Frame::Counters(counters)) => seat.counters(*counters),
            Ok(Frame::Events(events)) => seat.events(&events),
            Ok(Frame::Processes(processes)) => teller.tell(processes),
            Ok(Frame::Explanation(explanation)) => asked.answered(explanation),
            Ok(Frame::Bye(Bye { reason })) => return Gone::Bye(reason),
            // Nothing that a scheduler says, or nothing that we know.
            Ok(
                Frame::Hello(_) | Frame::Intents(_) | Frame::Explain(_) | Frame::Table(_) | Frame::Unknown,
            ) => {}
            Err(gone) => return gone,
        }
    }
}

/// Tells the peer what the node holds, now and whenever it changes, and what others ask.
async fn tell(
    outgoing: &mut Outgoing,
    mut held: watch::Receiver<State>,
    mut asks: mpsc::Receiver<Ask>,
    asked: &Asked,
) -> Gone {
    held.mark_changed();
    loop {
        let told = tokio::select! {
            changed = held.changed() => match changed {
                Ok(()) => {
                    let state = held.borrow_and_update().clone();
                    set(outgoing, state).await
                }
                Err(_) => return Gone::Refused("the node's thread has ended".to_owned()),
            },
            Some(ask) = asks.recv() => outgoing.say(&Frame::Explain(asked.put(ask))).await,
        };
        if let Err(gone) = told {
            return gone;
        }
    }
}

/// Sends a set. It is written off the threads that serve: there may be tens of thousands of intents.
async fn set(outgoing: &mut Outgoing, state: State) -> Result<(), Gone> {
    let frames = task::spawn_blocking(move || sets::frames(&state)).await.map_err(std::io::Error::from)??;
    for frame in frames {
        outgoing.send(&frame).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn admitted(hub: &Arc<Hub>, greeting: Hello, uid: u32) -> Result<Seat, String> {
        match admit(Frame::Hello(greeting), uid, hub) {
            Ok(Admitted::Peer(seat, _)) => Ok(seat),
            Ok(Admitted::Reader(version)) => Err(format!("reader {version}")),
            Err(gone) => Err(gone.to_string()),
        }
    }

    #[test]
    fn only_root_and_we_ourselves_may_be_scheduler_or_monitor() {
        let hub = Arc::new(Hub::new("/run/feed.sock".into(), Metrics::new("node-1", true).unwrap()));
        let own = rustix::process::geteuid().as_raw();
        for role in [Role::Scheduler, Role::Monitor] {
            let hello = || Hello::new(role, "1");
            assert!(admitted(&hub, hello(), 0).is_ok());
            assert!(admitted(&hub, hello(), own).is_ok());
            for stranger in [own + 1, 65534, u32::MAX] {
                let refused = admitted(&hub, hello(), stranger).err().unwrap();
                assert!(refused.starts_with(&format!("uid {stranger} may not")), "{refused}");
            }
        }
        for anybody in [0, own, 65534] {
            assert_eq!(admitted(&hub, Hello::new(Role::Reader, "1"), anybody).err().unwrap(), "reader 1");
        }
        let other = Hello { protocol: 2, ..Hello::new(Role::Scheduler, "1") };
        assert!(admitted(&hub, other, 0).err().unwrap().contains("protocol 1 is"));
    }
}
