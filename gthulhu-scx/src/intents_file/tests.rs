//! What a file may say, and where its faults are found.

use gthulhu_lib::strategy::Resolved;

use super::*;

const EXAMPLE: &str = include_str!("../../../config/example-intents.json");

fn parsed(text: &str) -> Result<Wanted, String> {
    parse(Path::new("f"), text.as_bytes(), &Limits::default()).map_err(|error| error.to_string())
}

#[test]
fn the_shipped_example_shows_all_three_forms() {
    let wanted = parsed(EXAMPLE).unwrap();
    let pods: Vec<&str> = wanted
        .set
        .iter()
        .map(gthulhu_lib::intent::Intent::pod_uid)
        .filter(|uid| !uid.starts_with('#'))
        .collect();
    assert_eq!(pods, ["20da609e-6973-4463-a1e3-1b0b4f33cb1e"]);
    assert_eq!(wanted.cgroups.into_values().collect::<Vec<_>>(), ["/gthulhu-example"]);
    let process = ProcessId { pid: 4_194_303, start: 98_765 };
    assert_eq!(wanted.processes.get(&process), Some(&Resolved::clamped(10, 20_000_000)));
    assert_eq!(wanted.entries, 3);
}

#[test]
fn an_empty_list_clears() {
    let wanted = parsed("{\"intents\": []}").unwrap();
    assert!(wanted.set.is_empty() && wanted.cgroups.is_empty() && wanted.processes.is_empty());
}

#[test]
fn every_field_of_an_intent_is_taken_and_null_is_absent() {
    let text = r#"{"intents": [{"podName": "n", "podId": "p", "nodeID": "m", "k8sNamespace": "s", "commandRegex": "x",
        "priority": 1, "executionTime": 1000000, "podLabels": {"app": "web"}, "strategyID": null, "pid": null,
        "strategyId": "65f0c0ffee0123456789abcd"}]}"#;
    let wanted = parsed(text).unwrap();
    let intent = wanted.set.iter().next().unwrap();
    assert_eq!((intent.pod_uid(), intent.labels().len()), ("p", 1));
    assert!(intent.strategy().is_some());
}

#[test]
fn a_fault_is_told_by_line_and_field() {
    let entry = |fields: &str| format!("{{\n\"intents\": [\n{{\"podID\": \"a\"}},\n{{\n{fields}\n}}\n]}}\n");
    let rows = [
        (entry("\"podID\": \"a\",\n\"priority\": 21"), "f:6: intents[1].priority must be 0 to 20"),
        (entry("\"podID\": \"a\", \"priority\": \"hunter2\""), "f:5: intents[1].priority expected"),
        (entry("\"podID\": \"a\",\n\n\"prioritty\": 2"), "f:7: intents[1].prioritty is not known"),
        (entry("\"priority\": 2"), "f:4: intents[1].podID must not be empty"),
        (entry("\"podID\": \"a\", \"podID\": \"b\""), "f:5: intents[1].podID occurs twice"),
        (entry("\"podID\": \"a\",\n\"pid\": 7"), "f:6: intents[1].pid must come with its startTime"),
        (entry("\"startTime\": 7"), "f:5: intents[1].startTime must come with its pid"),
        (entry("\"pid\": 7,\n\"cgroupPath\": \"/a\""), "f:5: intents[1].pid must be absent"),
        (entry("\"cgroupPath\": \"/a\",\n\"podID\": \"b\""), "f:6: intents[1].podID must be absent"),
        (
            entry("\"podID\": \"a\", \"commandRegex\": \"(\""),
            "f:5: intents[1].commandRegex must be a regular",
        ),
        ("{\"intents\": [7]}".to_owned(), "f:1: intents[0].. expected a map"),
        ("{\"intents\": [\n{\"pid\": -7}]}".to_owned(), "f:2: intents[0].pid expected"),
        ("{\"intents\": [}".to_owned(), "f:1: is not JSON (column 14)"),
        ("{\n\"intents\": 7}".to_owned(), "f:2: must be {\"intents\": [...]}"),
        ("[]".to_owned(), "f:1: must be {\"intents\": [...]}"),
        ("{}".to_owned(), "f:1: must be {\"intents\": [...]}"),
        ("{\"intents\": [],\n\"intent\": []}".to_owned(), "f:2: intent is not known"),
        (String::new(), "f:1: is not JSON"),
    ];
    for (text, expected) in rows {
        let said = parsed(&text).unwrap_err();
        assert!(said.starts_with(expected), "{text}\nwanted {expected}\n   got {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let odd = parse(Path::new("f"), b"{\n\xff", &Limits::default()).unwrap_err().to_string();
    assert_eq!(odd, "f:2: must be text in UTF-8");
}
