//! The programs in the kernel that watch processes: loaded, attached, and asked.

use std::io::{self, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{Iter, Link, MapCore as _, MapFlags, MapHandle, ProgramImpl, RingBuffer, RingBufferBuilder};

use super::layout::{self, TASK, Task, Told};
use crate::bpf::monitor::{MonitorSkel, MonitorSkelBuilder};
use crate::scheduler::{LoadError, epoll_of, failed, log};

/// Read of a listing at once. The kernel gives no more than half of this.
const PIECE: usize = 64 << 10;

/// In the kernel, and watching, until it is dropped. Nothing is pinned: it ends with this process, however that ends.
pub(super) struct Programs {
    parts: Parts,
    fd: OwnedFd,
    told: Arc<Mutex<Vec<Told>>>,
    lost: MapHandle,
    /// Reused for every listing.
    listed: Vec<u8>,
}

/// What the library has made. Fields go in this order: who watches, what they told, the object.
struct Parts {
    list: Link,
    _watchers: Vec<Link>,
    ring: RingBuffer<'static>,
    _skeleton: MonitorSkel<'static>,
}

// SAFETY: the library's objects are memory and descriptors of the process; none of them belongs to a thread. They are
// here by value, are handed on together, and what the ring calls back owns all that it uses and may be sent.
#[expect(
    unsafe_code,
    reason = "the library has bare pointers, which are not sent unless somebody vouches for them"
)]
unsafe impl Send for Parts {}

impl std::fmt::Debug for Programs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Programs").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

impl Programs {
    /// Has the kernel judge and take them, and attaches them.
    pub(super) fn load() -> Result<Self, LoadError> {
        let heard = log::listen();
        // One word for each load, never given back: the skeleton wants a place that outlives it.
        let place = Box::leak(Box::new(MaybeUninit::uninit()));
        let open =
            MonitorSkelBuilder::default().open(place).map_err(|error| failed("open the object", &error))?;
        let skeleton =
            open.load().map_err(|error| heard.rejection().unwrap_or_else(|| failed("load", &error)))?;
        let told = Arc::<Mutex<Vec<Told>>>::default();
        let ring = ring(&skeleton, Arc::clone(&told)).map_err(|error| failed("read events", &error))?;
        let fd = epoll_of(&ring)
            .map_err(|error| LoadError::Other { step: "read events", reason: error.to_string() })?;
        let lost =
            MapHandle::try_from(&skeleton.maps.data_lost).map_err(|error| failed("find maps", &error))?;
        let progs = &skeleton.progs;
        let list = progs.list_tasks.attach().map_err(|error| failed("list processes", &error))?;
        let watchers = [
            &progs.tell_begun,
            &progs.tell_program,
            &progs.tell_name,
            &progs.tell_moved,
            &progs.tell_ended,
            &progs.tell_cgroup_made,
            &progs.tell_cgroup_gone,
        ]
        .into_iter()
        .map(ProgramImpl::attach)
        .collect::<Result<_, _>>()
        .map_err(|error| failed("watch processes", &error))?;
        let parts = Parts { list, _watchers: watchers, ring, _skeleton: skeleton };
        Ok(Self { parts, fd, told, lost, listed: Vec::new() })
    }

    /// Every task of the machine but the kernel's own and those that have begun to end.
    pub(super) fn list(&mut self) -> io::Result<impl Iterator<Item = Task>> {
        let mut listing = Iter::new(&self.parts.list).map_err(io::Error::other)?;
        let mut length = 0;
        loop {
            self.listed.resize(self.listed.len().max(length + PIECE), 0);
            match listing.read(&mut self.listed[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                // Nothing was given yet, or the kernel wants to be asked again.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
        if length % TASK != 0 {
            return Err(io::Error::other(format!("a listing of {length} bytes is no number of tasks")));
        }
        Ok(layout::listing(&self.listed[..length]))
    }

    /// What was told since the last call, in the order in which it happened.
    pub(super) fn events(&mut self) -> io::Result<Vec<Told>> {
        self.parts.ring.consume().map_err(io::Error::other)?;
        Ok(std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// How many events could not be told, since the beginning.
    pub(super) fn lost(&self) -> io::Result<u64> {
        let value = self.lost.lookup(&0_u32.to_ne_bytes(), MapFlags::ANY).map_err(io::Error::other)?;
        let value = value.as_deref().and_then(|value| value.first_chunk()).copied();
        value.map(u64::from_ne_bytes).ok_or_else(|| io::Error::other("the count of lost events is not there"))
    }

    /// Readable while there are events.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Reads the ring into `told`.
fn ring(skeleton: &MonitorSkel<'_>, told: Arc<Mutex<Vec<Told>>>) -> libbpf_rs::Result<RingBuffer<'static>> {
    let mut builder = RingBufferBuilder::new();
    builder.add(&skeleton.maps.told, move |bytes| {
        if let Some(event) = layout::told(bytes) {
            told.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        } else {
            tracing::warn!(bytes = bytes.len(), "an event is not understood");
        }
        0
    })?;
    builder.build()
}
