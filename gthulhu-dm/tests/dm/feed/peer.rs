//! A peer of the feed that the test plays, written on the bare socket.

use std::{
    fs::{Permissions, set_permissions},
    io,
    os::unix::{fs::PermissionsExt as _, net},
    path::Path,
    time::Duration,
};

use gthulhu_lib::wire::feed::{
    Frame, Hello, Role,
    parts::{Assembly, NodeSet},
};
use rustix::process::Uid;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::timeout,
};

/// Far beyond what anything here takes; a test that waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Peer(UnixStream);

impl Peer {
    /// Connects once there is a socket.
    pub(super) async fn connect(socket: &Path) -> Peer {
        let connected = async {
            loop {
                match UnixStream::connect(socket).await {
                    Ok(stream) => return Peer(stream),
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        timeout(PATIENCE, connected).await.unwrap()
    }

    /// Connects and greets, and is greeted.
    pub(super) async fn greet(socket: &Path, hello: Hello) -> Peer {
        let mut peer = Peer::connect(socket).await;
        peer.say(&Frame::Hello(hello)).await;
        let Frame::Hello(theirs) = peer.hear().await else { panic!() };
        assert_eq!(theirs, Hello::new(Role::DecisionMaker, env!("CARGO_PKG_VERSION")));
        peer
    }

    /// So many connections of a user that is neither root nor this one. Anybody may connect from then on. Fails if this
    /// user may not be another.
    pub(super) fn of_another_user(socket: &Path, count: usize) -> io::Result<Vec<Peer>> {
        set_permissions(socket, Permissions::from_mode(0o666)).unwrap();
        set_permissions(socket.parent().unwrap(), Permissions::from_mode(0o711)).unwrap();
        let socket = socket.to_owned();
        let connect = move || {
            let stream = net::UnixStream::connect(&socket).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        };
        // The system changes the user of one thread, which ends with its work.
        let connected = std::thread::spawn(move || {
            rustix::thread::set_thread_uid(Uid::from_raw(65534))?;
            io::Result::Ok((0..count).map(|_| connect()).collect::<Vec<_>>())
        });
        let connected = connected.join().unwrap()?;
        Ok(connected.into_iter().map(|stream| Peer(UnixStream::from_std(stream).unwrap())).collect())
    }

    pub(super) async fn scheduler(socket: &Path) -> Peer {
        Peer::greet(socket, Hello::new(Role::Scheduler, "1")).await
    }

    pub(super) async fn say(&mut self, frame: &Frame) {
        self.send(&framed(&serde_json::to_vec(frame).unwrap())).await;
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Waits until there is something to hear, and hears nothing of it.
    pub(super) async fn is_spoken_to(&self) {
        timeout(PATIENCE, self.0.readable()).await.unwrap().unwrap();
    }

    pub(super) async fn hear(&mut self) -> Frame {
        let hear = async {
            let length = self.0.read_u32_le().await.unwrap();
            let mut text = vec![0; usize::try_from(length).unwrap()];
            self.0.read_exact(&mut text).await.unwrap();
            serde_json::from_slice(&text).unwrap()
        };
        timeout(PATIENCE, hear).await.unwrap()
    }

    /// The next whole set; nothing else may come before it.
    pub(super) async fn set(&mut self) -> NodeSet {
        let mut assembly = Assembly::default();
        loop {
            let frame = self.hear().await;
            let Frame::Intents(part) = frame else { panic!("{frame:?}") };
            if let Some(set) = assembly.add(part).unwrap() {
                return set;
            }
        }
    }

    /// Whether the other side closes the connection without another word.
    pub(super) async fn is_left(&mut self) -> bool {
        // One who closes with something unread resets the connection.
        !matches!(timeout(PATIENCE, self.0.read(&mut [0])).await.unwrap(), Ok(1..))
    }
}

/// The frame that carries this text.
pub(super) fn framed(text: &[u8]) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_le_bytes(), text].concat()
}
