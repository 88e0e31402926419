//! A daemon: a program in the background that listens on HTTP and says when it is ready.

use std::path::Path;

use crate::background::{Background, arguments};
use crate::error::LocalError;
use crate::http::Api;
use crate::state::StateDir;
use crate::wait;

/// A running daemon. Dropping it ends it.
#[derive(Debug)]
pub struct Daemon {
    program: Background,
    url: String,
}

impl Daemon {
    /// Starts `name serve --config CONFIG`, to be reached at `url`.
    pub fn start(
        state: &StateDir,
        name: &str,
        config: &Path,
        url: &str,
        env: &[(&str, &str)],
    ) -> Result<Self, LocalError> {
        let program = Background::start(state, name, &arguments("serve", "--config", config), env)?;
        Ok(Self { program, url: url.to_owned() })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&mut self, api: &Api) -> Result<(), LocalError> {
        let waited = wait::until(async || {
            self.program.check()?;
            match api.get("/readyz?verbose").await {
                Ok(answer) if answer.status == 200 => Ok(Ok(())),
                Ok(answer) => Ok(Err(format!("{}: {}", answer.status, answer.text().trim_end()))),
                Err(error) => Ok(Err(error.to_string())),
            }
        });
        match waited.await {
            Err(LocalError::NotSeen(last)) => Err(self.program.problem(&format!("not ready: {last}"))),
            other => other,
        }
    }

    /// Asks it to end and waits until it has; ending with an error, or not in time, is an error.
    pub fn stop(&mut self) -> Result<(), LocalError> {
        self.program.stop()
    }
}
