//! Intents to processes to strategies: the synchronous core of Gthulhu.

pub mod derive;
pub mod engine;
pub mod explain;
pub mod id;
pub mod intent;
pub mod matcher;
pub mod pod_index;
pub mod process;
pub mod resolve;
pub mod selector;
pub mod strategy;
pub mod wire;
