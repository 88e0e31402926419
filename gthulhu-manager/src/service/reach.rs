//! How far each user's strategies reach: to the pods for which he may make strategies now.
//!
//! A strategy applies to no other pod, whatever it asks for and whoever he was when he wrote it. Take a role away, or
//! confine it to a namespace, and the intents beyond are gone from their nodes with the next push; give it back, and
//! they return. What a user may do follows from his roles alone: to deactivate him ends his sessions and leaves his
//! strategies at work, so that nothing running changes because somebody left. An administrator deletes them, or takes
//! the roles away. The strategies of a creator whom the store does not know apply to nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gthulhu_lib::derive::StrategySpec;
use gthulhu_lib::id::Id;

use super::state::State;
use crate::domain::{Permission, Policy, Strategy, User};

/// The reach of every user who has any.
pub(super) type Reaches = Arc<BTreeMap<Id, Reach>>;

/// Pairs of the namespace of strategies and that of pods, empty for all, in which one user may make strategies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reach(BTreeSet<(String, String)>);

impl Reach {
    /// What follows from the roles of `user`.
    fn of(state: &State, user: &User) -> Self {
        let makes = |policy: &&Policy| {
            matches!(policy.permission, Permission::StrategyCreate | Permission::StrategyUpdate)
        };
        let pair = |policy: &Policy| (policy.policy_namespace.clone(), policy.k8s_namespace.clone());
        Self(state.policies_of(user).filter(makes).map(pair).collect())
    }

    /// The part of `strategy` that is within reach; `None` when no pod can be.
    pub(super) fn confine(&self, strategy: &Strategy) -> Option<StrategySpec> {
        let spec = strategy.spec();
        let here = |own: &str| own.is_empty() || own == strategy.strategy_namespace;
        let allowed: BTreeSet<&str> =
            self.0.iter().filter(|(own, _)| here(own)).map(|(_, pods)| pods.as_str()).collect();
        if allowed.contains("") {
            return Some(spec);
        }
        let namespaces: Vec<String> = match strategy.namespaces() {
            None => allowed.iter().map(ToString::to_string).collect(),
            Some(asked) => asked.iter().filter(|asked| allowed.contains(asked.as_str())).cloned().collect(),
        };
        // An empty list would mean every namespace.
        (!namespaces.is_empty()).then_some(StrategySpec { namespaces, ..spec })
    }
}

/// The reaches in `state`, whose own are those of `before`. The same value, if no user's reach is another one.
pub(super) fn reaches(state: &State, before: Option<&State>) -> Reaches {
    let Some(before) = before else { return Arc::new(all(state)) };
    if !Arc::ptr_eq(&state.roles, &before.roles) {
        let now = all(state);
        return if now == *before.reaches { Arc::clone(&before.reaches) } else { Arc::new(now) };
    }
    let mut reaches = Arc::clone(&before.reaches);
    if Arc::ptr_eq(&state.users, &before.users) {
        return reaches;
    }
    for (id, stored) in state.users.iter() {
        if before.users.get(id).is_some_and(|known| known.value.roles == stored.value.roles) {
            continue;
        }
        set(&mut reaches, *id, Reach::of(state, &stored.value));
    }
    for id in before.users.keys().filter(|id| !state.users.contains_key(id)) {
        set(&mut reaches, *id, Reach::default());
    }
    reaches
}

fn all(state: &State) -> BTreeMap<Id, Reach> {
    let reach =
        |(id, stored): (&Id, &Arc<super::state::Stored<User>>)| (*id, Reach::of(state, &stored.value));
    state.users.iter().map(reach).filter(|(_, reach)| !reach.0.is_empty()).collect()
}

/// Notes a reach, copying the map only when that changes it.
fn set(reaches: &mut Reaches, id: Id, reach: Reach) {
    let known = reaches.get(&id);
    if reach.0.is_empty() {
        if known.is_some() {
            Arc::make_mut(reaches).remove(&id);
        }
    } else if known != Some(&reach) {
        Arc::make_mut(reaches).insert(id, reach);
    }
}

#[cfg(test)]
mod tests;
