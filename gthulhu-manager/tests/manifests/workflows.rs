//! Continuous integration does what anybody can do: verbs of the Makefile, and actions of one exact version.

use std::fs;

use serde_json::Value;

use crate::objects::root;

/// Each workflow, by its file's name.
fn workflows() -> Vec<(String, Value)> {
    let entries = fs::read_dir(root().parent().unwrap().join(".github/workflows")).unwrap();
    let mut found: Vec<(String, Value)> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            (path.file_name().unwrap().display().to_string(), serde_saphyr::from_str(&text).unwrap())
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// Every step of every job.
fn steps() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (file, workflow) in workflows() {
        for (job, body) in workflow["jobs"].as_object().unwrap() {
            assert!(body["timeout-minutes"].is_number(), "{file}: {job} may run for ever");
            let steps = body["steps"].as_array().unwrap();
            found.extend(steps.iter().map(|step| (format!("{file}: {job}"), step.clone())));
        }
    }
    found
}

#[test]
fn every_command_is_a_verb_of_the_makefile() {
    let makefile = fs::read_to_string(root().parent().unwrap().join("Makefile")).unwrap();
    let mut commands = 0;
    for (place, step) in steps() {
        if let Some(command) = step["run"].as_str() {
            let verb = command.strip_prefix("make ").unwrap_or_else(|| panic!("{place}: {command}"));
            assert!(verb.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{place}: {command}");
            assert!(makefile.lines().any(|line| line.starts_with(&format!("{verb}:"))), "{place}: {command}");
            commands += 1;
        }
    }
    assert!(commands > 5, "{commands} commands were looked at");
}

#[test]
fn every_action_is_of_one_version_and_no_job_may_write_but_the_one_that_publishes() {
    for (place, step) in steps() {
        if let Some(action) = step["uses"].as_str() {
            let version = action.split_once('@').map(|(_, version)| version).unwrap_or_default();
            let exact = version.len() == 40 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(exact, "{place}: {action}");
        }
    }
    for (file, workflow) in workflows() {
        assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}), "{file}");
        for (job, body) in workflow["jobs"].as_object().unwrap() {
            let more = body.get("permissions");
            let publishes = file == "release.yml" && job == "publish";
            assert_eq!(more.is_some(), publishes, "{file}: {job}: {more:?}");
        }
    }
}
