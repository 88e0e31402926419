//! Checked intents: one strategy applied to one pod, with every value inside its rules.
//!
//! [`IntentBody`] is what travels; [`Intent`] is what the rest of the library works with. An `Intent` keeps the
//! values as the user wrote them, because answers echo them; [`Intent::effective`] is what acts.

mod check;
mod checker;
pub mod digest;
pub mod patterns;
pub mod set;

use std::borrow::Borrow;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::id::Id;
use crate::labels::Labels;
use crate::strategy::Resolved;
use crate::wire::IntentBody;

pub use check::{
    COMMAND_REGEX_BYTES_MAX, Invalid, Limits, check_command_regex, check_execution_time, check_label_key,
    check_label_value, check_labels, check_namespace, check_priority,
};
pub use checker::{COMMAND_REGEXES_MAX, Checker};

/// One strategy applied to one pod, checked. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// As received, except that `strategy_id` is in its written form.
    body: Arc<IntentBody>,
    strategy: Option<Id>,
}

impl Intent {
    /// Checks everything about `body`: what is refused here is a 422 to the user who wrote it.
    ///
    /// # Errors
    ///
    /// If `podID` is empty or any field breaks its rule: the first such field, with the rule. The regex is looked at first,
    /// since it is what users get wrong.
    pub fn check(body: IntentBody, limits: &Limits) -> Result<Self, Invalid> {
        check_command_regex("commandRegex", &body.command_regex)?;
        Self::check_all_but_regex(body, *limits)
    }

    /// As [`Intent::check`], for a caller that has compiled the command regex already.
    fn check_all_but_regex(mut body: IntentBody, limits: Limits) -> Result<Self, Invalid> {
        if body.pod_id.is_empty() {
            return Err(Invalid::new("podID", "must not be empty"));
        }
        check::check_name("podID", &body.pod_id)?;
        check::check_name("podName", &body.pod_name)?;
        check::check_name("nodeID", &body.node_id)?;
        if !body.k8s_namespace.is_empty() {
            check_namespace("k8sNamespace", &body.k8s_namespace)?;
        }
        check_priority("priority", body.priority, &limits)?;
        check_execution_time("executionTime", body.execution_time)?;
        check_labels("podLabels", &body.pod_labels)?;
        let strategy = match body.strategy_id.as_deref() {
            None | Some("") => None,
            Some(text) => {
                Some(text.parse().map_err(|_| Invalid::new("strategyID", "must be 24 hexadecimal digits"))?)
            }
        };
        if !body.strategy_id.as_deref().is_some_and(is_written_form) {
            body.strategy_id = strategy.map(|id: Id| id.to_string());
        }
        Ok(Self { body: Arc::new(body), strategy })
    }

    /// The strategy that this intent comes from; older managers do not say.
    pub fn strategy(&self) -> Option<Id> {
        self.strategy
    }

    /// The pod's uid; never empty.
    pub fn pod_uid(&self) -> &str {
        &self.body.pod_id
    }

    /// The pod's name; may be empty.
    pub fn pod_name(&self) -> &str {
        &self.body.pod_name
    }

    /// The name of the pod's node; may be empty.
    pub fn node(&self) -> &str {
        &self.body.node_id
    }

    /// The pod's namespace; may be empty.
    pub fn namespace(&self) -> &str {
        &self.body.k8s_namespace
    }

    /// The pod's labels.
    pub fn labels(&self) -> &Labels {
        &self.body.pod_labels
    }

    /// Searched, unanchored, in the name of each process of the pod; empty: every process.
    /// It compiles.
    pub fn command_regex(&self) -> &str {
        &self.body.command_regex
    }

    /// Priority as the user wrote it.
    pub fn priority(&self) -> i64 {
        self.body.priority
    }

    /// Time slice in nanoseconds as the user wrote it; 0: the scheduler's default.
    pub fn execution_time(&self) -> i64 {
        self.body.execution_time
    }

    /// The priority and slice that act: the written ones, held to their ranges.
    pub fn effective(&self) -> Resolved {
        Resolved::clamped(self.body.priority, self.body.execution_time)
    }

    /// Of two intents that mean a process the one whose strength is the smaller value wins: the stronger priority, then
    /// the smaller strategy id; an intent that names no strategy comes last.
    pub fn strength(&self) -> impl Ord + use<> {
        (self.effective().rank(), self.strategy.is_none(), self.strategy)
    }

    /// The intent as it travels.
    pub fn to_wire(&self) -> IntentBody {
        (*self.body).clone()
    }
}

/// Whether an id that was read would be written like this, which is how it nearly always comes.
fn is_written_form(id: &str) -> bool {
    !id.is_empty() && !id.bytes().any(|digit| digit.is_ascii_uppercase())
}

/// As it travels.
impl Serialize for Intent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.body.serialize(serializer)
    }
}

impl Borrow<IntentBody> for Intent {
    fn borrow(&self) -> &IntentBody {
        &self.body
    }
}
