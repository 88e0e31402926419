//! Where the API is and who we are there.

use std::error::Error;
use std::path::{Path, PathBuf};

use kube::config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::Options;
use super::failure::told;
use crate::quoted::quoted;

/// Where the API and our credentials are described. Both are read again after every failure, since either may have been
/// replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The service account of the pod that we run in.
    InCluster,
    /// The current context of a kubeconfig file.
    Kubeconfig(PathBuf),
}

/// Why there is nothing to connect to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// We are not in a cluster.
    #[error("the service account of a pod cannot be used: {0}")]
    InCluster(String),
    /// The file is of no use.
    #[error("cannot use kubeconfig {}: {reason}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Makes clients for one follower, one at a time.
///
/// A kubeconfig may name a program that gives credentials. It runs while a client is made, and nothing makes it end: it has
/// a thread of its own, and as long as it runs it is not begun again.
pub(super) struct Connector {
    source: Source,
    /// The client that is being made.
    making: Option<JoinHandle<kube::Result<Client>>>,
}

impl Connector {
    pub(super) fn new(source: Source) -> Self {
        Self { source, making: None }
    }

    /// A client with connections of its own; it has not spoken to the API yet.
    pub(super) async fn connect(&mut self, options: &Options) -> Result<Client, ConnectError> {
        let making = if let Some(making) = self.making.take() {
            making
        } else {
            let config = self.source.config_for(options).await?;
            spawn_blocking(move || Client::try_from(config))
        };
        let Ok(made) = timeout(options.answer, self.making.insert(making)).await else {
            let reason = format!("its credentials are not there after {:?}", options.answer);
            return Err(self.source.unusable_because(&reason));
        };
        self.making = None;
        made.map_err(|error| self.source.unusable(&error))?.map_err(|error| self.source.unusable(&error))
    }
}

impl Source {
    /// The namespace that we are in, if the source can be read. Neither the API nor whatever gives credentials for it is
    /// asked: either may be away now and back in a moment.
    pub async fn namespace(&self) -> Result<String, ConnectError> {
        Ok(self.config().await?.default_namespace)
    }

    async fn config_for(&self, options: &Options) -> Result<Config, ConnectError> {
        let mut config = self.config().await?;
        config.connect_timeout = Some(options.connect);
        config.write_timeout = Some(options.answer);
        // Each wait has its own end in the follower, and it alone decides when to try again.
        config.read_timeout = None;
        config.default_retry = false;
        if let Some(exec) = &mut config.auth_info.exec {
            // Nobody is there to be asked, and what the program says beside its answer may hold secrets: else it would have
            // our own standard error to say it to.
            exec.interactive_mode = Some(ExecInteractiveMode::Never);
        }
        Ok(config)
    }

    async fn config(&self) -> Result<Config, ConnectError> {
        match self {
            Self::InCluster => Config::incluster().map_err(|error| self.unusable(&error)),
            Self::Kubeconfig(path) => {
                let file = read(path).await.map_err(|reason| self.unusable_because(&reason))?;
                let options = KubeConfigOptions::default();
                let config = Config::from_custom_kubeconfig(file, &options).await;
                config.map_err(|error| self.unusable(&error))
            }
        }
    }

    fn unusable(&self, error: &(dyn Error + 'static)) -> ConnectError {
        self.unusable_because(&told(error))
    }

    fn unusable_because(&self, reason: &str) -> ConnectError {
        let reason = quoted(reason);
        match self {
            Self::InCluster => ConnectError::InCluster(reason),
            Self::Kubeconfig(path) => ConnectError::Kubeconfig { path: path.clone(), reason },
        }
    }
}

async fn read(path: &Path) -> Result<Kubeconfig, String> {
    let path = path.to_owned();
    let read = spawn_blocking(move || Kubeconfig::read_from(path)).await;
    read.map_err(|error| error.to_string())?.map_err(|error| match error {
        // It would quote the file, which holds secrets.
        KubeconfigError::Parse(_) => "it is not YAML of that kind".to_owned(),
        error => told(&error),
    })
}

#[cfg(test)]
mod tests;
