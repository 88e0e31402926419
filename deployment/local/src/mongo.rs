//! A server that speaks MongoDB's protocol, with one user and his password, on a directory of its own. `tools/mongo.sh`
//! says which; nothing here is linked with it.

mod first_user;

use std::ffi::OsString;
use std::fs::File;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::LocalError;
use crate::ports::Port;

/// The user.
pub const USER: &str = "gthulhu";
/// His password: characters that would have to be escaped in a URI.
pub const PASSWORD: &str = "p@ss:w/rd? 100%";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/mongo.sh");
/// It listens within a second where a CPU is free.
const LISTENS_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The server. Dropping it kills it.
#[derive(Debug)]
pub struct MongoServer {
    program: PathBuf,
    version: String,
    dir: PathBuf,
    port: Port,
    /// What it is started with besides.
    more: Vec<OsString>,
    child: Option<Child>,
}

/// Where the server's program is, and what it calls itself; or why there is none.
pub fn program() -> Result<(PathBuf, String), String> {
    let output =
        Command::new(SCRIPT).arg("--where").output().map_err(|error| format!("{SCRIPT}: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let (program, version) = said.split_once(' ').ok_or_else(|| format!("{SCRIPT} said `{said}`"))?;
    Ok((program.into(), version.to_owned()))
}

impl MongoServer {
    /// Starts one below `dir` that knows [`USER`], and nobody else.
    pub fn start(dir: &Path) -> Result<Self, LocalError> {
        Self::start_with(dir, &[])
    }

    /// The same with more arguments.
    pub fn start_with(dir: &Path, more: &[OsString]) -> Result<Self, LocalError> {
        let (program, version) = program().map_err(|reason| LocalError::process("secantusd-rs", reason))?;
        let dir = dir.join("mongodb");
        std::fs::create_dir_all(&dir).map_err(LocalError::file(&dir))?;
        // Beside the server's own files: the user may not have been made although there are some.
        let made = dir.with_extension("user");
        let (port, more) = (Port::take()?, more.to_vec());
        let mut server = Self { program, version, dir, port, more, child: None };
        if !made.exists() {
            server.launch(&[])?;
            first_user::create(server.port(), USER, PASSWORD)
                .map_err(|problem| LocalError::process("secantusd-rs", problem))?;
            server.end();
            std::fs::write(&made, "").map_err(LocalError::file(&made))?;
        }
        server.restart()?;
        Ok(server)
    }

    /// What it calls itself.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The section `[mongodb]` of a manager that uses it.
    pub fn section(&self, database: &str) -> String {
        format!(
            "[mongodb]\nhost = \"127.0.0.1\"\nport = \"{}\"\nuser = \"{USER}\"\npassword = \"{PASSWORD}\"\n\
             database = \"{database}\"\noptions = \"authSource=admin&directConnection=true&ssl=false\"\n",
            self.port()
        )
    }

    /// Starts it again on the same port and directory, and waits until it listens.
    pub fn restart(&mut self) -> Result<(), LocalError> {
        let words = ["--auth", "--sync-on-commit"].map(OsString::from);
        self.launch(&[&words[..], &self.more].concat())
    }

    fn launch(&mut self, more: &[OsString]) -> Result<(), LocalError> {
        let mut command = Command::new(&self.program);
        command.arg("--port").arg(self.port().to_string()).arg("--storage-path").arg(&self.dir).args(more);
        let failed = |problem: String| LocalError::process("secantusd-rs", problem);
        let path = self.dir.with_extension("log");
        let log = File::options().create(true).append(true).open(&path).map_err(LocalError::file(&path))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // Ctrl-C on a terminal is for whoever started it: the daemons end first.
        command.process_group(0);
        let child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let port = self.port();
        let child = self.child.insert(child);
        let begun = Instant::now();
        let (_never, pause) = mpsc::channel::<()>();
        loop {
            let answers = answers(port);
            // Looked at afterwards: who answers while the server is there is the server.
            if let Ok(Some(status)) = child.try_wait() {
                let log = std::fs::read_to_string(&path).unwrap_or_default();
                return Err(failed(format!(
                    "it ended: {status}: {}",
                    log.lines().last().unwrap_or_default()
                )));
            }
            if answers {
                return Ok(());
            }
            if begun.elapsed() > LISTENS_WITHIN {
                return Err(failed("it does not listen".into()));
            }
            // A wait that nothing ends early.
            let _ = pause.recv_timeout(LOOK_AGAIN);
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it where it is: its connections stay and nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends it as an operator would.
    pub fn end(&mut self) {
        self.signal(Signal::TERM);
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().map(Child::id).and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// Whether somebody listens there. A connection to a port that nobody listens on may come to meet itself.
fn answers(port: u16) -> bool {
    let ends = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .and_then(|stream| Ok((stream.local_addr()?, stream.peer_addr()?)));
    ends.is_ok_and(|(ours, theirs)| ours != theirs)
}

impl Drop for MongoServer {
    fn drop(&mut self) {
        self.kill();
    }
}
