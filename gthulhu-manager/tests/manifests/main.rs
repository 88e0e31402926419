//! What is shipped for clusters: every object is what Kubernetes takes it for, no pod may do more than is written down with a
//! reason, and every variable is one that the programs know.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

mod installed;
mod objects;
mod ports;
mod privileges;
mod restricted;
mod scripts;
mod settings;
mod strict;
mod workflows;
