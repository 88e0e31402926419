//! Where the API is and who we are there.

use std::path::{Path, PathBuf};

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use super::Options;
use super::failure::chain;

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

impl Source {
    /// A client with connections of its own; it has not spoken to the API yet.
    pub(super) async fn connect(&self, options: &Options) -> Result<Client, ConnectError> {
        let mut config = self.config().await?;
        config.connect_timeout = Some(options.connect);
        config.write_timeout = Some(options.answer);
        // Each wait has its own end in the follower, and it alone decides when to try again.
        config.read_timeout = None;
        config.default_retry = false;
        Client::try_from(config).map_err(|error| self.unusable(&error))
    }

    /// Whether there is something to connect to, and the namespace that we are in.
    pub async fn check(&self, options: &Options) -> Result<String, ConnectError> {
        Ok(self.connect(options).await?.default_namespace().to_owned())
    }

    async fn config(&self) -> Result<Config, ConnectError> {
        match self {
            Self::InCluster => Config::incluster().map_err(|error| self.unusable(&error)),
            Self::Kubeconfig(path) => {
                let file = read(path).await.map_err(|reason| self.unusable_because(reason))?;
                let options = KubeConfigOptions::default();
                let config = Config::from_custom_kubeconfig(file, &options).await;
                config.map_err(|error| self.unusable(&error))
            }
        }
    }

    fn unusable(&self, error: &dyn std::error::Error) -> ConnectError {
        self.unusable_because(chain(error))
    }

    fn unusable_because(&self, reason: String) -> ConnectError {
        match self {
            Self::InCluster => ConnectError::InCluster(reason),
            Self::Kubeconfig(path) => ConnectError::Kubeconfig { path: path.clone(), reason },
        }
    }
}

async fn read(path: &Path) -> Result<Kubeconfig, String> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || Kubeconfig::read_from(path)).await;
    read.map_err(|error| error.to_string())?.map_err(|error| match error {
        // It would quote the file, which holds secrets.
        KubeconfigError::Parse(_) => "it is not YAML of that kind".to_owned(),
        error => chain(&error),
    })
}
