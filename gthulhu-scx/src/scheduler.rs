//! The life of the scheduler in the kernel: load, fill the maps, attach, watch, detach.
//!
//! ```text
//!   Scheduler::load ──> Loaded ──attach──> Attached ──detach, drop, or the end of the process──> nothing
//!                         │ maps()           │ maps(), events(), exited()
//! ```
//!
//! Nothing is ever pinned: when this process ends, however it ends, the kernel goes back to its own scheduler.

mod exit;
mod features;
pub(crate) mod log;
mod maps;
mod reader;

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use libbpf_rs::skel::{OpenSkel, SkelBuilder};
use libbpf_rs::{ErrorKind, Link, MapCore, MapHandle};
use rustix::time::{ClockId, clock_getres};

use crate::bpf::{MainSkel, MainSkelBuilder, OpenMainSkel};
use crate::maps::layout;

pub use exit::{Exit, ExitKind};
pub use features::Features;
pub use maps::Maps;
pub use reader::EventReader;
pub(crate) use reader::epoll_of;

/// What the kernel side is told before it is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Slice of tasks whose strategy names none.
    pub default_slice: Duration,
    /// How long a task may wait before the kernel ends the scheduler; it takes at most 30 s.
    pub timeout: Duration,
    /// Whether `cpu.max` of cgroups is enforced where the kernel tells about it.
    pub honour_limits: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            default_slice: Duration::from_millis(4),
            timeout: Duration::from_secs(30),
            honour_limits: true,
        }
    }
}

/// Why the scheduler is not in the kernel.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// This kernel cannot have one.
    #[error("this kernel has no sched_ext: {0}")]
    Unsupported(String),
    /// The verifier found fault with a program. The whole log went to the debug log.
    #[error("the kernel's verifier rejects {program}: {reason}")]
    Rejected {
        /// Name of the program.
        program: String,
        /// What the verifier said last.
        reason: String,
    },
    /// A capability is missing.
    #[error("no permission to {step}: CAP_BPF and CAP_PERFMON are needed")]
    NoPermission {
        /// What was tried.
        step: &'static str,
    },
    /// Another sched_ext scheduler is attached. It is never replaced.
    #[error("another sched_ext scheduler is attached")]
    Busy,
    /// Anything else.
    #[error("cannot {step}: {reason}")]
    Other {
        /// What was tried.
        step: &'static str,
        /// What the library or the kernel said.
        reason: String,
    },
}

/// Where a scheduler comes from.
#[derive(Clone, Copy, Debug)]
pub struct Scheduler;

impl Scheduler {
    /// Has the kernel judge and take the programs; nothing is scheduled by them yet.
    pub fn load(options: &Options) -> Result<Loaded, LoadError> {
        let heard = log::listen();
        let features = Features::of_running_kernel()?;
        // One word for each load, never given back: the skeleton wants a place that outlives it. A process loads
        // a few times in its life.
        let place = Box::leak(Box::new(MaybeUninit::uninit()));
        let mut open =
            MainSkelBuilder::default().open(place).map_err(|error| failed("open the object", &error))?;
        configure(&mut open, options, features)?;
        let skeleton =
            open.load().map_err(|error| heard.rejection().unwrap_or_else(|| failed("load", &error)))?;
        let maps = Maps::of(&skeleton)?;
        let features = Features { limits: features.limits && options.honour_limits, ..features };
        Ok(Loaded { skeleton, maps, features })
    }
}

/// Settings, sizes, and no operation that this kernel does not know.
fn configure(open: &mut OpenMainSkel<'_>, options: &Options, features: Features) -> Result<(), LoadError> {
    let cpus = libbpf_rs::num_possible_cpus().map_err(|error| failed("count the CPUs", &error))?;
    let cpus = u32::try_from(cpus).unwrap_or(u32::MAX);
    let settings = open.maps.rodata_data.as_deref_mut().ok_or_else(|| LoadError::Other {
        step: "set options",
        reason: "the object has no settings".into(),
    })?;
    settings.default_slice_ns = nanoseconds(options.default_slice);
    settings.tick_ns = tick();
    settings.nr_cpus = cpus;
    settings.honour_limits = options.honour_limits && features.limits;
    open.maps.cpu_timers.set_max_entries(cpus).map_err(|error| failed("size the timers", &error))?;
    let ops = open.struct_ops.gthulhu_ops_mut();
    ops.timeout_ms = u32::try_from(options.timeout.as_millis()).unwrap_or(u32::MAX).min(30_000);
    features.empty_unknown(ops, options.honour_limits);
    Ok(())
}

