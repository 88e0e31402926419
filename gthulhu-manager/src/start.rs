//! The steps of the start, each ending in a value or in one line that says what to do.

pub(super) mod tls;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gthulhu_http::client::{Client, ClientOptions};
use gthulhu_http::exit::{self, Exit};
use gthulhu_http::settings::{self, FileArgs};
use gthulhu_http::tls::ClientTls;
use gthulhu_http::{files, logs};
use tokio::task::JoinHandle;

use crate::cluster::folder::{FolderCluster, FolderOptions};
use crate::cluster::kubernetes::{self, Finder, KubernetesCluster};
use crate::cluster::{Absent, Cluster};
use crate::config::{Account, ClusterChoice, Config, Node, StoreChoice};
use crate::control::{Control, Controlled};
use crate::init::{self, Layout};
use crate::keyring::DmKey;
use crate::nodes::client::{DmClient, Tokens};
use crate::nodes::{Endpoint, NodeName};
use crate::service::{BootstrapError, Service};
#[cfg(feature = "mongodb")]
use crate::store::mongo::{self, MongoStore};
use crate::store::redb::RedbStore;
use crate::store::{OpenError, Store};

/// How often a store that is away is looked at.
const MENDING: Duration = Duration::from_secs(1);

/// Reads the configuration and sets up the log. The flag: the file has a `[mongodb]` section.
pub(super) fn configure(files: &FileArgs) -> Result<(Config, bool), Exit> {
    let ready = settings::for_serving::<Config>(files, settings::environment)?;
    logs::init(&ready.config.logging.level, logs::Format::Auto)?;
    ready.remark();
    let mongodb_section = ready.origins.has_section("mongodb");
    Ok((ready.config, mongodb_section))
}

/// Makes the keys of a first start, unless they are there.
pub(super) fn first_start(config: &Config) -> Result<Layout, Exit> {
    let dir = &config.state.dir;
    let made = init::run(dir).map_err(|error| {
        let exit = Exit::from_error(exit::CANNOT_CREATE, &error);
        Exit::new(exit.code, format!("state.dir: {}", exit.message))
    })?;
    for path in made {
        tracing::info!(path = %path.display(), "made");
    }
    Ok(Layout::new(dir))
}

/// Opens the store that the configuration chooses.
pub(super) fn store(config: &Config, mongodb_section: bool) -> Result<Arc<dyn Store>, Exit> {
    match config.store_choice(mongodb_section)? {
        (StoreChoice::Redb(path), reason) => {
            tracing::info!(path = %path.display(), reason, "the store is the embedded one");
            Ok(Arc::new(redb(&path)?))
        }
        #[cfg(feature = "mongodb")]
        (StoreChoice::Mongodb, reason) => {
            let (at, database) = (config.mongodb.address(), config.mongodb.database_name());
            tracing::info!(at, database, reason, "the store is MongoDB");
            let store = mongo(config)?;
            tracing::info!(
                holder = store.holder(),
                transactions = store.has_transactions(),
                "the store is this manager's"
            );
            Ok(Arc::new(store))
        }
        #[cfg(not(feature = "mongodb"))]
        (StoreChoice::Mongodb, reason) => Err(Exit::new(exit::CONFIG, reason)),
    }
}

/// Opens the embedded store.
pub(super) fn redb(path: &Path) -> Result<RedbStore, Exit> {
    RedbStore::open(path).map_err(|error| {
        let code = match error {
            OpenError::InUse(_) => exit::TEMPORARY,
            OpenError::Newer { .. } | OpenError::Refused { .. } => exit::DATA,
            OpenError::Io { .. } => exit::IO_ERROR,
        };
        Exit::from_error(code, &error)
    })
}

/// Opens the database that `[mongodb]` names.
#[cfg(feature = "mongodb")]
pub(super) fn mongo(config: &Config) -> Result<MongoStore, Exit> {
    MongoStore::open(&config.mongodb, &config.state.dir).map_err(|error| mongo_exit(&error))
}

/// How the process ends when that fails.
#[cfg(feature = "mongodb")]
pub(super) fn mongo_exit(error: &mongo::OpenError) -> Exit {
    let code = match error {
        mongo::OpenError::Settings(_) => exit::CONFIG,
        mongo::OpenError::Io { .. } => exit::IO_ERROR,
        mongo::OpenError::Unreachable { .. } => exit::UNAVAILABLE,
        mongo::OpenError::Denied { .. } => exit::NO_PERMISSION,
        mongo::OpenError::Refused { .. } => exit::DATA,
        mongo::OpenError::InUse { .. } => exit::TEMPORARY,
    };
    Exit::from_error(code, error)
}

/// Tries again, once a second, whether a store that is away is back.
pub(super) async fn mend(service: Arc<Service>) {
    let mut trouble = service.store_trouble();
    loop {
        let Ok(now) = trouble.wait_for(Option::is_some).await.map(|now| now.clone()) else { return };
        if let Some(reason) = now {
            tracing::warn!(%reason, "the store is away: changes are refused");
        }
        while trouble.borrow_and_update().is_some() {
            tokio::time::sleep(MENDING).await;
            let worker = Arc::clone(&service);
            match tokio::task::spawn_blocking(move || worker.recover()).await {
                Ok(Ok(())) => tracing::info!("the store is back: changes are accepted"),
                Ok(Err(error)) => tracing::debug!(%error, "the store is still away"),
                Err(error) => tracing::error!(%error, "the store could not be looked at"),
            }
        }
    }
}

