//! A process that does as it is told; `gthulhu_probe::puppet` has the orders.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::stage;

/// Makes this program play the probe; inherited by what the probe starts.
pub(crate) const PROBE: &str = "GTHULHU_TEST_PLAYS_PROBE";

/// Ends with the value.
pub(crate) struct Puppet {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Puppet {
    /// Starts the program in the cgroup; it is there, and ready, when this returns.
    pub(crate) fn start(program: &Path, cgroup: &Path) -> Puppet {
        let mut child = Command::new(program)
            .env(PROBE, "1")
            .arg("--cgroup")
            .arg(cgroup)
            .args(["puppet", "--greet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a puppet can be started");
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        let answers = BufReader::new(answers.expect("its output is a pipe"));
        let mut puppet = Puppet { child, orders, answers };
        assert_eq!(puppet.answer(), "ok", "a puppet greets when it is ready");
        puppet
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives an order and waits for the answer.
    pub(crate) fn does(&mut self, order: &str) -> String {
        let orders = self.orders.as_mut().expect("a puppet has its input until it ends");
        writeln!(orders, "{order}").expect("a puppet reads its orders");
        let answer = self.answer();
        assert!(!answer.starts_with("error"), "{order}: {answer}");
        answer
    }

    /// Gives an order whose answer is a number of a task.
    pub(crate) fn makes(&mut self, order: &str) -> u32 {
        self.does(order).parse().expect("the answer is a number")
    }

    /// Becomes the program that this path names.
    pub(crate) fn becomes(&mut self, program: &Path) {
        assert_eq!(self.does(&format!("exec {}", program.display())), "ok");
    }

    /// Enters the cgroup.
    pub(crate) fn enters(&mut self, cgroup: &Path) {
        self.does(&format!("move {}", cgroup.display()));
    }

    /// Lets it wake up a number of times.
    pub(crate) fn wakes_up(&mut self) {
        self.does("pulse 20");
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("a puppet answers");
        line.trim_end().to_owned()
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A hog or a probe: a helper that goes on by itself. Ends with the value.
pub(crate) struct Helper(pub(crate) Child);

impl Helper {
    /// Starts the program with these arguments in the cgroup.
    pub(crate) fn start(program: &Path, cgroup: &Path, arguments: &[&str]) -> Helper {
        let mut command = Command::new(program);
        command.env(PROBE, "1").arg("--cgroup").arg(cgroup).args(arguments);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Helper(child.expect("a helper can be started"))
    }

    /// A process in the cgroup whose first thread ends at once.
    pub(crate) fn leaderless(cgroup: &Path) -> Helper {
        let script = "echo $$ >$0/cgroup.procs; exec $1";
        let mut command = Command::new("bash");
        command.args(["-c", script]).arg(cgroup).arg(stage().join("leaderless"));
        Helper(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a helper can be started"))
    }

    /// The thread that it says is left.
    pub(crate) fn worker(&mut self) -> u32 {
        let output = self.0.stdout.as_mut().expect("its output is a pipe");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("it says a number");
        line.trim().parse().expect("it says a number")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