/// Resolution of the coarse clock, which the kernel's tick advances.
fn tick() -> u64 {
    let tick = clock_getres(ClockId::MonotonicCoarse);
    u64::try_from(tick.tv_nsec).unwrap_or(0).clamp(1_000_000, 10_000_000)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn failed(step: &'static str, error: &libbpf_rs::Error) -> LoadError {
    match error.kind() {
        ErrorKind::PermissionDenied => LoadError::NoPermission { step },
        _ => LoadError::Other { step, reason: format!("{error:#}") },
    }
}

/// Taken by the kernel, not scheduling yet.
pub struct Loaded {
    skeleton: MainSkel<'static>,
    maps: Maps,
    features: Features,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("features", &self.features).finish_non_exhaustive()
    }
}

impl Loaded {
    /// The maps, to be filled before the first task is scheduled by them.
    pub fn maps(&mut self) -> &mut Maps {
        &mut self.maps
    }

    /// What this kernel lets the scheduler do.
    pub fn features(&self) -> Features {
        self.features
    }

    /// Makes it the scheduler of all tasks.
    pub fn attach(self) -> Result<Attached, LoadError> {
        let Self { mut skeleton, maps, features } = self;
        let watchers = watch(&mut skeleton).map_err(|error| failed("watch processes", &error))?;
        let exit =
            MapHandle::try_from(&skeleton.maps.data_exit).map_err(|error| failed("find maps", &error))?;
        let link =
            skeleton.maps.gthulhu_ops.attach_struct_ops().map_err(
                |error| match io::Error::last_os_error().raw_os_error() {
                    Some(code) if code == rustix::io::Errno::BUSY.raw_os_error() => LoadError::Busy,
                    _ => failed("attach", &error),
                },
            )?;
        Ok(Attached { link, watchers, exit, maps, features, skeleton })
    }
}

/// Attaches the programs that watch processes and cgroups.
fn watch(skeleton: &mut MainSkel<'static>) -> libbpf_rs::Result<Vec<Link>> {
    let progs = &skeleton.progs;
    [
        &progs.watch_fork,
        &progs.watch_exec,
        &progs.watch_rename,
        &progs.watch_move,
        &progs.watch_exit,
        &progs.watch_mkdir,
        &progs.watch_rmdir,
    ]
    .into_iter()
    .map(libbpf_rs::ProgramImpl::attach)
    .collect()
}

/// Scheduling all tasks, until it is dropped or the kernel ends it.
pub struct Attached {
    // Fields go in this order: first scheduling ends, then watching, then the object goes.
    link: Link,
    watchers: Vec<Link>,
    exit: MapHandle,
    maps: Maps,
    features: Features,
    skeleton: MainSkel<'static>,
}

impl std::fmt::Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attached").field("features", &self.features).finish_non_exhaustive()
    }
}

impl Attached {
    /// The maps.
    pub fn maps(&mut self) -> &mut Maps {
        &mut self.maps
    }

    /// What this kernel lets the scheduler do.
    pub fn features(&self) -> Features {
        self.features
    }

    /// A reader of the events. There should be one: each event goes to one reader only.
    pub fn events(&self) -> Result<EventReader, LoadError> {
        EventReader::new(&self.skeleton.maps.events).map_err(|error| failed("read events", &error))
    }

    /// Why the kernel has ended the scheduler; `None` while it has not.
    pub fn exited(&self) -> Option<Exit> {
        let value = self.exit.lookup(&0_u32.to_ne_bytes(), libbpf_rs::MapFlags::ANY).ok()??;
        let (kind, code, reason, message) = layout::exit(&value).ok()?;
        Exit::of(kind, code, reason, message)
    }

    /// Gives all tasks back to the kernel's scheduler. Returns how that was noted, if the kernel noted it.
    pub fn detach(self) -> Option<Exit> {
        let Self { link, watchers, exit, skeleton, .. } = self;
        drop(link);
        drop(watchers);
        let value = exit.lookup(&0_u32.to_ne_bytes(), libbpf_rs::MapFlags::ANY).ok()??;
        drop(skeleton);
        let (kind, code, reason, message) = layout::exit(&value).ok()?;
        Exit::of(kind, code, reason, message)
    }
}
