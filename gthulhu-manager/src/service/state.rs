//! The documents in memory: an immutable picture of the store after one commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use gthulhu_lib::id::Id;

use super::reach::{Reaches, reaches};
use crate::domain::{Exclusion, LoginSession, NodeAck, Policy, Role, Strategy, User};
use crate::store::{Batch, Committed, Document, Key, Snapshot};

/// A document and the version under which it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    /// Grows with each change; see [`Committed::version`].
    pub version: u64,
    /// The document.
    pub value: T,
}

/// Documents of one kind. Copied when one of them changes; readers of the old ones keep them.
pub(super) type Shelf<K, T> = Arc<BTreeMap<K, Arc<Stored<T>>>>;

/// All documents.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) users: Shelf<Id, User>,
    pub(super) roles: Shelf<Id, Role>,
    pub(super) strategies: Shelf<Id, Strategy>,
    pub(super) exclusions: Shelf<Id, Exclusion>,
    pub(super) acks: Shelf<String, NodeAck>,
    pub(super) epoch: Option<Arc<Stored<u64>>>,
    pub(super) sessions: Shelf<Id, LoginSession>,
    /// Follows from users and roles; kept here so that it is computed once, and the same while nothing changes it.
    pub(super) reaches: Reaches,
}

impl State {
    pub(super) fn from_snapshot(snapshot: Snapshot) -> Self {
        let mut state = Self::default();
        for (document, version) in snapshot.documents {
            state.put(document, version);
        }
        state.reaches = reaches(&state, None);
        state
    }

    /// The state after `batch` was committed.
    pub(super) fn after(&self, batch: &Batch, committed: Committed) -> Self {
        let mut next = self.clone();
        for document in batch.puts() {
            next.put(document.clone(), committed.version);
        }
        for key in batch.deletes() {
            next.remove(key);
        }
        next.reaches = reaches(&next, Some(self));
        next
    }

    /// Do the same intents follow from both? Shelves are replaced when they change, so identity is enough.
    pub(super) fn asks_the_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.strategies, &other.strategies)
            && Arc::ptr_eq(&self.exclusions, &other.exclusions)
            && Arc::ptr_eq(&self.reaches, &other.reaches)
    }

    pub(super) fn user_named(&self, username: &str) -> Option<&Arc<Stored<User>>> {
        self.users.values().find(|user| user.value.username == username)
    }

    pub(super) fn role_named(&self, name: &str) -> Option<&Arc<Stored<Role>>> {
        self.roles.values().find(|role| role.value.name == name)
    }

    /// What `user` may do, over all his roles. A role that is not there allows nothing, nor does a policy that means
    /// nothing.
    pub(super) fn policies_of<'s>(&'s self, user: &'s User) -> impl Iterator<Item = &'s Policy> {
        let roles = user.roles.iter().filter_map(|name| self.role_named(name));
        roles.flat_map(|role| &role.value.policies).filter(|policy| policy.is_meaningful())
    }

    fn put(&mut self, document: Document, version: u64) {
        match document {
            Document::User(user) => shelve(&mut self.users, user.id, user, version),
            Document::Role(role) => shelve(&mut self.roles, role.id, role, version),
            Document::Strategy(strategy) => shelve(&mut self.strategies, strategy.id, strategy, version),
            Document::Exclusion(exclusion) => shelve(&mut self.exclusions, exclusion.id, exclusion, version),
            Document::NodeAck(ack) => shelve(&mut self.acks, ack.node.clone(), ack, version),
            Document::Epoch(epoch) => self.epoch = Some(Arc::new(Stored { version, value: epoch })),
            Document::Session(session) => shelve(&mut self.sessions, session.id, session, version),
        }
    }

    fn remove(&mut self, key: &Key) {
        match key {
            Key::User(id) => drop(Arc::make_mut(&mut self.users).remove(id)),
            Key::Role(id) => drop(Arc::make_mut(&mut self.roles).remove(id)),
            Key::Strategy(id) => drop(Arc::make_mut(&mut self.strategies).remove(id)),
            Key::Exclusion(id) => drop(Arc::make_mut(&mut self.exclusions).remove(id)),
            Key::NodeAck(node) => drop(Arc::make_mut(&mut self.acks).remove(node)),
            Key::Epoch => self.epoch = None,
            Key::Session(id) => drop(Arc::make_mut(&mut self.sessions).remove(id)),
        }
    }
}

fn shelve<K: Ord + Clone, T>(shelf: &mut Shelf<K, T>, key: K, value: T, version: u64) {
    Arc::make_mut(shelf).insert(key, Arc::new(Stored { version, value }));
}
