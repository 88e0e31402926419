//! `deployment/PRIVILEGES.md` says what pods may do besides what any pod may: exactly that, each with a reason and a test that
//! exists.

use std::collections::BTreeSet;
use std::fs;

use crate::objects::{all, root};
use crate::restricted::breaches;

/// The rows of its table: object, who, what, why, proof.
fn rows() -> Vec<[String; 5]> {
    let text = fs::read_to_string(root().join("PRIVILEGES.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| object"));
    rows.map(|line| {
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("not five cells: {cells:?}"))
    })
    .collect()
}

#[test]
fn no_pod_may_do_more_than_is_written_down_and_none_less() {
    let may: BTreeSet<[String; 3]> = all()
        .iter()
        .filter_map(|object| Some((object.title(), object.pod()?)))
        .flat_map(|(title, pod)| {
            breaches(&pod).into_iter().map(move |(who, what)| [title.clone(), who, what])
        })
        .collect();
    let written: BTreeSet<[String; 3]> =
        rows().into_iter().map(|[object, who, what, ..]| [object, who, what]).collect();
    assert_eq!(may, written);
}

#[test]
fn every_exception_has_a_reason_and_a_proof_that_exists() {
    for [object, who, what, reason, proof] in rows() {
        assert!(reason.len() > 20, "{object}, {who}, {what}: why?");
        let (file, name) = proof.split_once(": ").unwrap_or_else(|| panic!("no FILE: NAME: {proof}"));
        let path = root().parent().unwrap().join(file);
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(&format!("fn {name}(")), "{proof}");
    }
}

/// Secrets apart, which no program of ours reads by the API: the token of an account is only where it is needed.
#[test]
fn only_who_speaks_to_the_api_has_a_token_for_it() {
    let with: Vec<String> = all()
        .iter()
        .filter_map(|object| Some((object.title(), object.pod()?)))
        .filter(|(_, pod)| pod.automount_service_account_token != Some(false))
        .map(|(title, _)| title)
        .collect();
    assert_eq!(with, ["Job gthulhu-secrets", "Deployment manager"]);
}
