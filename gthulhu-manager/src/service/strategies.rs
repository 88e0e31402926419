//! Creating, changing, deleting and listing one's own strategies, and for administrators those of others.

use std::collections::BTreeSet;
use std::sync::Arc;

use gthulhu_lib::derive::DerivedIntent;
use gthulhu_lib::id::{ID_BYTES, Id};
use gthulhu_lib::intent::{
    Invalid, Limits, check_command_regex, check_execution_time, check_label_key, check_label_value,
    check_namespace, check_priority,
};
use gthulhu_lib::selector::Selector;

use super::access::{Granted, StrategyCreate, StrategyDelete, StrategyRead, StrategyUpdate, Whose};
use super::page::{ByAge, Page, Paged};
use super::picture::demand_pods;
use super::state::{State, Stored};
use super::world::Change;
use super::{Service, ServiceError};
use crate::domain::Strategy;
use crate::store::audit::Origin;
use crate::store::{AuditEntry, Batch, Document, Key};

/// What a user writes to create or replace a strategy; see [`Strategy`] for the meaning of each field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `Strategy`")]
pub struct StrategyInput {
    pub strategy_namespace: String,
    pub label_selectors: Vec<Selector>,
    pub k8s_namespace: Vec<String>,
    pub command_regex: String,
    pub priority: i64,
    pub execution_time: i64,
}

/// A strategy that was judged and has no id yet.
pub(super) struct Draft {
    pub(super) strategy: Strategy,
    origin: Origin,
}

/// The id of a draft.
const NO_ID: Id = Id::from_bytes([0; ID_BYTES]);

/// One strategy of a list.
#[derive(Debug, Clone)]
pub struct ListedStrategy {
    /// As its creator wrote it.
    pub strategy: Arc<Stored<Strategy>>,
    /// What became of it.
    pub status: StrategyStatus,
}

/// How far a strategy has come. Counts intents, so pods that wait for a node or are excluded are not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StrategyStatus {
    /// Pods it applies to.
    pub pods: usize,
    /// Nodes they are on.
    pub nodes: usize,
    /// Pods whose node has accepted it.
    pub accepted: usize,
    /// Pods whose node has not, because of an error.
    pub failed: usize,
}

impl Service {
    /// Stores a new strategy and returns its id. Without `allow_empty`, at least one pod must match now. Everyone has
    /// at most [`Rules::strategies_per_user`](super::Rules::strategies_per_user).
    pub fn create_strategy(
        &self,
        grant: &Granted<StrategyCreate>,
        request_id: &str,
        input: StrategyInput,
        allow_empty: bool,
    ) -> Result<Id, ServiceError> {
        let draft = self.draft(grant, request_id, input)?;
        if !allow_empty {
            demand_pods(&self.cluster.view(), &draft.strategy.spec())?;
        }
        self.world.mutate(|state| self.creation(grant, &draft, state))
    }

    /// A new strategy that breaks no rule and is within the caller's scope.
    pub(super) fn draft(
        &self,
        grant: &Granted<StrategyCreate>,
        request_id: &str,
        input: StrategyInput,
    ) -> Result<Draft, ServiceError> {
        input.check(self.rules.limits)?;
        let origin = grant.origin(request_id);
        let strategy = input.into_strategy(NO_ID, grant.uid(), origin.at_ms);
        in_scope(grant.covers_strategy(&strategy))?;
        Ok(Draft { strategy, origin })
    }

    /// The change that stores a draft in `state`.
    pub(super) fn creation(
        &self,
        grant: &Granted<StrategyCreate>,
        draft: &Draft,
        state: &State,
    ) -> Result<Change<Id>, ServiceError> {
        let Draft { strategy, origin } = draft;
        in_scope(grant.again(state)?.covers_strategy(strategy))?;
        check_room(state, strategy.creator, self.rules.strategies_per_user)?;
        let id = next_id(state, origin.at_ms);
        let document = Document::Strategy(Strategy { id, ..strategy.clone() });
        let entry = AuditEntry::created(origin, "strategy.create", &document);
        Ok((Some(Batch::audited(entry).create(document)), id))
    }

