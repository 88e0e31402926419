//! What every daemon tells of itself, under the names that all Prometheus clients use.

use std::collections::HashMap;

use procfs::{ProcResult, WithCurrentSystemInfo as _};
use prometheus::{
    Counter, Error, Gauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};

/// The series of this process, read when the page is asked for.
#[derive(Debug, Clone)]
pub(super) struct Process {
    cpu_seconds: Counter,
    gauges: [Gauge; 5],
    descs: Vec<Desc>,
}

const GAUGES: [(&str, &str); 5] = [
    ("process_resident_memory_bytes", "Resident memory"),
    ("process_virtual_memory_bytes", "Virtual memory"),
    ("process_threads", "Threads"),
    ("process_start_time_seconds", "When the process started, since 1970"),
    ("process_open_fds", "Open file descriptors"),
];

/// One reading: seconds of CPU, and the values of [`GAUGES`].
struct Reading {
    cpu_seconds: f64,
    gauges: [f64; 5],
}

impl Process {
    pub(super) fn new() -> Result<Process, Error> {
        let cpu_seconds = Counter::new("process_cpu_seconds_total", "CPU time spent")?;
        let [resident, virtual_memory, threads, start, fds] =
            GAUGES.map(|(name, help)| Gauge::new(name, help));
        let gauges = [resident?, virtual_memory?, threads?, start?, fds?];
        let mut descs = Vec::new();
        for family in collect(&cpu_seconds, &gauges) {
            let (name, help) = (family.name().to_owned(), family.help().to_owned());
            descs.push(Desc::new(name, help, Vec::new(), HashMap::new())?);
        }
        Ok(Process { cpu_seconds, gauges, descs })
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    /// Nothing when /proc cannot be read: a gap says so, an old value would not.
    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(reading) = read() else { return Vec::new() };
        // CPU time never falls, so the difference is never negative but for rounding.
        self.cpu_seconds.inc_by((reading.cpu_seconds - self.cpu_seconds.get()).max(0.0));
        for (gauge, value) in self.gauges.iter().zip(reading.gauges) {
            gauge.set(value);
        }
        collect(&self.cpu_seconds, &self.gauges)
    }
}

fn collect(cpu_seconds: &Counter, gauges: &[Gauge]) -> Vec<MetricFamily> {
    gauges.iter().flat_map(Gauge::collect).chain(cpu_seconds.collect()).collect()
}

#[expect(clippy::cast_precision_loss, reason = "the text format has doubles only")]
fn read() -> ProcResult<Reading> {
    let process = procfs::process::Process::myself()?;
    let stat = process.stat()?;
    let ticks = procfs::ticks_per_second() as f64;
    let started = procfs::boot_time_secs()? as f64 + stat.starttime as f64 / ticks;
    Ok(Reading {
        cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
        gauges: [
            stat.rss_bytes().get() as f64,
            stat.vsize as f64,
            stat.num_threads as f64,
            started,
            process.fd_count()? as f64,
        ],
    })
}
