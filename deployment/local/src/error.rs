//! What can go wrong on one machine, in the words a person at a terminal needs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the local stack or the demo stopped.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// This machine cannot hold the demo's pods; nothing was started. The commands exit with 77.
    #[error("{0}")]
    Unsupported(String),
    /// A file, directory or cgroup could not be made, read or removed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A process could not be started, ended early or did not become ready.
    #[error("{name}: {problem}")]
    Process {
        /// Its program.
        name: String,
        /// What happened, with the end of its log where there is one.
        problem: String,
    },
    /// A daemon did not answer.
    #[error("{call}: {problem}")]
    Http {
        /// Method and URL.
        call: String,
        /// What happened instead.
        problem: String,
    },
    /// A daemon answered, but not what the kernel or the request says.
    #[error("not seen: {0}")]
    NotSeen(String),
}

impl LocalError {
    /// A failure of `path`.
    pub fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { path, source }
    }

    /// A failure of the program `name`.
    pub fn process(name: &str, problem: impl fmt::Display) -> Self {
        Self::Process { name: name.to_owned(), problem: problem.to_string() }
    }

    /// The exit code of a command that ends with this error: 77 says that the machine cannot run it.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Unsupported(_)) { 77 } else { 1 }
    }
}
