//! The state file: kept, damaged, in use, not to be written.

use gthulhu_lib::{intent::Limits, wire::IntentBody};
use tempfile::TempDir;

use super::{
    payload::{decode, encode},
    *,
};
use crate::fence::{Held, Pair};

fn body(pod: &str, priority: i64) -> IntentBody {
    IntentBody {
        pod_name: "web".to_owned(),
        pod_id: pod.to_owned(),
        node_id: "n1".to_owned(),
        k8s_namespace: "default".to_owned(),
        command_regex: "nginx|worker".to_owned(),
        priority,
        execution_time: 20_000_000,
        pod_labels: [("app".to_owned(), "web".to_owned())].into(),
        strategy_id: Some("0123456789abcdef01234567".to_owned()),
    }
}

fn example() -> State {
    let intents = IntentSet::check(vec![body("u2", 3), body("u1", 10)], &Limits::default()).unwrap();
    let held = Held { pair: Pair { epoch: 3, generation: 7 }, pushed: [0xa5; 32] };
    let muted = vec![Muted { pod: "u1".to_owned(), pid: 42, start: 99 }];
    State { fence: Fence { held: Some(held), edited: true }, intents, muted }
}

/// A directory that holds `bytes` as its state file.
fn planted(bytes: &[u8]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), bytes).unwrap();
    dir
}

#[test]
fn what_is_saved_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let (file, state, found) = StateFile::open(dir.path()).unwrap();
    assert_eq!((state, found), (State::default(), Found::Nothing));
    for kept in [example(), State::default(), State { muted: Vec::new(), ..example() }] {
        file.save(&kept).unwrap();
        assert_eq!(decode(format::unseal(&fs::read(dir.path().join(FILE)).unwrap()).unwrap()), Ok(kept));
    }
    file.save(&example()).unwrap();
    drop(file);
    let (_file, state, found) = StateFile::open(dir.path()).unwrap();
    assert_eq!((state, found), (example(), Found::Kept));
}

#[test]
fn a_missing_directory_is_made_for_the_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("a/b");
    let (_file, _, _) = StateFile::open(&inner).unwrap();
    assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(inner.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn narrower_limits_do_not_take_a_kept_set_away() {
    let intents = IntentSet::check(vec![body("u1", 5000)], &Limits { accept_any_priority: true }).unwrap();
    let state = State { intents, ..example() };
    assert_eq!(decode(&encode(&state)), Ok(state));
}

#[test]
fn a_damaged_file_is_moved_aside_and_the_node_starts_empty() {
    let whole = format::seal(&encode(&example()));
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let sealed = |json: &str| format::seal(json.as_bytes());
    let rows: [(&str, Vec<u8>, &str); 9] = [
        ("empty", Vec::new(), "not a state file"),
        ("foreign", b"#!/bin/sh\nexit 0\n".repeat(9), "not a state file"),
        ("truncated", whole[..whole.len() - 1].to_vec(), "length"),
        ("flipped", flipped, "checksum"),
        ("no json", sealed("not json"), "expected"),
        (
            "unknown key",
            sealed(r#"{"held":null,"edited":false,"intents":[],"muted":[],"x":1}"#),
            "unknown field",
        ),
        (
            "bad intent",
            sealed(r#"{"held":null,"edited":false,"intents":[{"podID":"u","commandRegex":"("}],"muted":[]}"#),
            "intents[0].commandRegex",
        ),
        (
            "bad numbers",
            sealed(
                r#"{"held":{"epoch":0,"generation":1,"pushed":""},"edited":false,"intents":[],"muted":[]}"#,
            ),
            "epoch must be",
        ),
        (
            "bad digest",
            sealed(
                r#"{"held":{"epoch":1,"generation":1,"pushed":"é"},"edited":false,"intents":[],"muted":[]}"#,
            ),
            "64 hexadecimal",
        ),
    ];
    for (name, bytes, reason) in rows {
        let dir = planted(&bytes);
        let (file, state, found) = StateFile::open(dir.path()).unwrap();
        assert_eq!(state, State::default(), "{name}");
        let Found::MovedAside(said) = found else { panic!("{name}: {found:?}") };
        assert!(said.contains(reason), "{name}: {said}");
        assert_eq!(
            fs::read(dir.path().join(CORRUPT)).unwrap(),
            bytes,
            "{name}: kept for a person to look at"
        );
        file.save(&example()).unwrap();
        drop(file);
        assert_eq!(StateFile::open(dir.path()).unwrap().1, example(), "{name}: the next start is whole");
    }
}

#[test]
fn a_state_file_that_is_no_file_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(FILE)).unwrap();
    let (_file, _, found) = StateFile::open(dir.path()).unwrap();
    assert_eq!(found, Found::MovedAside("it is not a regular file".to_owned()));
}

#[test]
fn a_second_decision_maker_is_refused_and_a_later_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let first = StateFile::open(dir.path()).unwrap();
    assert!(matches!(StateFile::open(dir.path()), Err(StateError::InUse(_))));
    drop(first);
    assert!(StateFile::open(dir.path()).is_ok());
}

#[test]
fn leftovers_of_a_crash_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let leftover = dir.path().join(".dm-state.0123456789abcdef");
    fs::write(&leftover, b"half").unwrap();
    let (_file, _, _) = StateFile::open(dir.path()).unwrap();
    assert!(!leftover.exists());
}

#[test]
fn a_directory_that_cannot_be_used_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    for unusable in [file.clone(), file.join("below"), PathBuf::from("/proc/gthulhu")] {
        let error = StateFile::open(&unusable).unwrap_err();
        assert!(
            error.to_string().contains(file.to_str().unwrap()) || error.to_string().contains("/proc"),
            "{error}"
        );
    }
}

#[test]
fn a_directory_that_everybody_may_write_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (mode, refused) in [(0o700, false), (0o755, false), (0o777, true), (0o1777, true)] {
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
        let opened = StateFile::open(dir.path());
        assert_eq!(matches!(opened, Err(StateError::Writable { .. })), refused, "{mode:o}");
    }
}

#[test]
fn a_save_that_fails_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("state");
    let (file, _, _) = StateFile::open(&inner).unwrap();
    fs::remove_dir_all(&inner).unwrap();
    assert!(file.save(&example()).is_err());
}