    /// Replaces one of the caller's strategies entirely. Intents that were excluded from it are wanted again.
    pub fn update_strategy(
        &self,
        grant: &Granted<StrategyUpdate>,
        request_id: &str,
        id: Id,
        input: StrategyInput,
        allow_empty: bool,
    ) -> Result<(), ServiceError> {
        let not_his = || ServiceError::NoStrategyToUpdate;
        own(&self.world.state(), id, grant.uid()).ok_or_else(not_his)?;
        input.check(self.rules.limits)?;
        let origin = grant.origin(request_id);
        let written = input.into_strategy(id, grant.uid(), origin.at_ms);
        let allowed = |grant: &Granted<StrategyUpdate>| {
            in_scope(grant.covers(&written.strategy_namespace, written.namespaces()))
        };
        allowed(grant)?;
        if !allow_empty {
            demand_pods(&self.cluster.view(), &written.spec())?;
        }
        self.world.mutate(|state| {
            let grant = grant.again(state)?;
            allowed(&grant)?;
            let stored = own(state, id, grant.uid()).ok_or_else(not_his)?;
            in_scope(grant.covers_strategy(&stored.value))?;
            let after = Strategy { created_ms: stored.value.created_ms, ..written.clone() };
            let (before, after) = (Document::Strategy(stored.value.clone()), Document::Strategy(after));
            let entry = AuditEntry::changed(&origin, "strategy.update", &before, &after);
            let batch = Batch::audited(entry).replace(stored.version, after);
            Ok((Some(without_exclusions(batch, state, id, &origin)), ()))
        })
    }

    /// Deletes one of the caller's strategies, or any for an administrator, and what was excluded from it.
    pub fn delete_strategy(
        &self,
        grant: &Granted<StrategyDelete>,
        request_id: &str,
        id: Id,
        whose: Whose,
    ) -> Result<(), ServiceError> {
        let origin = grant.origin(request_id);
        self.world.mutate(|state| {
            let grant = grant.again(state)?;
            whose.check(&grant, state)?;
            let stored = state.strategies.get(&id);
            let stored = stored.filter(|stored| whose.includes(grant.uid(), stored.value.creator));
            let stored = stored.ok_or(ServiceError::NoStrategyToDelete)?;
            in_scope(grant.covers_strategy(&stored.value))?;
            let entry =
                AuditEntry::deleted(&origin, "strategy.delete", &Document::Strategy(stored.value.clone()));
            let batch = Batch::audited(entry).delete(stored.version, Key::Strategy(id));
            Ok((Some(without_exclusions(batch, state, id, &origin)), ()))
        })
    }

    /// The caller's strategies within the scope of his grant, oldest first; for an administrator, on demand, those of
    /// all users.
    pub fn strategies(
        &self,
        grant: &Granted<StrategyRead>,
        whose: Whose,
        page: &Page<ByAge>,
    ) -> Result<Paged<ListedStrategy>, ServiceError> {
        whose.check(grant, &self.world.state())?;
        let picture = self.picture();
        let shown = picture.strategies().values().filter(|stored| {
            whose.includes(grant.uid(), stored.value.creator) && grant.covers_strategy(&stored.value)
        });
        let Paged { rows, next } =
            page.of(shown.map(|stored| ((stored.value.created_ms, stored.value.id), stored)));
        let listed = |strategy: &Arc<Stored<Strategy>>| {
            let intents = picture.intents_of(strategy.value.id);
            let nodes: BTreeSet<_> = intents.iter().map(DerivedIntent::node).collect();
            let accepted = intents.iter().filter(|intent| self.accepted(intent)).count();
            let failing = |node: &str| self.node_states.last_error(node).is_some();
            let failed = intents.iter().filter(|i| failing(i.node()) && !self.accepted(i)).count();
            let status = StrategyStatus { pods: intents.len(), nodes: nodes.len(), accepted, failed };
            ListedStrategy { strategy: Arc::clone(strategy), status }
        };
        Ok(Paged { rows: rows.into_iter().map(listed).collect(), next })
    }
}

