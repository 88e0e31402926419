//! Intents to processes to strategies: the synchronous core of Gthulhu.
//!
//! ```text
//!   strategies x pods                    what users ask for, and what runs where
//!          | derive                      (in the manager)
//!          v
//!       intents    one strategy applied to one pod of one node
//!          |                    processes of pods
//!          |                          ^
//!          |                          |  ProcessSource: snapshot, changes
//!          |                      pod index
//!          |  resolve                 |
//!          +------------+-------------+
//!                       v
//!                 one winner per task       explain: why this one
//!                       |
//!                       v
//!                 StrategyTable             wait-free, by pid, whole generations, for any process
//!                       |
//!                 schedulers look tasks up
//! ```
//!
//! An [`Engine`](engine::Engine) is all that a node needs: give it a set of intents, let it look at processes,
//! and read what came of it as rows, as a difference, or from the shared table. The rest of the crate is there
//! to be read when one of these steps is in question:
//!
//! - [`intent`] and [`wire`]: what travels between programs, and what of it is accepted.
//! - [`mod@derive`] and [`selector`]: which pods a strategy means. Only the manager needs them.
//! - [`process`]: who is in which pod. This is the part that hostile containers would like to deceive.
//! - [`pod_index`], [`matcher`] and [`resolve`]: who gets what; [`explain`]: why.
//! - [`strategy`]: the scale of priorities and slices, the table and its layout.
//!
//! What is not here on purpose: no sockets, no threads, no async, no logging and no clock. Calls return when the
//! work is done, nothing happens between calls, and only looking at processes can fail.
//!
//! # Example
//!
//! A planted proc tree stands in for a node that runs one process of one pod.
//!
//! ```
//! use std::fs;
//!
//! use gthulhu_lib::engine::{Engine, EngineOptions};
//! use gthulhu_lib::intent::{Limits, set::IntentSet};
//! use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};
//! use gthulhu_lib::wire::IntentBody;
//!
//! let pod = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
//! let node = tempfile::tempdir()?;
//! let process = node.path().join("4242");
//! fs::create_dir_all(process.join("task"))?;
//! fs::write(process.join("cgroup"), format!("0::/kubepods/burstable/pod{pod}/web\n"))?;
//! fs::write(process.join("stat"), "4242 (nginx) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 98765 0\n")?;
//!
//! let intent = IntentBody {
//!     pod_id: pod.to_owned(),
//!     command_regex: "nginx|worker".to_owned(),
//!     priority: 3,
//!     execution_time: 20_000_000,
//!     ..IntentBody::default()
//! };
//! let intents = IntentSet::check(vec![intent], &Limits::default())?;
//!
//! let options = WalkOptions { proc_root: node.path().to_owned(), ..WalkOptions::default() };
//! let mut engine = Engine::new(Box::new(ProcWalk::new(options)?), EngineOptions::default());
//! let table = engine.table(); // may be read from any thread
//! engine.apply(intents)?;
//!
//! let entry = table.lookup_task(4242, 98765).ok_or("governed")?;
//! assert_eq!((entry.resolved().priority(), entry.resolved().slice_ns()), (3, 20_000_000));
//! assert_eq!(table.lookup_task(4242, 99999), None); // a later process with the same number
//!
//! fs::remove_dir_all(process)?; // it ends
//! fs::create_dir(node.path().join("1"))?;
//! engine.refresh()?;
//! assert_eq!(table.lookup(4242), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(missing_docs)]
// Strangers call this crate: the daemons' own may leave to an error's type what is said here function by function.
#![deny(clippy::missing_errors_doc, clippy::missing_panics_doc)]

pub mod derive;
pub mod engine;
pub mod explain;
pub mod id;
pub mod intent;
pub mod labels;
pub mod matcher;
pub mod pod_index;
pub mod process;
pub mod resolve;
pub mod selector;
pub mod strategy;
pub mod wire;
