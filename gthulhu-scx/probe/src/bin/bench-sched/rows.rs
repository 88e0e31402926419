//! The rows: what runs, and what comes out.

use std::io::{self, Write};
use std::path::PathBuf;
use std::slice;

use gthulhu_probe::clock;
use gthulhu_probe::samples::Summary;
use rustix::process::Signal;

use crate::decision_maker::DecisionMaker;
use crate::goals::{Goal, Goals, Verdict};
use crate::load::{Class, Hogs, Pulse, probe};
use crate::machine::{HOGS, Machine, alarms};
use crate::row::Row;
use crate::scheduler::Scheduler;

/// Tasks without a strategy beside the hogs of priority.
const NORMAL: usize = 3;
/// The strongest priority: what a hog can ask for.
const STRONGEST: u32 = 1;
/// The weakest priority of the latency class.
const WEAKEST: u32 = 9;

/// Guest seconds beside a crowd: more than the half minute for which the kernel lets a task wait.
const CROWD_SECONDS: u32 = 40;

/// Guest seconds, and how often.
pub(crate) struct Lengths {
    /// Of a latency row.
    pub(crate) latency: u32,
    /// Of a row of shares.
    pub(crate) share: u32,
    /// Before the decision maker and the scheduler's process are stopped, and while they are.
    pub(crate) stop: u32,
    /// Times that the scheduler's process is killed.
    pub(crate) kills: u32,
}

/// A run: rows are measured one after the other, each printed when it is done.
pub(crate) struct Bench<'a, W> {
    machine: Machine,
    lengths: Lengths,
    goals: Goals,
    /// The p99 of EEVDF and the work of the hogs beside it.
    eevdf: Option<(f64, f64)>,
    out: &'a mut W,
}

