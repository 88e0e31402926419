//! What the command line does besides serving: keys, users, the store, the audit trail, certificates.
//!
//! Some of it works on files that a running manager holds. Then the manager does it, asked over [`crate::control`]; what
//! needs the store for itself says that the manager must be stopped first.

mod audit;
mod certs;
mod keys;
mod migrate;
mod secrets;
mod store;
mod users;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use clap::Subcommand;
use gthulhu_http::exit::{self, Exit};
use gthulhu_http::settings::{self, FileArgs};
use gthulhu_lib::intent::Limits;

use crate::cluster::Absent;
use crate::config::{Config, StoreChoice};
use crate::control::{self, Request};
use crate::init::Layout;
use crate::pusher::NodeView;
use crate::service::{LoginLimits, Rules, STRATEGIES_PER_USER, Service};
use crate::start;
use crate::store::Store;
use crate::store::redb::RedbStore;

pub use audit::AuditVerb;
pub use certs::CertsVerb;
pub use keys::KeysVerb;
pub use secrets::SecretsArgs;
pub use store::StoreVerb;
pub use users::UsersVerb;

/// The verbs of an operator.
#[derive(Debug, Subcommand)]
pub enum Operation {
    /// Replace the key that signs users' tokens
    #[command(subcommand)]
    Keys(KeysVerb),
    /// Make users and reset passwords while the manager is stopped
    #[command(subcommand)]
    Users(UsersVerb),
    /// Back up, verify and restore the store
    #[command(subcommand)]
    Store(StoreVerb),
    /// Verify the audit trail
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Issue, renew and inspect certificates for mutual TLS
    #[command(subcommand)]
    Certs(CertsVerb),
    /// Make the Secrets of a first start in a Kubernetes cluster, and list what was made
    ///
    /// Keys, an authority with certificates for both sides, the first administrator's password and a database's. All of it
    /// is in one Secret, gthulhu-first-start, made first, and in parts in those that the manager, its database and the decision
    /// makers mount. What is already there is never touched. Needs the right to create secrets in both namespaces, and to
    /// get that one.
    Secrets(SecretsArgs),
}

/// Does it.
pub fn run(operation: &Operation) -> Result<(), Exit> {
    match operation {
        Operation::Keys(verb) => keys::run(verb),
        Operation::Users(verb) => users::run(verb),
        Operation::Store(verb) => store::run(verb),
        Operation::Audit(verb) => audit::run(verb),
        Operation::Certs(verb) => certs::run(verb),
        Operation::Secrets(args) => secrets::run(args),
    }
}

/// Where the manager of a configuration keeps its things.
struct Place {
    config: Config,
    mongodb_section: bool,
}

impl Place {
    fn of(files: &FileArgs) -> Result<Self, Exit> {
        let ready = settings::for_serving::<Config>(files, settings::environment)?;
        let mongodb_section = ready.origins.has_section("mongodb");
        Ok(Self { config: ready.config, mongodb_section })
    }

    fn layout(&self) -> Layout {
        Layout::new(&self.config.state.dir)
    }

    /// Asks the manager, if one runs here.
    fn ask(&self, request: &Request) -> Result<Option<String>, Exit> {
        let dir = &self.config.state.dir;
        let refused = |reason| Exit::new(exit::IO_ERROR, format!("the manager refused: {reason}"));
        match control::ask(dir, request) {
            Ok(None) => Ok(None),
            Ok(Some(answer)) => answer.map(Some).map_err(refused),
            Err(error) => Err(Exit::new(exit::IO_ERROR, format!("{}: {error}", dir.display()))),
        }
    }

    /// The store, which no manager has open.
    fn store(&self) -> Result<Arc<dyn Store>, Exit> {
        start::store(&self.config, self.mongodb_section)
    }

    /// What messages call it.
    fn store_name(&self) -> Result<String, Exit> {
        Ok(match self.config.store_choice(self.mongodb_section)?.0 {
            StoreChoice::Redb(path) => path.display().to_string(),
            StoreChoice::Mongodb => {
                let mongodb = &self.config.mongodb;
                format!("mongodb {}/{}", mongodb.address(), mongodb.database_name())
            }
        })
    }

    /// The rules over the store, without pods and nodes.
    fn service(&self) -> Result<Service, Exit> {
        self.over(self.store()?)
    }

    /// The same over the store in this file.
    fn service_of(&self, path: &Path) -> Result<Service, Exit> {
        self.over(Arc::new(RedbStore::open(path).map_err(failed)?))
    }

    fn over(&self, store: Arc<dyn Store>) -> Result<Service, Exit> {
        let rules = Rules {
            access_ttl: self.config.key.access_ttl.get(),
            limits: Limits::default(),
            strategies_per_user: STRATEGIES_PER_USER,
            logins: LoginLimits::default(),
        };
        let absent = Arc::new(Absent::new("the manager is stopped"));
        Service::open(store, absent, Arc::new(NodeView::default()), rules).map_err(failed)
    }
}

fn failed(error: impl std::error::Error) -> Exit {
    Exit::from_error(exit::IO_ERROR, &error)
}

/// Writes a line to standard output. A reader who has seen enough is no failure.
fn say(line: impl Display) -> Result<(), Exit> {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Exit::new(exit::IO_ERROR, format!("cannot write the output: {error}")))
        }
        _ => Ok(()),
    }
}
