//! What whoever supervises this process wants to know: that it is ready, that it is alive, that it is stopping. The protocol is
//! systemd's (`Type=notify`, `WatchdogSec=`): a datagram to the socket that `NOTIFY_SOCKET` names. Without one nobody is
//! told, and nothing of this fails: a supervisor that cannot be reached is no reason to stop.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// How long one word waits for room where the supervisor reads it. At a boot there may be none for a while, and `READY=1` is
/// said once: without it a unit is taken for one that failed to start.
const PATIENCE: Duration = Duration::from_secs(1);

/// The supervisor, if there is one.
#[derive(Debug, Default)]
pub struct Supervised {
    socket: Option<(UnixDatagram, SocketAddr)>,
    every: Option<Duration>,
}

impl Supervised {
    /// Who the environment says that it is.
    pub fn of_environment() -> Self {
        let variable = |name| std::env::var_os(name).unwrap_or_default();
        let text = |name| variable(name).into_string().unwrap_or_default();
        let own = std::process::id().to_string();
        let ours = ["", &own].contains(&text("WATCHDOG_PID").as_str());
        let period = text("WATCHDOG_USEC").parse().ok().filter(|_| ours);
        Self::by(&variable("NOTIFY_SOCKET"), period)
    }

    /// The one at this path, or at this abstract name if it begins with `@`, who wants to hear something in each period, which
    /// is in microseconds.
    fn by(name: &OsStr, period: Option<u64>) -> Self {
        let address = match name.as_bytes() {
            [] => return Self::default(),
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            _ => SocketAddr::from_pathname(name),
        };
        let socket = address.ok().and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        // Twice in each period, so that one that comes late does no harm.
        let every = period.filter(|period| *period >= 2).map(|period| Duration::from_micros(period / 2));
        Self { every: every.filter(|_| socket.is_some()), socket }
    }

    /// The process does its work from now on.
    pub fn ready(&self) {
        self.tell("READY=1", PATIENCE);
    }

    /// The process has been asked to end, and does.
    pub fn stopping(&self) {
        self.tell("STOPPING=1", PATIENCE);
    }

    /// The process is alive.
    pub fn alive(&self) {
        // Said again soon enough, so that nothing waits for it.
        self.tell("WATCHDOG=1", Duration::ZERO);
    }

    /// How often that has to be said, if at all.
    pub fn every(&self) -> Option<Duration> {
        self.every
    }

    /// Says so for ever: as long as this is polled, the runtime works.
    pub async fn keep_alive(&self) -> Infallible {
        let Some(every) = self.every else { return std::future::pending().await };
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            self.alive();
        }
    }

    /// Waits for so long that there is room for it.
    fn tell(&self, word: &str, patience: Duration) {
        let Some((socket, address)) = &self.socket else { return };
        let told = if patience.is_zero() {
            socket.set_nonblocking(true)
        } else {
            socket.set_nonblocking(false).and_then(|()| socket.set_write_timeout(Some(patience)))
        };
        if let Err(error) = told.and_then(|()| socket.send_to_addr(word.as_bytes(), address)) {
            tracing::warn!(%error, word, "the supervisor was not told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn it_hears_three_words_by_path_and_by_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("gthulhu-test-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        for (socket, address) in [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (UnixDatagram::bind_addr(&abstract_name).unwrap(), format!("@{name}").into()),
        ] {
            let supervised = Supervised::by(&address, None);
            supervised.ready();
            supervised.alive();
            supervised.stopping();
            assert_eq!([(); 3].map(|()| heard(&socket)), ["READY=1", "WATCHDOG=1", "STOPPING=1"]);
            assert_eq!(supervised.every(), None);
        }
    }

    #[test]
    fn it_is_told_twice_in_each_of_its_periods() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let _socket = UnixDatagram::bind(&path).unwrap();
        let every = |period| Supervised::by(path.as_os_str(), period).every();
        assert_eq!(every(Some(30_000_000)), Some(Duration::from_secs(15)));
        for nonsense in [0, 1] {
            assert_eq!(every(Some(nonsense)), None, "{nonsense}");
        }
        assert_eq!(Supervised::by(OsStr::new(""), Some(30_000_000)).every(), None);
    }

    #[test]
    fn nobody_and_somebody_who_is_gone_hold_nothing_up() {
        Supervised::by(OsStr::new(""), None).ready();
        Supervised::by(OsStr::new("/nonexistent/socket"), None).ready();
        let too_long = "/".repeat(500);
        Supervised::by(OsStr::new(&too_long), Some(1)).ready();
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_kept_informed_as_long_as_the_runtime_works() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let supervised = Supervised::by(path.as_os_str(), Some(2_000_000));
        let kept = tokio::time::timeout(Duration::from_millis(3500), supervised.keep_alive()).await;
        assert!(kept.is_err(), "it does not end by itself");
        assert_eq!([(); 4].map(|()| heard(&socket)), ["WATCHDOG=1"; 4]);
        socket.set_nonblocking(true).unwrap();
        assert!(socket.recv(&mut [0; 8]).is_err(), "four and no more: at 0, 1, 2 and 3 s");
    }
}