/// The strategy, if it is there and `uid` made it.
fn own(state: &State, id: Id, uid: Id) -> Option<&Stored<Strategy>> {
    state.strategies.get(&id).filter(|stored| stored.value.creator == uid).map(|stored| &**stored)
}

/// `uid` has fewer than `most` strategies.
fn check_room(state: &State, uid: Id, most: usize) -> Result<(), Invalid> {
    let own = state.strategies.values().filter(|stored| stored.value.creator == uid).count();
    if own < most {
        return Ok(());
    }
    Err(Invalid::new("strategies", format!("must be at most {most} for each user")))
}

/// The id of a new strategy: the seconds since the epoch, then chance, and in any case greater than that of every
/// strategy there is. So between equals the older one wins, and which one that is can be foreseen.
fn next_id(state: &State, now_ms: i64) -> Id {
    let seconds = u32::try_from(now_ms / 1000).unwrap_or(u32::MAX);
    let chance = gthulhu_http::random::bytes::<8>();
    let fresh = u128::from(seconds) << 64 | u128::from(u64::from_be_bytes(chance));
    let greatest = state.strategies.last_key_value().map_or(0, |(id, _)| number(*id));
    // A step of chance: the id of a strategy that was deleted just now does not come again.
    let step = u128::from(u32::from_be_bytes(gthulhu_http::random::bytes())) + 1;
    let next = if fresh > greatest { fresh } else { greatest + step };
    // Beyond the greatest id that there can be, nothing is greater.
    let next = if next >> (8 * ID_BYTES) == 0 { next } else { fresh };
    let mut bytes = [0; ID_BYTES];
    bytes.copy_from_slice(&next.to_be_bytes()[16 - ID_BYTES..]);
    Id::from_bytes(bytes)
}

/// An id as a number: greater for the id that comes later in the order of ids.
fn number(id: Id) -> u128 {
    id.as_bytes().iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn in_scope(covered: bool) -> Result<(), ServiceError> {
    if covered { Ok(()) } else { Err(ServiceError::Denied) }
}

/// The batch, and the end of everything that was excluded from the strategy.
fn without_exclusions(batch: Batch, state: &State, strategy: Id, origin: &Origin) -> Batch {
    let excluded = state.exclusions.values().filter(|stored| stored.value.strategy == strategy);
    excluded.fold(batch, |batch, stored| {
        let entry =
            AuditEntry::deleted(origin, "exclusion.delete", &Document::Exclusion(stored.value.clone()));
        batch.and(entry).delete(stored.version, Key::Exclusion(stored.value.id))
    })
}

impl StrategyInput {
    /// Every rule about what a user may write; the first one broken is named.
    fn check(&self, limits: Limits) -> Result<(), ServiceError> {
        for (i, selector) in self.label_selectors.iter().enumerate() {
            if !selector.key.is_empty() {
                check_label_key(&format!("labelSelectors[{i}].key"), &selector.key)?;
                check_label_value(&format!("labelSelectors[{i}].value"), &selector.value)?;
            }
        }
        let everywhere = matches!(self.k8s_namespace.as_slice(), [only] if only.is_empty());
        for (i, namespace) in self.k8s_namespace.iter().enumerate().filter(|_| !everywhere) {
            check_namespace(&format!("k8sNamespace[{i}]"), namespace)?;
        }
        check_command_regex("commandRegex", &self.command_regex)?;
        check_priority("priority", self.priority, &limits)?;
        Ok(check_execution_time("executionTime", self.execution_time)?)
    }

    fn into_strategy(self, id: Id, creator: Id, now_ms: i64) -> Strategy {
        Strategy {
            id,
            creator,
            updater: creator,
            created_ms: now_ms,
            updated_ms: now_ms,
            strategy_namespace: self.strategy_namespace,
            label_selectors: self.label_selectors,
            k8s_namespace: self.k8s_namespace,
            command_regex: self.command_regex,
            priority: self.priority,
            execution_time: self.execution_time,
        }
    }
}

#[cfg(test)]
mod tests;
