//! Every shape of `/proc/PID/cgroup` in one table, held against the parser, against a walk over planted proc trees, and
//! (in `real_processes`) against the kernel.

mod table;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use gthulhu_lib::process::cgroup::{OwnDepth, Placement, Roots};
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};
use gthulhu_lib::process::{LeftOut, ProcessSource};
use tempfile::TempDir;

use table::{A, B, Row, rows};

const HOST: &[u8] = b"0::/init.scope\n";

/// More than a walk reads of one file.
const TOO_LONG: usize = 1 << 20;
/// More than any kernel writes. Once is enough for such a row.
const LARGE: usize = 1 << 16;

fn roots(row: &Row) -> Roots {
    let own = OwnDepth::learn([row.init.as_deref().unwrap_or(HOST)]);
    Roots::new(row.root.as_deref(), own).unwrap_or_else(|error| panic!("{}: {error}", row.name))
}

/// Fails with all that is wrong at once.
fn assert_none(what: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{} {what}:\n  {}", wrong.len(), wrong.join("\n  "));
}

#[test]
fn every_row_is_placed_where_it_stands() {
    let mut wrong = Vec::new();
    for row in rows() {
        let placed = roots(&row).place(&row.text);
        if placed != row.want {
            wrong.push(format!("{}: {placed:?} instead of {:?}", row.name, row.want));
        }
    }
    assert_none("rows are misplaced", &wrong);
}

#[test]
fn the_table_has_the_whole_product_and_no_row_twice() {
    let rows = rows();
    let names: HashSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names.len(), rows.len(), "two rows have one name");
    for driver in ["systemd", "cgroupfs"] {
        for runtime in ["containerd", "crio", "docker"] {
            for hierarchies in ["v2", "v1", "hybrid"] {
                for class in ["guaranteed", "burstable", "besteffort"] {
                    let name = format!("{driver} {runtime} {hierarchies} {class}");
                    assert!(names.contains(&*name), "no row {name}");
                }
            }
        }
    }
    let of = |test: fn(&Placement) -> bool| rows.iter().filter(|row| test(&row.want)).count();
    let pods = of(|want| matches!(want, Placement::Pod { .. }));
    let refused = of(|want| matches!(want, Placement::Refused(_)));
    println!("{} rows: {pods} in a pod, {refused} refused, the others elsewhere", rows.len());
}

/// What a container might call the cgroups that it makes, and whether the name is one of another pod: `{V}` is that
/// pod's uid, `{V_}` the same as systemd writes it.
const NESTED: [(&str, bool); 24] = [
    ("init.scope", false),
    ("system.slice/nginx.service", false),
    ("..x/x..", false),
    ("pod", false),
    ("podman/pods", false),
    ("kubepods/burstable", false),
    ("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod.slice", false),
    ("{V}", false),
    ("xx{V}xx", false),
    ("pod-{V}", false),
    ("pod{V}0", false),
    (":/kubepods", false),
    (r"x\n0::", false),
    ("a b\tc", false),
    ("pod{V}", true),
    ("pod{V_}", true),
    ("pod{V}/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true),
    ("kubepods/besteffort/pod{V}", true),
    ("kubepods.slice/kubepods-pod{V_}.slice/x.scope", true),
    ("kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort-pod{V_}.slice", true),
    ("kubepods-burstable-pod{V_}.slice:cri-containerd:x", true),
    ("a/b/c/d/e/f/g/h/xpod{V}x", true),
    (r"x\n0::/kubepods/pod{V}", true),
    ("podpod{V} (deleted)", true),
];

#[test]
fn no_nested_name_moves_a_row_to_another_pod() {
    let mut shapes = 0;
    let mut wrong = Vec::new();
    for row in rows() {
        let Placement::Pod { uid, container } = &row.want else { continue };
        if row.text.len() > LARGE {
            continue;
        }
        let victim = if uid == A { B } else { A };
        let roots = roots(&row);
        for (nested, names_another) in NESTED {
            let nested = nested.replace("{V}", victim).replace("{V_}", &victim.replace('-', "_"));
            // Below the container in every hierarchy in which it is in its pod.
            let below = |line: &[u8]| match roots.place(line) {
                Placement::Pod { .. } => [line, b"/", nested.as_bytes(), b"\n"].concat(),
                _ => [line, b"\n"].concat(),
            };
            let text: Vec<u8> = row.text.split(|&byte| byte == b'\n').flat_map(below).collect();
            let placed = roots.place(&text);
            let same_pod = matches!(&placed, Placement::Pod { uid: placed, container: inner }
                if placed == uid && (container.is_none() || inner == container));
            let right = if names_another { matches!(placed, Placement::Refused(_)) } else { same_pod };
            shapes += 1;
            if !right {
                wrong.push(format!("{} + {nested}: {placed:?}", row.name));
            }
        }
    }
    println!("{shapes} shapes of nested cgroups: {} misattributed", wrong.len());
    assert!(shapes >= 1000, "only {shapes} shapes");
    assert_none("shapes are misattributed", &wrong);
}

/// A proc tree with a process for each of these rows, numbered from 1000.
fn plant(init: &[u8], rows: &[&Row]) -> TempDir {
    let tree = TempDir::new().expect("a temporary directory");
    let process = |pid: usize, cgroup: &[u8]| {
        let dir = tree.path().join(pid.to_string());
        fs::create_dir_all(dir.join("task")).expect("a directory");
        fs::write(dir.join("cgroup"), cgroup).expect("a file");
        let stat = format!("{pid} () R 1 () S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 7 0 0\n");
        fs::write(dir.join("stat"), stat).expect("a file");
    };
    process(1, init);
    for (index, row) in rows.iter().enumerate() {
        process(1000 + index, &row.text);
    }
    tree
}

fn walk(tree: &Path, root: Option<&str>) -> (BTreeMap<usize, (String, Option<String>)>, LeftOut) {
    let options = WalkOptions { proc_root: tree.to_owned(), cgroup_root: root.map(str::to_owned) };
    let snapshot = ProcWalk::new(options).and_then(|mut walk| walk.survey()).expect("the tree can be walked");
    let found = snapshot.processes.iter().map(|process| {
        let container = process.container_id.as_deref().map(str::to_owned);
        (process.id.pid as usize, (process.pod_uid.to_string(), container))
    });
    (found.collect(), snapshot.left_out)
}

#[test]
fn a_walk_over_a_proc_tree_of_all_rows_gives_the_same_answers() {
    let all = rows();
    let views: BTreeSet<_> = all.iter().map(|row| (&row.root, &row.init)).collect();
    for (root, init) in views {
        let rows: Vec<&Row> = all.iter().filter(|row| (&row.root, &row.init) == (root, init)).collect();
        let tree = plant(init.as_deref().unwrap_or(HOST), &rows);
        let mut expected = BTreeMap::new();
        let mut left_out = LeftOut::default();
        for (index, row) in rows.iter().enumerate() {
            match &row.want {
                _ if row.text.len() > TOO_LONG => left_out.unreadable += 1,
                Placement::Elsewhere => {}
                Placement::Refused(_) => left_out.refused += 1,
                Placement::Pod { uid, container } => {
                    expected.insert(1000 + index, (uid.clone(), container.clone()));
                }
            }
        }
        assert_eq!(walk(tree.path(), root.as_deref()), (expected, left_out), "seen from {root:?} {init:?}");
    }
}