/// Starts watching pods.
pub(super) async fn cluster(config: &Config) -> Result<Arc<dyn Cluster>, Exit> {
    match config.cluster_choice()? {
        ClusterChoice::Folder(dir) => {
            tracing::info!(dir = %dir.display(), "pods come from a folder");
            let nodes = config.nodes.iter().map(|node| node.name.clone()).collect();
            let watched = FolderCluster::open(&dir, nodes, FolderOptions::default());
            Ok(Arc::new(
                watched.map_err(|error| Exit::new(exit::OS_ERROR, format!("cluster.pods_dir: {error}")))?,
            ))
        }
        ClusterChoice::Kubernetes(source, finder) => {
            let options = kubernetes::Options::default();
            let own = source.namespace().await;
            let own = own.map_err(|error| Exit::new(exit::CONFIG, format!("k8s: {error}")))?;
            let finder = finder.map(|finder| {
                let namespace = if finder.namespace.is_empty() { own } else { finder.namespace };
                Finder { namespace, ..finder }
            });
            let looked_in = finder.as_ref().map(|finder| finder.namespace.as_str());
            tracing::info!(?source, decision_makers = looked_in, "pods come from the Kubernetes API");
            Ok(Arc::new(KubernetesCluster::watch(&source, finder, options)))
        }
        ClusterChoice::None => {
            tracing::warn!("no pods: set k8s.in_cluster, k8s.kube_config_path or cluster.pods_dir");
            Ok(Arc::new(Absent::new(
                "no source of pods is configured: set k8s.in_cluster, k8s.kube_config_path or cluster.pods_dir",
            )))
        }
    }
}

/// Makes the first administrator, unless there is one.
pub(super) fn administrator(service: &Service, account: &Account, layout: &Layout) -> Result<(), Exit> {
    let configured = (account.admin_email.as_str(), account.admin_password.reveal());
    let configured = Some(configured).filter(|(name, _)| !name.is_empty());
    let file = layout.admin_password();
    let keep = |password: &str| {
        files::write_atomic(&file, format!("{password}\n").as_bytes(), files::PRIVATE_FILE)
            .map_err(std::io::Error::other)
    };
    let made = service.bootstrap(configured, keep).map_err(|error| match error {
        BootstrapError::PublishedPassword => {
            Exit::new(exit::CONFIG, format!("account.admin_password: {error}"))
        }
        error => Exit::from_error(exit::IO_ERROR, &error),
    })?;
    if let Some(weak) = made.weak {
        tracing::warn!("account.admin_password {weak}");
    }
    if let Some(name) = made.made {
        let hint = if configured.is_some() { "[account]".into() } else { file.display().to_string() };
        tracing::info!(name, password = hint, "the first administrator was made; where his password is");
    }
    Ok(())
}

/// Answers an operator's commands until it is dropped. Without it the manager serves all the same.
pub(super) fn control(dir: &Path, controlled: Arc<impl Controlled>) -> Option<AbortOnDrop> {
    let control = match Control::bind(dir) {
        Ok(control) => control,
        Err(error) => {
            tracing::warn!(%error, "no control socket: keys and backups need a restart");
            return None;
        }
    };
    // Keys that were changed since they were read have nobody to tell of it until now.
    if let Err(error) = controlled.reload_keys() {
        tracing::warn!(error, "the keys could not be read again");
    }
    Some(AbortOnDrop(tokio::spawn(control.serve(controlled))))
}

/// A task that ends with this.
pub(super) struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A node that was cut off and is back does not answer what was sent to it meanwhile; the sooner that is given up, the sooner
/// it is found again. With the longest wait between two attempts, a second, this keeps it below two.
const DM_CONNECT: Duration = Duration::from_millis(800);

/// The client for decision makers.
pub(super) fn dm_client(key: &DmKey, client_id: &str, tls: Option<ClientTls>) -> DmClient {
    let tokens = match key {
        DmKey::Private(key) => Tokens::minted(key, client_id),
        DmKey::Public(key) => Tokens::exchanged(key, client_id),
    };
    let options = ClientOptions { connect: DM_CONNECT, ..ClientOptions::default() };
    let client = match tls {
        Some(tls) => Client::with_tls(options, tls),
        None => Client::new(options),
    };
    DmClient::new(client, tokens)
}

/// `[[nodes]]` as the driver wants them.
pub(super) fn endpoints(nodes: &[Node]) -> BTreeMap<NodeName, Arc<Endpoint>> {
    let endpoint = |node: &Node| {
        let name: NodeName = node.name.as_str().into();
        let url = node.url.trim_end_matches('/').to_owned();
        let server_name = node.server_name.clone();
        (Arc::clone(&name), Arc::new(Endpoint { url, node: name, server_name, ..Endpoint::default() }))
    };
    nodes.iter().map(endpoint).collect()
}
