//! The table's shapes made of real cgroups, with a real process in each, as the kernel shows them.

use std::path::Path;

use gthulhu_lib::process::cgroup::{Placement, Refusal};
use gthulhu_lib::process::governed::{CgroupProcs, Unavailable};
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};
use gthulhu_lib::process::{Governed, Located, ProcessSource};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, unlinkat};

use crate::actors::Idle;
use crate::pods::Pods;
use crate::sources::options;
use crate::table::{A, B, Row, rows};

const ROOTS: [&str; 4] =
    ["/kubepods.slice", "/kubepods", "/kubelet.slice/kubelet-kubepods.slice", "/kubelet/kubepods"];

fn walk(pods: &Pods, root: &str) -> ProcWalk {
    let cgroup_root = Some(format!("{}{root}", pods.top()));
    ProcWalk::new(WalkOptions { cgroup_root, ..WalkOptions::default() }).expect("a good root")
}

fn place(walk: &mut ProcWalk, pid: u32) -> Placement {
    match walk.locate(pid).expect("/proc is readable") {
        Located::InPod(process) => Placement::Pod {
            uid: process.pod_uid.to_string(),
            container: process.container_id.as_deref().map(str::to_owned),
        },
        Located::Refused(why) => Placement::Refused(why),
        Located::Elsewhere => Placement::Elsewhere,
        Located::NotFound => panic!("process {pid} is gone"),
    }
}

/// The row's path if it is in the unified hierarchy only and a kernel can have such a cgroup.
fn path(row: &Row) -> Option<&Path> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let path = row.text.strip_prefix(b"0::/")?.strip_suffix(b"\n")?;
    let one_line = !path.contains(&b'\n') && row.init.is_none();
    let nameable = path.split(|&byte| byte == b'/').all(|name| !matches!(name, b"" | b"." | b".."));
    (one_line && nameable && path.len() < 3900).then(|| Path::new(OsStr::from_bytes(path)))
}

#[test]
fn every_row_that_a_kernel_can_have_is_placed_alike_when_it_is_real() {
    let test = "every_row_that_a_kernel_can_have_is_placed_alike_when_it_is_real";
    let Some(pods) = Pods::new(test) else { return };
    let process = Idle::start();
    let mut usual = ROOTS.map(|root| walk(&pods, root));
    let mut real = 0;
    for row in rows() {
        let Some(path) = path(&row) else { continue };
        pods.cgroup(path).add(process.pid());
        // Real roots have this tree's top before them, so each is configured in turn, and the one that has the pod
        // tells; what names two pods is refused by all.
        let mut places: Vec<Placement> = match &row.root {
            Some(root) => vec![place(&mut walk(&pods, root), process.pid())],
            None => usual.iter_mut().map(|walk| place(walk, process.pid())).collect(),
        };
        places.retain(|place| *place != Placement::Elsewhere);
        places.dedup();
        // With another root the usual ones are those of the host, which are not here.
        let on_the_host = row.name == "the usual roots stay known beside a configured one";
        let want: Vec<_> =
            [row.want].into_iter().filter(|want| !on_the_host && *want != Placement::Elsewhere).collect();
        assert_eq!(places, want, "{}", row.name);
        real += 1;
    }
    println!("{real} rows made of real cgroups");
    assert!(real >= 100, "only {real} rows could be made");
}

#[test]
fn a_path_too_long_for_the_kernel_to_show_leads_to_no_other_pod() {
    let Some(pods) = Pods::new("a_path_too_long_for_the_kernel_to_show_leads_to_no_other_pod") else {
        return;
    };
    let process = Idle::start();
    let container = pods.container(A);
    let mut walk = walk(&pods, "/kubepods.slice");
    // Deeper than any path can say, so level by level, and taken away in the same manner.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let top = container.procs().parent().map(|dir| openat(CWD, dir, flags, Mode::empty()));
    let mut levels = vec![top.expect("a directory").expect("it was made")];
    let mut names = vec!["x".repeat(250); 20];
    names.push(format!("kubepods-pod{}.slice", B.replace('-', "_")));
    for name in &names {
        let above = levels.last().expect("the container");
        mkdirat(above, name, Mode::from_raw_mode(0o755)).expect("a cgroup can be made");
        let level = openat(above, name, flags, Mode::empty()).expect("it was made");
        levels.push(level);
    }
    let deepest = levels.pop().expect("the deepest level");
    let procs = openat(deepest, "cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
    rustix::io::write(procs.expect("it can be written"), process.pid().to_string().as_bytes())
        .expect("a process can be moved");
    let located = walk.locate(process.pid());
    let snapshot = walk.snapshot(&Governed::from_iter([A, B])).expect("/proc is readable");
    let mut by_cgroup = CgroupProcs::new(options(&pods)).expect("the tree is there");
    let by_cgroup = by_cgroup.snapshot(&Governed::from_iter([A, B])).expect("the tree is readable");
    assert!(by_cgroup.processes.is_empty() && by_cgroup.left_out.unreadable >= 1, "{by_cgroup:?}");
    container.add(process.pid());
    for (above, name) in levels.iter().zip(&names).rev() {
        unlinkat(above, name, AtFlags::REMOVEDIR).expect("it is empty");
    }
    // Kernels either show as much as fits, which begins with the pod, or refuse to show anything.
    let found = snapshot.processes.iter().find(|found| found.id.pid == process.pid());
    match located {
        Ok(Located::InPod(located)) => {
            assert_eq!(&*located.pod_uid, A);
            assert_eq!(found, Some(&located));
        }
        Ok(other) => panic!("{other:?}"),
        Err(_) => assert!(found.is_none() && snapshot.left_out.unreadable >= 1),
    }
}

#[test]
fn real_hierarchies_of_version_1_count_and_have_to_agree() {
    let test = "real_hierarchies_of_version_1_count_and_have_to_agree";
    let Some(pods) = Pods::new(test) else { return };
    let Some(pids) = pods.twin(test, "pids") else { return };
    let process = Idle::start();
    let mut walk = walk(&pods, "/kubepods.slice");
    let in_a = |placement| matches!(placement, Placement::Pod { uid, .. } if uid == A);
    let service = pids.container(A).nested("system.slice/nginx.service");
    service.add(process.pid());
    assert!(in_a(place(&mut walk, process.pid())), "one hierarchy is enough");
    service.nested(&format!("kubepods-pod{}.slice", B.replace('-', "_"))).add(process.pid());
    assert_eq!(place(&mut walk, process.pid()), Placement::Refused(Refusal::TwoPodsInPath));
    service.add(process.pid());
    pods.container(B).add(process.pid());
    assert_eq!(place(&mut walk, process.pid()), Placement::Refused(Refusal::LinesDisagree));
    pods.container(A).add(process.pid());
    assert!(in_a(place(&mut walk, process.pid())), "both hierarchies agree");
    // Which of the two holds the pods that are to come, nobody knows.
    assert!(matches!(CgroupProcs::new(options(&pods)), Err(Unavailable::Hybrid(_))));
}
