//! Every condition by itself, on planted trees.

use std::path::Path;

use super::*;

const BTF: &[u8] = b"\x9f\xebsome\0sched_ext_ops\0more";

/// A machine that has everything.
fn planted() -> (tempfile::TempDir, Host) {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::planted(dir.path());
    write(dir.path(), "sys/kernel/sched_ext/state", b"disabled\n");
    write(dir.path(), "sys/kernel/btf/vmlinux", BTF);
    write(dir.path(), "sys/kernel/security/lockdown", b"[none] integrity confidentiality\n");
    (dir, host)
}

fn write(root: &Path, path: &str, text: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What fails, as the program would end.
fn ended(host: &Host) -> Option<(u8, String)> {
    let of_this_machine = |condition: &Condition| *condition != Condition::Cgroups;
    let lacking =
        CONDITIONS.into_iter().filter(of_this_machine).find_map(|condition| condition.look(host).err())?;
    let exit = Exit::from(lacking);
    Some((exit.code, exit.message))
}

#[test]
fn a_machine_that_has_everything_passes() {
    let (_dir, host) = planted();
    assert_eq!(ended(&host), None);
}

#[test]
fn what_is_missing_is_named_with_its_exit_code() {
    type Break = fn(&Path, &mut Host);
    let rows: [(Break, u8, &str); 7] = [
        (|root, _| fs::remove_dir_all(root.join("sys/kernel/sched_ext")).unwrap(), 78, "no sched_ext class"),
        (|root, _| fs::remove_dir_all(root.join("sys/kernel/btf")).unwrap(), 78, "no BTF"),
        (
            |root, _| write(root, "sys/kernel/btf/vmlinux", b"sched_ext_ops_flags\0"),
            78,
            "no type sched_ext_ops",
        ),
        (
            |root, _| write(root, "sys/kernel/security/lockdown", b"none integrity [confidentiality]\n"),
            78,
            "locked down",
        ),
        (|_, host| host.capabilities = CapabilitySet::BPF, 77, "missing capability CAP_PERFMON"),
        (|_, host| host.capabilities = CapabilitySet::empty(), 77, "missing capability CAP_BPF, CAP_PERFMON"),
        (
            |root, _| {
                write(root, "sys/kernel/sched_ext/state", b"enabled\n");
                write(&root.join("sys/kernel/sched_ext"), "root/ops", b"bpfland_1.0\n");
            },
            75,
            "another scheduler is attached: bpfland_1.0 (state enabled)",
        ),
    ];
    for (break_it, code, words) in rows {
        let (dir, mut host) = planted();
        break_it(dir.path(), &mut host);
        let (found, message) = ended(&host).unwrap_or_else(|| panic!("passed, though {words}"));
        assert!(found == code && message.contains(words), "{found} {message}, wanted {code} {words}");
    }
}

#[test]
fn a_kernel_without_lockdown_and_a_configured_tree_that_is_none() {
    let (dir, mut host) = planted();
    fs::remove_dir_all(dir.path().join("sys/kernel/security")).unwrap();
    assert_eq!(ended(&host), None);
    dir.path().clone_into(&mut host.cgroup_mount);
    let said = Condition::Cgroups.look(&host).unwrap_err().to_string();
    assert!(said.ends_with("is no cgroup tree of version 2"), "{said}");
}
