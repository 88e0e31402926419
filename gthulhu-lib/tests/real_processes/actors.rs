//! Real processes that do as they are told over their standard input.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use tempfile::TempDir;

use crate::pods::Container;

/// What a shell does that plays a container's process; every order is answered by one line.
const SHELL: &str = r#"
while read -r order name; do
    case $order in
        fork) "$0" -c 'read -r end' <"$fifo" & echo $! ;;
        copy) (read -r end) <"$fifo" & echo $! ;;
        end) echo end >"$fifo"; echo ok ;;
        kill) kill -9 $!; wait $!; echo ok ;;
        rename) printf %s "$name" >/proc/$$/comm; echo ok ;;
        exec) exec "$bin/$name" -c "$script" "$bin/$name" ;;
    esac
done
"#;

/// A process in a cgroup, killed and waited for at the end.
pub(crate) struct Actor {
    child: Child,
    answers: BufReader<ChildStdout>,
    /// Holds the programs (links to the shell under other names) and the pipe to the forked child.
    _dir: TempDir,
}

impl Actor {
    /// Starts a shell under this name and moves it into the container.
    pub(crate) fn named(name: &str, container: &Container) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        for name in [name, "master", "other"] {
            symlink("/bin/sh", dir.path().join(name)).expect("a link");
        }
        let fifo = dir.path().join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs");
        assert!(made.success(), "mkfifo");
        let program = dir.path().join(name);
        let mut command = Command::new(&program);
        command.arg0("sh").args(["-c", SHELL]).arg(&program);
        command.env("bin", dir.path()).env("fifo", &fifo).env("script", SHELL);
        Self::start(command, dir, container)
    }

    /// Starts this test's own program under this name, as a process that makes threads and idle processes.
    pub(crate) fn threaded(name: &str, container: &Container) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let program = dir.path().join(name);
        symlink(std::env::current_exe().expect("this test is a program"), &program).expect("a link");
        let mut command = Command::new(&program);
        command
            .args(["--exact", "actors::makes_threads_when_told", "--nocapture"])
            .env("GTHULHU_TEST_THREADS", "1");
        let mut actor = Self::start(command, dir, container);
        while actor.answer() != "ready" {}
        actor
    }

    /// Returns only when the program runs, so it has its name.
    fn start(mut command: Command, dir: TempDir, container: &Container) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
        container.add(child.id());
        let answers = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        Self { child, answers, _dir: dir }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn move_to(&self, container: &Container) {
        container.add(self.pid());
    }

    /// Starts a child of the same name and gives its pid.
    pub(crate) fn fork(&mut self) -> u32 {
        self.order("fork").parse().expect("a pid")
    }

    /// Starts a child that begins no program of its own; returns before it is there.
    pub(crate) fn begin_copy(&mut self) {
        self.tell("copy");
    }

    /// Waits for that child, and gives its pid.
    pub(crate) fn copied(&mut self) -> u32 {
        self.answer().parse().expect("a pid")
    }

    /// Kills the child and waits for it.
    pub(crate) fn kill_child(&mut self) {
        self.order("kill");
    }

    /// Lets the child end.
    pub(crate) fn end_child(&mut self) {
        self.order("end");
    }

    /// Gives the process another name.
    pub(crate) fn rename(&mut self, name: &str) {
        self.order(&format!("rename {name}"));
    }

    /// Runs another program (`master` or `other`) in place of this one.
    pub(crate) fn exec(&mut self, name: &str) {
        self.tell(&format!("exec {name}"));
    }

    /// Starts a thread and gives its tid.
    pub(crate) fn start_thread(&mut self) -> u32 {
        self.order("start").parse().expect("a tid")
    }

    /// Starts an idle process, which is in this one's cgroup from the beginning, and gives its pid.
    pub(crate) fn start_idle(&mut self) -> u32 {
        self.order("idle").parse().expect("a pid")
    }

    /// Ends the idle process and waits for it: its number is free then.
    pub(crate) fn end_idle(&mut self) {
        self.order("end");
    }

    /// Ends the thread that was started.
    pub(crate) fn end_thread(&mut self) {
        self.order("end");
    }

    /// Kills the process without waiting for it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("our own child can be killed");
    }

    fn order(&mut self, order: &str) -> String {
        self.tell(order);
        self.answer()
    }

    fn tell(&mut self, order: &str) {
        let input = self.child.stdin.as_mut().expect("standard input is a pipe");
        writeln!(input, "{order}").expect("the process listens");
    }

    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            let bytes = self.answers.read_line(&mut line).expect("the process answers");
            assert!(bytes > 0, "the process ended");
            // What is itself a test is said to run long by its harness.
            if !line.starts_with("test ") {
                return line.trim_end().to_owned();
            }
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A process that does nothing and is in no pod unless moved into one; killed and waited for at the end.
pub(crate) struct Idle(Child);

impl Idle {
    pub(crate) fn start() -> Self {
        let mut command = Command::new("sleep");
        command.arg("1000").stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().expect("sleep runs"))
    }

    /// Tries to start one that gets this pid, which must be free.
    pub(crate) fn with_pid(pid: u32) -> Option<Self> {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).ok()?;
        let idle = Self::start();
        (idle.pid() == pid).then_some(idle)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

fn end(child: &mut Child) {
    // Fails only if it ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

/// Field 22 of a process's `stat`.
pub(crate) fn start_time(pid: u32) -> u64 {
    let pid = i32::try_from(pid).expect("pids are small");
    let stat =
        procfs::process::Process::new(pid).and_then(|process| process.stat()).expect("the process lives");
    stat.starttime
}

/// The process that [`Actor::threaded`] starts. Run as an ordinary test it does nothing.
#[test]
fn makes_threads_when_told() {
    if std::env::var_os("GTHULHU_TEST_THREADS").is_none() {
        return;
    }
    println!("\nready");
    let (mut threads, mut idle) = (Vec::new(), None);
    for order in std::io::stdin().lines() {
        match order.expect("orders are text").as_str() {
            "start" => {
                let (tid, thread) = waiting_thread();
                threads.push(thread);
                println!("{tid}");
            }
            "idle" => println!("{}", idle.insert(Idle::start()).pid()),
            _ => {
                idle = None;
                for (end, thread) in threads.drain(..) {
                    drop(end);
                    thread.join().expect("the thread ends well");
                }
                println!("ok");
            }
        }
    }
}

/// Starts a thread that ends when the sender is dropped, and gives its tid.
fn waiting_thread() -> (String, (mpsc::Sender<()>, thread::JoinHandle<()>)) {
    let (end, ended) = mpsc::channel();
    let (send_tid, tid) = mpsc::channel();
    let thread = thread::spawn(move || {
        let own = Path::new("/proc/thread-self").read_link().expect("/proc is mounted");
        let tid = own.file_name().expect("a tid").to_string_lossy().into_owned();
        send_tid.send(tid).expect("the main thread listens");
        let _ = ended.recv();
    });
    (tid.recv().expect("the thread says its tid"), (end, thread))
}
