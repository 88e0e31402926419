//! The real program, started, asked and stopped as an operator would.

use std::fmt::Display;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use gthulhu_lib::wire::feed::TaskInKernel;
use gthulhu_scx::control::{self, Question};
use gthulhu_scx::maps::CgroupCounters;
use gthulhu_scx::stats::Stats;
use gthulhu_scx::status::Status;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{PATIENCE, Puppet, Seen, run, stage, state, until, until_within};

/// What it writes.
pub(crate) const LOG: &str = "/run/scheduler.log";
const INTENTS: &str = "/run/intents.json";
const SOCKET: &str = "/run/gthulhu/scx.sock";

/// How it is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setting {
    /// Another program than the staged one.
    pub(crate) program: Option<PathBuf>,
    /// What it is started by, such as `setpriv` with its arguments.
    pub(crate) by: Vec<String>,
    /// Settings by their names in the environment.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    /// All that it wrote.
    pub(crate) said: String,
}

/// Killed with the value, if it still runs.
pub(crate) struct Scheduler {
    child: Child,
    program: PathBuf,
    socket: PathBuf,
    intents: PathBuf,
    /// How long it may take with whatever is waited for here, in nanoseconds.
    patience: u64,
}

impl Scheduler {
    /// The staged program.
    pub(crate) fn program() -> PathBuf {
        stage().join("gthulhu-scx")
    }

    /// Attached, with these intents.
    pub(crate) fn with(intents: &Value) -> Scheduler {
        let mut scheduler = Scheduler::start(Setting::default(), intents);
        scheduler.await_attached();
        scheduler
    }

    /// Started, and not waited for.
    pub(crate) fn start(setting: Setting, intents: &impl Display) -> Scheduler {
        write_intents(Path::new(INTENTS), intents);
        let program = setting.program.unwrap_or_else(Scheduler::program);
        let mut words = setting.by;
        words.push(program.display().to_string());
        let log = File::create(LOG).expect("the guest's /run is writable");
        let child = Command::new(&words[0])
            .args(&words[1..])
            .args(["run", "--intents", INTENTS])
            .envs(setting.settings)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be opened twice"))
            .stderr(log)
            .spawn()
            .expect("the scheduler can be started");
        Scheduler {
            child,
            program: Scheduler::program(),
            socket: SOCKET.into(),
            intents: INTENTS.into(),
            patience: PATIENCE,
        }
    }

    /// The same one, which may take so many nanoseconds.
    pub(crate) fn given(mut self, patience: u64) -> Scheduler {
        self.patience = patience;
        self
    }

    /// Waits until the kernel has it and it answers.
    pub(crate) fn await_attached(&mut self) {
        until_within(self.patience, "the scheduler is attached", || {
            let ended = self.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "the scheduler ended instead of attaching: {ended:?}");
            state() == "enabled" && self.socket.exists()
        });
    }

    /// Replaces the file of intents; the scheduler notices by itself.
    pub(crate) fn gets(&self, intents: &impl Display) {
        write_intents(&self.intents, intents);
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What `status` tells.
    pub(crate) fn status(&self) -> Status {
        serde_json::from_value(self.answers(Question::Status)).expect("the answer is a status")
    }

    /// What `stats` tells.
    pub(crate) fn stats(&self) -> Stats {
        serde_json::from_value(self.answers(Question::Stats)).expect("the answer is counters")
    }

    /// What the program prints when it is started with these words beside the one that runs.
    pub(crate) fn tells(&self, words: &[&str]) -> String {
        let mut said = None;
        until_within(self.patience, "the scheduler answers", || {
            said = run(&self.program.display().to_string(), words).ok();
            said.is_some()
        });
        said.expect("what was waited for")
    }

    /// Asks over the socket, as the program's verbs do: tests ask often, and starting a program takes an emulated machine
    /// long. Asks again until there is an answer: while it loads there is none.
    fn answers(&self, question: Question) -> Value {
        let mut answer = None;
        until_within(self.patience, "the scheduler answers", || {
            answer = control::ask(&self.socket, question).ok();
            answer.is_some()
        });
        answer.expect("what was waited for")
    }

    /// The counters of a cgroup with a rule, by its path from the root of the tree.
    pub(crate) fn counts(&self, cgroup: &Path) -> CgroupCounters {
        let path =
            format!("/{}", cgroup.strip_prefix("/sys/fs/cgroup").expect("a cgroup's folder").display());
        let stats = self.stats();
        *stats.cgroups.get(&path).unwrap_or_else(|| panic!("{path} has no rule, only {:?}", stats.cgroups))
    }

    /// How the kernel side sees a task, by `explain`; `None` if there is no such task, or no kernel side.
    pub(crate) fn sees(&self, tid: u32) -> Option<TaskInKernel> {
        let answer = self.answers(Question::Explain { pid: tid });
        serde_json::from_value(answer.get("task")?.clone()).ok()
    }

    /// Waits until the kernel side sees the task so, and tells how.
    pub(crate) fn comes_to_see(
        &self,
        what: &str,
        tid: u32,
        is_so: impl Fn(&TaskInKernel) -> bool,
    ) -> TaskInKernel {
        let mut seen = None;
        until_within(self.patience, what, || {
            seen = self.sees(tid).filter(&is_so);
            seen.is_some()
        });
        seen.expect("what was waited for")
    }

    /// Lets the puppet wake up until the kernel side has enqueued it once more at least, and tells how it sees it then.
    pub(crate) fn sees_anew(&self, puppet: &mut Puppet) -> TaskInKernel {
        let before = self.sees(puppet.pid()).map_or(0, |seen| seen.enqueues);
        self.wakes(puppet, "the process is enqueued", |seen| seen.enqueues > before)
    }

    /// Waits until the puppet has a strategy, and tells how the kernel side sees it.
    pub(crate) fn governs(&self, puppet: &mut Puppet) -> TaskInKernel {
        self.wakes(puppet, "the process has its strategy", Seen::is_governed)
    }

    /// Waits until it is decided that the puppet has no strategy, and tells how the kernel side sees it.
    pub(crate) fn leaves_alone(&self, puppet: &mut Puppet) -> TaskInKernel {
        self.wakes(puppet, "the process has no strategy", Seen::is_left_alone)
    }

    fn wakes(&self, puppet: &mut Puppet, what: &str, is_so: impl Fn(&TaskInKernel) -> bool) -> TaskInKernel {
        let mut seen = None;
        until_within(self.patience, what, || {
            puppet.wakes_up();
            seen = self.sees(puppet.pid()).filter(&is_so);
            seen.is_some()
        });
        seen.expect("what was waited for")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a child has a pid");
        kill_process(pid, signal).expect("a child that was not waited for takes signals");
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> End {
        let mut code = None;
        until_within(self.patience, "the scheduler ends", || {
            let status = self.child.try_wait().expect("a child can be waited for");
            code = status.and_then(|status| status.code());
            status.is_some()
        });
        End { code, said: fs::read_to_string(LOG).unwrap_or_default() }
    }

    /// Asks it to end; it leaves nothing attached.
    pub(crate) fn stops(self) {
        self.signal(Signal::TERM);
        let end = self.end();
        assert_eq!(end.code, Some(0), "a scheduler that is told to ends well");
        until("the kernel's own scheduler is back", || state() == "disabled");
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_intents(file: &Path, intents: &impl Display) {
    // Renamed into place, as editors do it: nobody reads half a file.
    let new = file.with_extension("new");
    fs::write(&new, intents.to_string()).expect("the guest's /run is writable");
    fs::rename(&new, file).expect("a file can be renamed in its folder");
}
