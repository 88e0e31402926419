//! Every JSON body that manager, decision makers and schedulers exchange.
//!
//! Property: no body makes the reader panic. What is read is written so that reading it again gives the same value, and
//! the same bytes when written again. A set of intents that is accepted has every effective value inside its range, is
//! the same set in whatever order it came, and survives the way over the wire with its digest and its merkle root.
#![no_main]

use std::fmt::Debug;

use gthulhu_http::json;
use gthulhu_lib::intent::{Limits, set::IntentSet};
use gthulhu_lib::strategy::{PRIORITY_MAX, SLICE_MAX_NS, SLICE_MIN_NS};
use gthulhu_lib::wire::preview::{ExplainReply, PreviewReply};
use gthulhu_lib::wire::{
    DeleteIntentsBody, HeldPair, IntentBody, IntentsBody, MerkleReply, PodsPidsReply, SchedulerMetrics,
    StrategiesReply, TokenReply, TokenRequest,
};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};

fuzz_target!(|data: &[u8]| {
    let Some((&kind, body)) = data.split_first() else { return };
    match kind % 14 {
        0 => drop(read::<IntentBody>(body)),
        1 => drop(read::<DeleteIntentsBody>(body)),
        2 => drop(read::<StrategiesReply>(body)),
        3 => drop(read::<MerkleReply>(body)),
        4 => drop(read::<HeldPair>(body)),
        5 => drop(read::<PodsPidsReply>(body)),
        6 => drop(read::<SchedulerMetrics>(body)),
        7 => drop(read::<TokenRequest>(body)),
        8 => drop(read::<TokenReply>(body)),
        9 => drop(read::<serde_json::Value>(body)),
        12 => drop(read::<PreviewReply>(body)),
        13 => drop(read::<ExplainReply>(body)),
        _ => {
            if let Some(read) = read::<IntentsBody>(body) {
                for accept_any_priority in [false, true] {
                    set(&read.intents, &Limits { accept_any_priority });
                }
            }
        }
    }
});

/// Reads a body, and again what is written of it.
fn read<T: 'static + Serialize + DeserializeOwned + PartialEq + Debug>(body: &[u8]) -> Option<T> {
    let value = match json::parse::<T>(body) {
        Ok(value) => value,
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "an error is one line: {error}");
            return None;
        }
    };
    let written = json::to_body(&value);
    // A number with a fraction may change its last digit, and only a tree of any shape holds such numbers.
    match json::parse::<T>(&written) {
        Ok(again) => {
            let rewritten = json::to_body(&again);
            let stable = if is_exact::<T>() { again == value && rewritten == written } else { true };
            assert!(stable, "{value:?} became {again:?}");
        }
        Err(error) => panic!("{} was written and is refused: {error}", String::from_utf8_lossy(&written)),
    }
    Some(value)
}

fn is_exact<T: 'static>() -> bool {
    std::any::TypeId::of::<T>() != std::any::TypeId::of::<serde_json::Value>()
}

fn set(bodies: &[IntentBody], limits: &Limits) {
    let set = match IntentSet::check(bodies.to_vec(), limits) {
        Ok(set) => set,
        Err(invalid) => {
            assert!(invalid.field.starts_with("intents["), "{invalid}");
            assert!(!invalid.rule.contains('\n'), "an error is one line: {invalid}");
            return;
        }
    };
    assert_eq!(set.len(), bodies.len());
    for intent in &set {
        let effective = intent.effective();
        assert!(effective.priority() <= PRIORITY_MAX);
        assert!(effective.slice_ns() == 0 || (SLICE_MIN_NS..=SLICE_MAX_NS).contains(&effective.slice_ns()));
        assert!(limits.accept_any_priority || i64::from(effective.priority()) == intent.priority());
    }
    let reversed = bodies.iter().rev().cloned().collect();
    for other in [reversed, set.to_wire()] {
        let other = IntentSet::check(other, limits).expect("the same intents");
        assert!(other == set && other.digest() == set.digest() && other.merkle_root() == set.merkle_root());
    }
}
