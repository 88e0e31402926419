//! The writers' own record of what they asked for and what they were told, and the comparison with the store.

use std::collections::{BTreeMap, HashMap};

use gthulhu_manager::store::audit::AuditRecord;

use crate::store::Found;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Update,
    Delete,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) verb: Verb,
    /// The id it was sent with.
    pub(crate) request: String,
    /// The strategy; unknown while a creation is not answered.
    pub(crate) id: Option<String>,
    /// What was written, unique to this request.
    pub(crate) text: String,
    /// It was answered with success.
    pub(crate) acknowledged: bool,
    /// Other writers change this strategy too, so only the trail can tell in which order.
    pub(crate) shared: bool,
}

/// Sums over the whole run.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) kills: u64,
    pub(crate) while_recovering: u64,
    pub(crate) acknowledged: u64,
    pub(crate) unanswered_kept: u64,
    pub(crate) unanswered_gone: u64,
    pub(crate) lost: Vec<String>,
    pub(crate) resurrected: Vec<String>,
    pub(crate) torn: Vec<String>,
}

impl Totals {
    /// Compares what the store has with what `before` this life had and what was done during it.
    pub(crate) fn compare(&mut self, before: &BTreeMap<String, String>, done: &[Operation], found: &Found) {
        let mut records: HashMap<&str, Vec<&AuditRecord>> = HashMap::new();
        for record in &found.records {
            records.entry(&record.request_id).or_default().push(record);
        }
        let mut expected = before.clone();
        for operation in done {
            let recorded = records.get(operation.request.as_str()).map_or(&[][..], Vec::as_slice);
            if operation.acknowledged {
                self.acknowledged += 1;
            } else if recorded.is_empty() {
                self.unanswered_gone += 1;
                continue;
            } else {
                self.unanswered_kept += 1;
            }
            match recorded {
                [record] if operation.is_told_by(record) => operation.happen(record, &mut expected),
                [] => self.lost.push(format!("{operation:?} has no audit record")),
                other => self.torn.push(format!("{operation:?} has the records {other:?}")),
            }
        }
        // In the trail's order, whatever order the answers came in.
        for record in &found.records {
            if let Some(operation) = done.iter().find(|it| it.shared && it.request == record.request_id) {
                operation.happen(record, &mut expected);
            }
        }
        self.states(&expected, &found.strategies);
        self.torn.extend(found.torn.iter().cloned());
    }

    fn states(&mut self, expected: &BTreeMap<String, String>, found: &BTreeMap<String, String>) {
        for (id, text) in expected {
            match found.get(id) {
                Some(other) if other == text => {}
                other => self.lost.push(format!("strategy {id} should be {text} and is {other:?}")),
            }
        }
        let more = found.iter().filter(|(id, _)| !expected.contains_key(*id));
        self.resurrected.extend(more.map(|(id, text)| format!("strategy {id} ({text})")));
    }
}

impl Operation {
    fn is_told_by(&self, record: &AuditRecord) -> bool {
        let (verb, text) = match self.verb {
            Verb::Create => ("strategy.create", Some(self.text.as_str())),
            Verb::Update => ("strategy.update", Some(self.text.as_str())),
            Verb::Delete => ("strategy.delete", None),
        };
        let object = record.object.strip_prefix("strategy/");
        let written = record.after.as_ref().and_then(|after| after["strategyNamespace"].as_str());
        record.verb == verb && written == text && self.id.as_deref().is_none_or(|id| object == Some(id))
    }

    /// Makes what this operation does happen to the strategies that are expected.
    fn happen(&self, record: &AuditRecord, expected: &mut BTreeMap<String, String>) {
        let id = record.object.trim_start_matches("strategy/").to_owned();
        match self.verb {
            Verb::Delete => drop(expected.remove(&id)),
            Verb::Create | Verb::Update => drop(expected.insert(id, self.text.clone())),
        }
    }
}
