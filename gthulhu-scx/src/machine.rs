//! What the loop asks of the kernel: a scheduler that can be attached, and ends. The real one is in
//! [`crate::scheduler`]; tests of the loop have one of their own.

use std::os::fd::BorrowedFd;

use crate::govern::GovernError;
use crate::maps::{Event, KernelMaps};
use crate::supervise::Ended;

/// Fills the maps of a scheduler that is loaded and not yet attached.
pub type Fill<'a> = dyn FnMut(&mut dyn KernelMaps) -> Result<(), GovernError> + 'a;

/// Where schedulers can be attached.
pub trait Machine {
    /// One that is.
    type Attached: Attachment;

    /// Loads the programs, has their maps filled, and attaches them: strategies act from the first enqueue on.
    fn attach(&mut self, fill: &mut Fill<'_>) -> Result<Self::Attached, AttachError>;

    /// Whether a scheduler on this kernel enforces CPU limits.
    fn enforces_limits(&self) -> bool;
}

/// A scheduler that is attached. Dropping it detaches it, as does the end of the process.
pub trait Attachment {
    /// Its maps.
    fn maps(&mut self) -> &mut dyn KernelMaps;

    /// Readable when there are events.
    fn events_fd(&self) -> BorrowedFd<'_>;

    /// The events since the last call. Does not wait.
    fn events(&mut self) -> Vec<Event>;

    /// Why it is not attached any more; `None` while it is.
    fn ended(&mut self) -> Option<Departure>;
}

/// Why a scheduler is not attached any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// For the supervisor.
    pub why: Ended,
    /// For people.
    pub text: String,
}

/// Why a scheduler could not be attached.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct AttachError {
    /// What is the matter.
    pub kind: AttachErrorKind,
    /// For people.
    pub text: String,
}

/// See [`AttachError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachErrorKind {
    /// This kernel lacks something.
    Unsupported,
    /// The kernel does not accept the programs.
    Rejected,
    /// This process may not.
    NoPermission,
    /// Another scheduler is attached.
    Busy,
    /// Anything else.
    Failed,
}
