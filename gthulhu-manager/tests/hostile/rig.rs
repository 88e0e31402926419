//! The program with a store of its own, and what the system knows of its process.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use gthulhu_http::testkit::TestClient;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::RwLock;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gthulhu-manager");
const ADMIN: &str = "admin@example.org";
const PASSWORD: &str = "seven wet otters juggling";

/// Of a second, in what the kernel shows of processor time, on every machine of today.
const CLOCK_TICKS: f64 = 100.0;

/// Longer than any of the manager's own deadlines: who has not ended by then never will.
const WATCHDOG: Duration = Duration::from_secs(120);

/// A running manager; killed when the test is done with it.
pub(crate) struct Manager {
    child: Child,
    log: Option<Lines<BufReader<ChildStderr>>>,
    address: SocketAddr,
    /// Sockets that it has without any connection.
    own_sockets: usize,
    _dir: TempDir,
    /// What keeps the tests apart from each other.
    _place: Box<dyn Send>,
}

/// Held by tests that only wait together with others, and by tests that measure alone.
static MACHINE: LazyLock<RwLock<()>> = LazyLock::new(RwLock::default);

/// Keeps the machine from other tests here until it is dropped.
pub(crate) async fn alone() -> impl Send {
    MACHINE.write().await
}

impl Manager {
    /// A manager with the machine to itself, as far as these tests go.
    pub(crate) async fn start() -> Manager {
        Manager::start_as(Command::new).await
    }

    /// The same, by a command made from the program's path.
    pub(crate) async fn start_as(command: impl FnOnce(&'static str) -> Command) -> Manager {
        let alone = MACHINE.write().await;
        Manager::start_in(Box::new(alone), command(PROGRAM))
    }

    /// A manager beside those of other tests.
    pub(crate) async fn start_beside(command: impl FnOnce(&'static str) -> Command) -> Manager {
        let shared = MACHINE.read().await;
        Manager::start_in(Box::new(shared), command(PROGRAM))
    }

    fn start_in(place: Box<dyn Send>, mut command: Command) -> Manager {
        more_descriptors();
        let dir = TempDir::new().unwrap();
        let state = dir.path().join("state");
        copy_keys(&state);
        let config = format!(
            "[server]\nhost = \"127.0.0.1:0\"\n[state]\ndir = '{}'\n\
             [account]\nadmin_email = \"{ADMIN}\"\nadmin_password = \"{PASSWORD}\"\n",
            state.display()
        );
        fs::write(dir.path().join("manager.toml"), config).unwrap();
        command.args(["serve", "--config"]).arg(dir.path().join("manager.toml"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MANAGER_")) {
            command.env_remove(name);
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = wait_for(&mut log, "the manager listens");
        let event: Value = serde_json::from_str(&line).unwrap();
        let address = event["address"].as_str().unwrap().parse().unwrap();
        let log = Some(log);
        let mut manager = Manager { child, log, address, own_sockets: 0, _dir: dir, _place: place };
        manager.own_sockets = manager.connections();
        manager
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn client(&self) -> TestClient {
        TestClient::new(&format!("http://{}", self.address))
    }

    /// A client that is the administrator.
    pub(crate) async fn admin(&self) -> TestClient {
        let login = json!({"username": ADMIN, "password": PASSWORD});
        let reply = self.client().post("/api/v1/auth/login", &login).await;
        self.client().bearer(reply.data()["token"].as_str().unwrap())
    }

    /// A connection on which these bytes were sent.
    pub(crate) async fn connect(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that has closed already is what some tests are about.
        let _ = stream.write_all(bytes.as_bytes()).await;
        stream
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Reads the log, which nobody reads otherwise, up to a line with this text.
    pub(crate) fn wait_for_log(&mut self, text: &str) {
        wait_for(self.log.as_mut().unwrap(), text);
    }

    /// Lets the log go by: a full pipe would stop the manager.
    pub(crate) fn ignore_log(&mut self) {
        if let Some(lines) = self.log.take() {
            std::thread::spawn(move || lines.map_while(Result::ok).count());
        }
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.ignore_log();
        self.child.wait().unwrap()
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(Path::new("/proc").join(self.child.id().to_string()).join(file)).unwrap()
    }

    /// Kilobytes of a line of `/proc/PID/status`: `VmRSS` is what it has, `VmHWM` the most it ever had.
    pub(crate) fn memory(&self, key: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Makes `VmHWM` begin anew: hashing the first password is the peak of every start.
    pub(crate) fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    /// Descriptors that it has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Connections that it has open.
    pub(crate) fn connections(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let is_socket = |path: std::path::PathBuf| {
            // It may have been closed since it was listed.
            fs::read_link(path).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
        };
        open.filter(|entry| is_socket(entry.as_ref().unwrap().path()))
            .count()
            .saturating_sub(self.own_sockets)
    }

    /// Seconds of processor time that it has used.
    pub(crate) fn processor(&self) -> f64 {
        let stat = self.proc("stat");
        let after_name = stat.rsplit_once(") ").unwrap().1;
        // The fields 14 and 15, the third being the first after the name.
        let ticks = after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
        ticks.sum::<f64>() / CLOCK_TICKS
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keys take seconds to make: all managers of these tests have the same.
fn copy_keys(to: &Path) {
    static KEYS: LazyLock<TempDir> = LazyLock::new(|| {
        let dir = TempDir::new().unwrap();
        let made =
            Command::new(PROGRAM).args(["init", "--dir"]).arg(dir.path()).stdout(Stdio::null()).status();
        assert!(made.unwrap().success());
        dir
    });
    let copied = Command::new("cp").arg("-a").arg(KEYS.path()).arg(to).status();
    assert!(copied.unwrap().success());
}

fn wait_for(log: &mut Lines<BufReader<ChildStderr>>, text: &str) -> String {
    log.map_while(Result::ok)
        .find(|line| line.contains(text))
        .unwrap_or_else(|| panic!("it never said {text:?}"))
}

/// As many descriptors as the system lets us have: crowds are made of sockets.
fn more_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

/// The sockets of a crowd: as many as asked for, and as this process may open beside its own.
pub(crate) fn crowd_size() -> usize {
    more_descriptors();
    let wanted = std::env::var("GTHULHU_CROWD").ok().and_then(|text| text.parse().ok()).unwrap_or(5000);
    let granted = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    wanted.min(usize::try_from(granted.saturating_sub(200)).unwrap_or(usize::MAX))
}

/// Whether to wait for deadlines that take a minute.
pub(crate) fn patience() -> bool {
    std::env::var_os("GTHULHU_PATIENCE").is_some()
}

/// What the work gives; a failure instead of a test that never ends.
pub(crate) async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(WATCHDOG, work).await.unwrap_or_else(|_| panic!("no end: {what}"))
}

/// Looks until it holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    in_time(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
