//! Authorization as values. An operation that needs a permission takes a [`Granted`] for it, and only
//! [`Service::grant`] makes one, so it cannot be called without asking.
//!
//! A grant is checked again by the writer, on the newest state: a change never comes after the change that took the
//! right to make it away.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::slice;

use gthulhu_lib::id::Id;

use super::session::{Claims, Session};
use super::state::State;
use super::{Service, ServiceError};
use crate::domain::{ADMIN_ROLE, Permission, Policy, Strategy, User};
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
    /// To create users.
    UserCreate
    /// To list users.
    UserRead
    /// To set a user's password.
    UserPasswordReset
    /// To change a user's roles and status.
    UserPermissionUpdate
    /// To create roles.
    RoleCreate
    /// To list roles.
    RoleRead
    /// To change roles.
    RoleUpdate
    /// To delete roles.
    RoleDelete
    /// To list permissions.
    PermissionRead
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

/// Whose strategies are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The caller's.
    Own,
    /// Everybody's, for administrators.
    Everyones,
}

impl Whose {
    /// Refuses what is everybody's to those who do not administer, and to administrators whose grant says `self`.
    pub(super) fn check<K: Needs>(self, grant: &Granted<K>, state: &State) -> Result<(), ServiceError> {
        let all = || grant.policies.iter().any(|policy| !policy.own);
        let may = self == Self::Own || (all() && grant.session.user(state)?.value.is_admin());
        if may { Ok(()) } else { Err(ServiceError::Denied) }
    }

    pub(super) fn includes(self, caller: Id, creator: Id) -> bool {
        self == Self::Everyones || caller == creator
    }
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

    /// Does it let him deal with this user? A grant of policies that all say `self` is about himself only.
    pub(super) fn concerns(&self, user: Id) -> bool {
        user == self.uid() || self.policies.iter().any(|policy| !policy.own)
    }

    /// Is this strategy, as it is written, within the scope?
    pub(super) fn covers_strategy(&self, strategy: &Strategy) -> bool {
        self.covers(&strategy.strategy_namespace, strategy.namespaces())
    }

    /// Is this pod, as far as a strategy is for it, within the scope?
    pub(super) fn covers_pod(&self, strategy: &Strategy, pod_namespace: &String) -> bool {
        self.covers(&strategy.strategy_namespace, Some(slice::from_ref(pod_namespace)))
    }

    /// Refuses to let the caller deal with one who may do more than he.
    pub(super) fn demand_rights_of(&self, state: &State, user: &User) -> Result<(), ServiceError> {
        // An administrator is more than his permissions: what is everybody's is his business.
        let administers = |user: &User| user.roles.iter().any(|role| role == ADMIN_ROLE);
        if administers(user) && !administers(&self.session.user(state)?.value) {
            return Err(ServiceError::Forbidden);
        }
        self.demand_all(state, state.policies_of(user))
    }

    /// Refuses to let the caller hand out or take away what he may not do himself.
    pub(super) fn demand_all<'p>(
        &self,
        state: &State,
        policies: impl IntoIterator<Item = &'p Policy>,
    ) -> Result<(), ServiceError> {
        let own: Vec<_> = state.policies_of(&self.session.user(state)?.value).collect();
        let lacking = policies.into_iter().find(|wanted| !own.iter().any(|policy| policy.includes(wanted)));
        lacking.map_or(Ok(()), |policy| Err(ServiceError::Lacking(policy.permission)))
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