impl<'a, W: Write> Bench<'a, W> {
    pub(crate) fn new(machine: Machine, lengths: Lengths, out: &'a mut W) -> Bench<'a, W> {
        Bench { machine, lengths, goals: Goals::default(), eevdf: None, out }
    }

    /// What every other row is held against: the least latency that there is, and the kernel's own scheduler.
    pub(crate) fn controls(&mut self) -> io::Result<()> {
        let (fifo, _) = self.latency("fifo", Class::Fifo)?;
        self.goals.judge("control-fifo-p99-us", fifo.p99_us, Goal::Below(15.0), self.out)?;
        let (eevdf, work) = self.latency("eevdf", Class::Normal)?;
        self.eevdf = Some((eevdf.p99_us, work));
        // The same hogs as one neighbour: a case that the kernel's own scheduler already handles.
        let crowd = vec![self.machine.cgroup("crowd"); HOGS];
        self.beside("eevdf-one", Class::Normal, &crowd).map(drop)
    }

    /// Measures the row.
    pub(crate) fn row(&mut self, row: Row) -> io::Result<()> {
        let name = row.to_string();
        match row {
            // They have run.
            Row::Controls => Ok(()),
            Row::None => self.governed(&name, None),
            Row::Priority(priority) => self.governed(&name, Some(priority)),
            Row::Share(hogs) => self.share(&name, hogs),
            Row::Crowd(tasks) => self.crowd(&name, tasks),
            Row::Stopped => self.stopped(),
            Row::Killed => self.killed(),
        }
    }

    /// Whether every goal was met.
    pub(crate) fn verdict(&self) -> Verdict {
        self.goals.verdict()
    }

    /// One probe beside the hogs, each a neighbour of the same weight, under whatever scheduler there is.
    fn latency(&mut self, name: &str, class: Class) -> io::Result<(Summary, f64)> {
        let neighbours = self.machine.cgroups("hog", HOGS);
        self.beside(name, class, &neighbours)
    }

    fn beside(&mut self, name: &str, class: Class, hogs: &[PathBuf]) -> io::Result<(Summary, f64)> {
        let hogs = Hogs::start(&self.machine.probe(), hogs)?;
        let summary = probe(&self.machine.probe(), &self.machine.cgroup("pod"), self.lengths.latency, class)?;
        let work = hogs.stop()?;
        writeln!(self.out, "  {name:<10} {summary}  hogs {work:.1}/ms")?;
        Ok((summary, work))
    }

    fn governed(&mut self, name: &str, priority: Option<u32>) -> io::Result<()> {
        let pod: Vec<_> = priority.iter().map(|_| self.machine.cgroup("pod")).collect();
        let mut scheduler = Scheduler::start(&self.machine, &pod, priority.unwrap_or(0))?;
        let (summary, work) = self.latency(name, Class::Normal)?;
        self.attached(name, &mut scheduler)?;
        scheduler.end(Signal::TERM)?;
        let Some((eevdf, eevdf_work)) = self.eevdf else { return Ok(()) };
        let better = eevdf / summary.p99_us.max(0.001);
        if priority.is_some_and(|priority| (1..=9).contains(&priority)) {
            self.goals.judge(&format!("{name}-p99-us"), summary.p99_us, Goal::AtMost(25.0), self.out)?;
            self.goals.judge(&format!("{name}-below-eevdf"), better, Goal::AtLeast(100.0), self.out)?;
        } else {
            Goals::tell(&format!("{name}-below-eevdf"), better, self.out)?;
        }
        Goals::tell(&format!("{name}-hogs-work"), work / eevdf_work, self.out)
    }

    /// Hogs of the strongest priority beside tasks without a strategy.
    fn share(&mut self, name: &str, count: u32) -> io::Result<()> {
        let governed = self.machine.cgroups("pod", count as usize);
        let mut scheduler = Scheduler::start(&self.machine, &governed, STRONGEST)?;
        let program = self.machine.probe();
        let strong = Hogs::start(&program, &governed)?;
        let normal = Hogs::start(&program, &self.machine.cgroups("hog", NORMAL))?;
        clock::sleep(u64::from(self.lengths.share) * 1_000_000_000);
        let (strong_ns, normal_ns) = (strong.cpu_times(), normal.cpu_times());
        self.attached(name, &mut scheduler)?;
        drop((strong, normal));
        scheduler.end(Signal::TERM)?;

        let all = strong_ns.iter().chain(&normal_ns).sum::<u64>().max(1);
        let percent = |ns: &u64| percent(*ns, all);
        let list =
            |times: &[u64]| -> Vec<_> { times.iter().map(|ns| format!("{:.1}", percent(ns))).collect() };
        let (strong, normal) = (list(&strong_ns).join(" "), list(&normal_ns).join(" "));
        writeln!(self.out, "  {name:<10} priority {STRONGEST}: {strong}  normal: {normal} %")?;
        let together = percent(&normal_ns.iter().sum());
        self.goals.judge(&format!("{name}-normal-percent"), together, Goal::AtLeast(20.0), self.out)
    }

    /// More tasks than can have a turn each within a second, for longer than the kernel waits for any of them.
    fn crowd(&mut self, name: &str, count: u32) -> io::Result<()> {
        let (program, pod) = (self.machine.probe(), self.machine.cgroup("pod"));
        let mut scheduler = Scheduler::start(&self.machine, slice::from_ref(&pod), WEAKEST)?;
        let crowd = Hogs::crowd(&program, &self.machine.cgroup("crowd"), count)?;
        let before = crowd.thread_times();
        let summary = probe(&program, &pod, CROWD_SECONDS, Class::Normal)?;
        let after = crowd.thread_times();
        self.attached(name, &mut scheduler)?;
        drop(crowd);
        scheduler.end(Signal::TERM)?;

        let gains: Vec<u64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
        let milliseconds = |ns: Option<&u64>| ns.map_or(0, |ns| ns / 1_000_000);
        let (least, most) = (milliseconds(gains.iter().min()), milliseconds(gains.iter().max()));
        writeln!(self.out, "  {name:<10} {summary}  each task {least} to {most} ms")?;
        let unserved = u32::try_from(gains.iter().filter(|ns| **ns == 0).count()).unwrap_or(u32::MAX);
        self.goals.judge(&format!("{name}-unserved"), f64::from(unserved), Goal::AtMost(0.0), self.out)
    }

    /// The decision maker and the scheduler that it feeds are stopped under load: nobody may notice.
    ///
    /// Of a hundred wake-ups beside hogs alone one meets a tick or the like, so the p99 would lie on the edge between those
    /// that do and those that do not, and the little that both processes do would decide on which side. Beside a neighbour
    /// that keeps the kernel busy it lies well among those that do.
    fn stopped(&mut self) -> io::Result<()> {
        let (program, pod) = (self.machine.probe(), self.machine.container());
        let decision_maker = DecisionMaker::start(&self.machine, WEAKEST)?;
        let mut scheduler = Scheduler::fed(&self.machine, decision_maker.socket())?;
        let hogs = Hogs::start(&program, &self.machine.cgroups("hog", HOGS))?;
        let pulse = Pulse::start(&program, &self.machine.cgroup("crowd"))?;
        let before = probe(&program, &pod, self.lengths.stop, Class::Normal)?;
        writeln!(self.out, "  {:<10} {before}", "before")?;
        for process in [decision_maker.process(), scheduler.process()] {
            process.signal(Signal::STOP)?;
        }
        let during = probe(&program, &pod, self.lengths.stop, Class::Normal)?;
        writeln!(self.out, "  {:<10} {during}", "stopped")?;
        for process in [decision_maker.process(), scheduler.process()] {
            if !process.is_stopped()? {
                return Err(io::Error::other("a process that was to stand still has run"));
            }
            process.signal(Signal::CONT)?;
        }
        self.attached("stopped", &mut scheduler)?;
        drop((hogs, pulse));
        scheduler.end(Signal::TERM)?;
        decision_maker.end()?;
        let ratio = during.p99_us / before.p99_us.max(0.001);
        let moved = ratio.max(1.0 / ratio.max(0.001));
        self.goals.judge("stopped-p99-moved", moved, Goal::AtMost(1.1), self.out)
    }

    /// The scheduler's process dies under load, again and again: the kernel's own scheduler is back at once, and the kernel
    /// has nothing to say about it.
    fn killed(&mut self) -> io::Result<()> {
        let pod = self.machine.cgroup("pod");
        let mut slowest = 0;
        let before = alarms()?.len();
        for _ in 0..self.lengths.kills {
            let scheduler = Scheduler::start(&self.machine, slice::from_ref(&pod), WEAKEST)?;
            let hogs = Hogs::start(&self.machine.probe(), &self.machine.cgroups("hog", HOGS))?;
            // Its strategy acts, and the hogs have got going.
            probe(&self.machine.probe(), &pod, 1, Class::Normal)?;
            slowest = slowest.max(scheduler.end(Signal::KILL)?);
            drop(hogs);
        }
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let milliseconds = slowest as f64 / 1e6;
        writeln!(self.out, "  {:<10} {} times", "killed", self.lengths.kills)?;
        let alarms = alarms()?.split_off(before);
        for line in &alarms {
            writeln!(self.out, "  the kernel: {line}")?;
        }
        let count = u32::try_from(alarms.len()).unwrap_or(u32::MAX);
        self.goals.judge("killed-alarms", f64::from(count), Goal::AtMost(0.0), self.out)?;
        self.goals.judge("killed-back-after-ms", milliseconds, Goal::AtMost(1000.0), self.out)
    }

    /// The scheduler that was started is the one that ran, without a break.
    fn attached(&mut self, name: &str, scheduler: &mut Scheduler) -> io::Result<()> {
        let ejected = f64::from(u8::from(!scheduler.is_still_attached()?));
        self.goals.judge(&format!("{name}-ejections"), ejected, Goal::AtMost(0.0), self.out)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole as f64
}
