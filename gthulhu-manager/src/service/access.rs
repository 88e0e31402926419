//! Authorization as values. An operation that needs a permission takes a [`Granted`] for it, and only
//! [`Service::grant`] makes one, so it cannot be called without asking.
//!
//! A grant is checked again by the writer, on the newest state: a change never comes after the change that took the
//! right to make it away.

use std::marker::PhantomData;
use std::net::IpAddr;

use gthulhu_lib::id::Id;

use super::session::{Claims, Session};
use super::state::State;
use super::{Service, ServiceError};
use crate::domain::{Permission, Policy};
use crate::store::audit::Origin;

/// A marker for one permission.
pub trait Needs: Send + Sync + 'static {
    /// The permission.
    const PERMISSION: Permission;
}

macro_rules! markers {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])* #[derive(Debug)] pub struct $name;
        impl Needs for $name { const PERMISSION: Permission = Permission::$name; })*
    };
}

markers! {
    /// To create strategies.
    StrategyCreate
    /// To list one's strategies.
    StrategyRead
    /// To change one's strategies.
    StrategyUpdate
    /// To delete one's strategies.
    StrategyDelete
    /// To list one's intents.
    IntentRead
    /// To delete one's intents.
    IntentDelete
    /// To see nodes and the processes of pods.
    PodPidRead
    /// To read the audit trail.
    AuditRead
}

/// A user with a valid session, who may still have to change his password.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(super) session: Session,
}

/// A user who may do what `K` stands for.
#[derive(Debug)]
pub struct Granted<K: Needs> {
    session: Session,
    policies: Vec<Policy>,
    permission: PhantomData<fn() -> K>,
}

impl Service {
    /// Who is calling, for what every user may do, also one who must change his password.
    pub fn caller(&self, claims: &Claims) -> Result<Caller, ServiceError> {
        let session = Session::new(claims)?;
        session.user(&self.world.state())?;
        Ok(Caller { session })
    }

    /// May he do what `K` stands for?
    pub fn grant<K: Needs>(&self, claims: &Claims) -> Result<Granted<K>, ServiceError> {
        Granted::new(Session::new(claims)?, &self.world.state())
    }
}

impl Caller {
    /// The user's id.
    pub fn uid(&self) -> Id {
        self.session.uid
    }

    /// The same caller, in a request from this address.
    #[must_use]
    pub fn seen_from(self, from: IpAddr) -> Self {
        Self { session: self.session.seen_from(from) }
    }

    pub(super) fn origin(&self, request_id: &str) -> Origin {
        self.session.origin(request_id)
    }
}

impl<K: Needs> Granted<K> {
    fn new(session: Session, state: &State) -> Result<Self, ServiceError> {
        let policies = session.policies(state, K::PERMISSION)?;
        Ok(Self { session, policies, permission: PhantomData })
    }

    /// The user's id.
    pub fn uid(&self) -> Id {
        self.session.uid
    }

    /// The same question, asked of a newer state.
    pub(super) fn again(&self, state: &State) -> Result<Self, ServiceError> {
        Self::new(self.session, state)
    }

    /// Is a strategy of this namespace, for pods of these namespaces (`None`: all), within the scope? Several
    /// policies add up.
    pub(super) fn covers(&self, strategy_namespace: &str, pods: Option<&[String]>) -> bool {
        let here = |policy: &&Policy| {
            policy.policy_namespace.is_empty() || policy.policy_namespace == strategy_namespace
        };
        let mut scopes = self.policies.iter().filter(here).map(|policy| policy.k8s_namespace.as_str());
        match pods {
            None => scopes.any(str::is_empty),
            Some(namespaces) => {
                let scopes: Vec<_> = scopes.collect();
                namespaces.iter().all(|namespace| scopes.iter().any(|s| s.is_empty() || s == namespace))
            }
        }
    }

    /// The same grant, in a request from this address.
    #[must_use]
    pub fn seen_from(self, from: IpAddr) -> Self {
        Self { session: self.session.seen_from(from), ..self }
    }

    pub(super) fn origin(&self, request_id: &str) -> Origin {
        self.session.origin(request_id)
    }
}

#[cfg(test)]
mod tests;
