//! Label selectors: what a strategy asks of a pod's labels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One requirement on a pod's labels; the requirements of a strategy must all hold.
///
/// The same shape serves as a label (key and value) where the scheduler is told a pod's labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Selector {
    /// The label's key. A selector with an empty key asks for nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = crate::intent::patterns::LABEL_KEY_OR_NONE)))]
    pub key: String,
    /// The label's value. Empty: the label must exist, with any value.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
}

impl Selector {
    /// A selector of the given key and value.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }

    /// Whether a pod with these labels satisfies the selector.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.key.is_empty()
            || labels.get(&self.key).is_some_and(|value| self.value.is_empty() || *value == self.value)
    }
}
