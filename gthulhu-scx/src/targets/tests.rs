//! Which entries are taken, and how several for one target come together.

use super::*;

fn body(priority: i64, regex: &str) -> IntentBody {
    IntentBody { priority, command_regex: regex.to_owned(), ..IntentBody::default() }
}

fn cgroup(path: &str) -> Target {
    Target::Cgroup(path.to_owned())
}

fn process(pid: u32, start: u64) -> Target {
    Target::Process(ProcessId { pid, start })
}

fn built(entries: Vec<(Target, IntentBody)>) -> Result<Wanted, String> {
    let mut builder = Builder::new(Limits::default());
    for (target, body) in entries {
        builder.add(target, body).map_err(|fault| fault.to_string())?;
    }
    builder.finish().map_err(|fault| fault.to_string())
}

#[test]
fn a_path_is_one_group_however_it_is_written() {
    let wanted = built(vec![
        (cgroup("/a/b"), body(3, "x")),
        (cgroup("//a/b/"), body(2, "")),
        (cgroup("/a"), body(1, "")),
    ])
    .unwrap();
    let paths: Vec<&str> = wanted.cgroups.values().map(String::as_str).collect();
    assert_eq!(paths, ["/a/b", "/a"]);
    let of_first = wanted.set.iter().filter(|intent| intent.pod_uid() == "#1").count();
    assert_eq!((of_first, wanted.set.len(), wanted.entries), (2, 3, 3));
}

#[test]
fn the_strongest_entry_of_a_process_wins_as_it_would_in_a_pod() {
    let of = |priority, id: &str| IntentBody {
        strategy_id: (!id.is_empty()).then(|| id.to_owned()),
        ..body(priority, "")
    };
    let (low, high) = ("000000000000000000000001", "000000000000000000000002");
    let slice = |mut body: IntentBody, ns| {
        body.execution_time = ns;
        body
    };
    for (entries, expected) in [
        (vec![of(0, ""), of(20, ""), of(7, "")], Resolved::clamped(7, 0)),
        (vec![slice(of(7, high), 1_000_000), slice(of(7, low), 2_000_000)], Resolved::clamped(7, 2_000_000)),
        (vec![slice(of(7, ""), 1_000_000), slice(of(7, high), 2_000_000)], Resolved::clamped(7, 2_000_000)),
    ] {
        let wanted = built(entries.into_iter().map(|body| (process(7, 1), body)).collect()).unwrap();
        assert_eq!(
            wanted.processes.into_iter().collect::<Vec<_>>(),
            [(ProcessId { pid: 7, start: 1 }, expected)]
        );
    }
}

#[test]
fn what_no_target_can_be_is_refused_by_field_and_rule() {
    let mut with_pod = body(1, "");
    "20da609e".clone_into(&mut with_pod.pod_id);
    let long = format!("/{}", "x".repeat(PATH_MAX));
    let rows = [
        ((Target::Pod, body(1, "")), "podID must not be empty"),
        ((cgroup("/a"), with_pod), "podID must be absent"),
        ((cgroup("a"), body(1, "")), "cgroupPath must begin with /"),
        ((cgroup("//"), body(1, "")), "cgroupPath must be a cgroup below the root"),
        ((cgroup("/a/../b"), body(1, "")), "cgroupPath must be at most"),
        ((cgroup("/a\n"), body(1, "")), "cgroupPath must be at most"),
        ((cgroup(&long), body(1, "")), "cgroupPath must be at most"),
        ((process(0, 1), body(1, "")), "pid must be 1 to 4194304"),
        ((process(4_194_305, 1), body(1, "")), "pid must be 1 to 4194304"),
        ((process(7, 1), body(1, "x")), "commandRegex must be empty"),
        ((process(7, 1), body(21, "")), "priority must be 0 to 20"),
    ];
    for (entry, expected) in rows {
        let said = built(vec![entry.clone()]).unwrap_err();
        assert!(said.starts_with(expected), "{entry:?}: {said}");
    }
}

#[test]
fn distinct_regexes_have_a_bound_over_all_kinds_of_targets() {
    let many = |count: usize| {
        (0..count)
            .map(|number| (cgroup(&format!("/{}", number % 7)), body(1, &format!("^{number}$"))))
            .collect()
    };
    assert!(built(many(COMMAND_REGEXES_MAX)).is_ok());
    let said = built(many(COMMAND_REGEXES_MAX + 1)).unwrap_err();
    assert!(said.starts_with("commandRegex must be one of at most 1024"), "{said}");
}

#[test]
fn no_cgroups_name_can_be_a_pods_uid() {
    let wanted = built(vec![(cgroup("/a"), body(1, ""))]).unwrap();
    assert!(wanted.cgroups.keys().all(|name| name.starts_with('#')));
}
