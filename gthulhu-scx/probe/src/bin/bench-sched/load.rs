//! What runs while something is measured: hogs, and the probe itself.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use gthulhu_probe::hog::Report;
use gthulhu_probe::samples::Summary;
use gthulhu_probe::{clock, cpu_time};

const STEP: u64 = 20_000_000;

/// How the probe itself is scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Like everybody.
    Normal,
    /// `SCHED_FIFO`: the least latency that this machine has to give.
    Fifo,
}

/// Processes of one thread each that compute until they are stopped.
pub(crate) struct Hogs(Vec<Child>);

impl Hogs {
    /// Starts one in each of the cgroups.
    pub(crate) fn start(probe: &Path, cgroups: &[PathBuf]) -> io::Result<Hogs> {
        let mut hogs = Hogs(Vec::with_capacity(cgroups.len()));
        for cgroup in cgroups {
            let mut command = Command::new(probe);
            command.arg("--cgroup").arg(cgroup).arg("hog").stdin(Stdio::piped()).stdout(Stdio::piped());
            hogs.0.push(command.spawn()?);
        }
        Ok(hogs)
    }

    /// Starts a single one with so many threads. All of them are there when this returns.
    pub(crate) fn crowd(probe: &Path, cgroup: &Path, threads: u32) -> io::Result<Hogs> {
        let mut command = Command::new(probe);
        command.arg("--cgroup").arg(cgroup).args(["hog", "--threads"]).arg(threads.to_string());
        let mut crowd = Hogs(vec![command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?]);
        while crowd.thread_times().len() < threads as usize {
            if let Some(status) = crowd.0[0].try_wait()? {
                return Err(io::Error::other(format!("a hog of {threads} threads ended with {status}")));
            }
            clock::sleep(STEP);
        }
        Ok(crowd)
    }

    /// CPU time that each thread that computes has had until now, in nanoseconds.
    pub(crate) fn thread_times(&self) -> Vec<u64> {
        // The first thread of each only waits for the end.
        self.0.iter().flat_map(|hog| cpu_time::of_threads(hog.id()).into_iter().skip(1)).collect()
    }

    /// CPU time that each has had until now, in nanoseconds.
    pub(crate) fn cpu_times(&self) -> Vec<u64> {
        self.0.iter().map(|hog| cpu_time::of_process(hog.id())).collect()
    }

    /// Ends them. Units of work for each millisecond of one hog's CPU time: what the machine was worth to them.
    pub(crate) fn stop(mut self) -> io::Result<f64> {
        let (mut work, mut cpu) = (0, 0);
        for hog in &mut self.0 {
            drop(hog.stdin.take());
        }
        for hog in &mut self.0 {
            let report: Report = serde_json::from_str(&output_of(hog)?)?;
            work += report.work;
            cpu += report.elapsed_ns;
        }
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        Ok(work as f64 * 1e6 * self.0.len() as f64 / cpu.max(1) as f64)
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

/// A neighbour that wakes up every millisecond, until the value is dropped: it keeps the kernel busy, not the CPU.
pub(crate) struct Pulse(Child);

impl Pulse {
    /// Starts it in the cgroup.
    pub(crate) fn start(probe: &Path, cgroup: &Path) -> io::Result<Pulse> {
        let mut command = Command::new(probe);
        command.arg("--cgroup").arg(cgroup).arg("pulse").stdin(Stdio::piped());
        command.spawn().map(Pulse)
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Wakes the probe up in the cgroup for so many guest seconds.
pub(crate) fn probe(program: &Path, cgroup: &Path, seconds: u32, class: Class) -> io::Result<Summary> {
    let mut command = match class {
        Class::Normal => Command::new(program),
        Class::Fifo => {
            let mut chrt = Command::new("chrt");
            chrt.args(["-f", "50"]).arg(program);
            chrt
        }
    };
    command.arg("--cgroup").arg(cgroup).args(["wake", "--json", "--seconds"]).arg(seconds.to_string());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    Ok(serde_json::from_str(&output_of(&mut child)?)?)
}

fn output_of(child: &mut Child) -> io::Result<String> {
    let mut text = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut text)?;
    }
    let status = child.wait()?;
    if status.success() { Ok(text) } else { Err(io::Error::other(format!("the probe ended with {status}"))) }
}
