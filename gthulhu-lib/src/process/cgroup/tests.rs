//! Shapes as kubelets and runtimes make them, and shapes as attackers would.

use proptest::prelude::*;

use super::*;

const A: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
const B: &str = "31e4e721-a5a0-4a3c-8a1b-93d3d1c4f0aa";
const STATIC: &str = "3d0bca2d1d1f6b35e4b1dcb5cc7b9a4e";
const C1: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const C2: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// What a case expects, short enough to be read in a table.
#[derive(Clone, Copy, Debug)]
enum Want {
    Elsewhere,
    Pod(&'static str, Option<&'static str>),
    TwoPods,
    Disagree,
}

impl From<Want> for Placement {
    fn from(want: Want) -> Self {
        match want {
            Want::Elsewhere => Self::Elsewhere,
            Want::Pod(uid, container) => {
                Self::Pod { uid: uid.to_owned(), container: container.map(str::to_owned) }
            }
            Want::TwoPods => Self::Refused(Refusal::TwoPodsInPath),
            Want::Disagree => Self::Refused(Refusal::LinesDisagree),
        }
    }
}

/// Replaces the short names of a template: `{A}`, `{A_}` (as systemd writes it), `{C1}` and so on.
fn text(template: &str) -> String {
    let under = |uid: &str| uid.replace('-', "_");
    template
        .replace("{A}", A)
        .replace("{A_}", &under(A))
        .replace("{B}", B)
        .replace("{B_}", &under(B))
        .replace("{S}", STATIC)
        .replace("{C1}", C1)
        .replace("{C2}", C2)
}

fn check(configured: Option<&str>, init: &str, cases: &[(&str, Want)]) {
    let roots = Roots::new(configured, OwnDepth::learn([init.as_bytes()])).unwrap();
    for &(template, want) in cases {
        assert_eq!(roots.place(text(template).as_bytes()), want.into(), "for {template}");
    }
}

const HOST: &str = "0::/init.scope\n";

#[test]
fn shapes_of_every_driver_runtime_and_class_are_read() {
    check(
        None,
        HOST,
        &[
            // systemd driver.
            ("0::/kubepods.slice/kubepods-pod{A_}.slice/cri-containerd-{C1}.scope\n", Want::Pod(A, Some(C1))),
            (
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{A_}.slice/cri-containerd-{C1}.scope\n",
                Want::Pod(A, Some(C1)),
            ),
            (
                "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{B_}.slice/crio-{C2}.scope\n",
                Want::Pod(B, Some(C2)),
            ),
            (
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{A_}.slice/docker-{C1}.scope\n",
                Want::Pod(A, Some(C1)),
            ),
            (
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{S}.slice/cri-containerd-{C1}.scope\n",
                Want::Pod(STATIC, Some(C1)),
            ),
            // cgroupfs driver.
            ("0::/kubepods/pod{A}/{C1}\n", Want::Pod(A, Some(C1))),
            ("0::/kubepods/burstable/pod{A}/{C1}\n", Want::Pod(A, Some(C1))),
            ("0::/kubepods/besteffort/pod{B}/{C2}\n", Want::Pod(B, Some(C2))),
            ("0::/kubepods/burstable/pod{A}/crio-{C1}\n", Want::Pod(A, Some(C1))),
            ("0::/kubepods/pod{S}/{C1}\n", Want::Pod(STATIC, Some(C1))),
            ("0::/kubepods/pod20DA609E-6973-4463-A1E3-1B0B4F33CB1E/{C1}\n", Want::Pod(A, Some(C1))),
            // kind.
            (
                "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod{A_}.slice/cri-containerd-{C1}.scope\n",
                Want::Pod(A, Some(C1)),
            ),
            (
                "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{A_}.slice/cri-containerd-{C1}.scope\n",
                Want::Pod(A, Some(C1)),
            ),
            ("0::/kubelet/kubepods/burstable/pod{A}/{C1}\n", Want::Pod(A, Some(C1))),
            // The pod's own directory, and containers named in no known way: the pod is certain all the same.
            ("0::/kubepods/burstable/pod{A}\n", Want::Pod(A, None)),
            ("0::/kubepods/burstable/pod{A}/short-id\n", Want::Pod(A, None)),
            ("0::/kubepods.slice/kubepods-pod{A_}.slice/runsc-{C1}.scope\n", Want::Pod(A, None)),
        ],
    );
}

#[test]
fn what_is_not_below_a_kubepods_root_in_the_fixed_shape_is_no_pod() {
    check(
        None,
        HOST,
        &[
            ("", Want::Elsewhere),
            ("0::/\n", Want::Elsewhere),
            ("no colons here\n", Want::Elsewhere),
            ("0::\n", Want::Elsewhere),
            ("0::/system.slice/sshd.service\n", Want::Elsewhere),
            ("0::/kubepods\n", Want::Elsewhere),
            ("0::/kubepods/burstable\n", Want::Elsewhere),
            ("0::/kubepods.slice/kubepods-burstable.slice\n", Want::Elsewhere),
            // Somebody's own cgroup made to look like a pod.
            ("0::/user.slice/pod{A}/{C1}\n", Want::Elsewhere),
            ("0::/user.slice/kubepods/burstable/pod{A}/{C1}\n", Want::Elsewhere),
            (
                "0::/user.slice/kubepods.slice/kubepods-pod{A_}.slice/cri-containerd-{C1}.scope\n",
                Want::Elsewhere,
            ),
            ("0::/kubepods-evil/burstable/pod{A}/{C1}\n", Want::Elsewhere),
            ("0::/kubepods:/burstable/pod{A}/{C1}\n", Want::Elsewhere),
            // Below a root, but not where the kubelet puts pods.
            ("0::/kubepods/other/pod{A}/{C1}\n", Want::Elsewhere),
            ("0::/kubepods/burstable/other/pod{A}\n", Want::Elsewhere),
            ("0::/kubepods/burstable/burstable/pod{A}\n", Want::Elsewhere),
            ("0::/kubepods/burstable/xpod{A}/{C1}\n", Want::Elsewhere),
            ("0::/kubepods/burstable/pod{A}x/{C1}\n", Want::Elsewhere),
            ("0::/kubepods/burstable/pod{A}0/{C1}\n", Want::Elsewhere),
            ("0::/kubepods/burstable/pod20da609e-6973_4463-a1e3-1b0b4f33cb1e/{C1}\n", Want::Elsewhere),
            ("0::/kubepods/burstable/pod20da609e/{C1}\n", Want::Elsewhere),
            ("0::/kubepods/burstable/pod{C1}/{C1}\n", Want::Elsewhere),
            // One driver's names in the other's directories; a slice that does not repeat its parents.
            ("0::/kubepods.slice/burstable/pod{A}/{C1}\n", Want::Elsewhere),
            ("0::/kubepods/kubepods-burstable.slice/kubepods-burstable-pod{A_}.slice\n", Want::Elsewhere),
            (
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-besteffort-pod{A_}.slice\n",
                Want::Elsewhere,
            ),
            ("0::/kubepods.slice/kubepods-burstable-pod{A_}.slice\n", Want::Elsewhere),
            ("0::/kubelet.slice/kubelet-kubepods.slice/kubepods-pod{A_}.slice\n", Want::Elsewhere),
            // A path that claims to be above the root.
            ("0::/../kubepods/pod{A}/{C1}\n", Want::Elsewhere),
            ("0::/..kubepods/pod{A}/{C1}\n", Want::Elsewhere),
        ],
    );
}

#[test]
fn what_a_container_makes_below_itself_never_changes_its_pod() {
    check(
        None,
        HOST,
        &[
            ("0::/kubepods/burstable/pod{A}/{C1}/init.scope\n", Want::Pod(A, Some(C1))),
            ("0::/kubepods/burstable/pod{A}/{C1}/a/b/c/d\n", Want::Pod(A, Some(C1))),
            ("0::/kubepods/burstable/pod{A}/{C1}/{C2}\n", Want::Pod(A, Some(C1))),
            ("0::/kubepods/burstable/pod{A}/{C1}/podman\n", Want::Pod(A, Some(C1))),
            ("0::/kubepods/burstable/pod{A}/{C1}/pod{A}\n", Want::Pod(A, Some(C1))),
            ("0::/kubepods/burstable/pod{A}/{C1}/kubepods-pod{A_}.slice\n", Want::Pod(A, Some(C1))),
            ("0::/kubepods/burstable/pod{A}/{C1}/libpod-{C2}.scope\n", Want::Pod(A, Some(C1))),
            ("0::/kubepods/burstable/pod{A}/{C1}/pod{C2}\n", Want::Pod(A, Some(C1))),
            // Passing for another pod: refused, wherever the other uid stands.
            ("0::/kubepods/burstable/pod{A}/{C1}/pod{B}\n", Want::TwoPods),
            ("0::/kubepods/burstable/pod{A}/{C1}/pod{B}/{C2}\n", Want::TwoPods),
            ("0::/kubepods/burstable/pod{A}/{C1}/x/y/xpod{B}x\n", Want::TwoPods),
            ("0::/kubepods/burstable/pod{A}/{C1}/pod{S}\n", Want::TwoPods),
            ("0::/kubepods/burstable/pod{A}/{C1}/kubepods/burstable/pod{B}/{C2}\n", Want::TwoPods),
            (
                "0::/kubepods.slice/kubepods-pod{A_}.slice/cri-containerd-{C1}.scope/kubepods.slice/kubepods-pod{B_}.slice/cri-containerd-{C2}.scope\n",
                Want::TwoPods,
            ),
            ("0::/kubepods/burstable/pod{A}/{C1}/pod{A}pod{B}\n", Want::TwoPods),
            ("0::/kubepods/burstable/pod{A}/{C1}/popod{B}\n", Want::TwoPods),
            ("0::/user.slice/pod{A}/pod{B}\n", Want::TwoPods),
        ],
    );
}

#[test]
fn lines_of_several_hierarchies_have_to_agree() {
    check(
        None,
        HOST,
        &[
            ("2:cpu:/kubepods/pod{A}/{C1}\n0::/\n", Want::Pod(A, Some(C1))),
            (
                "9:name=systemd:/system.slice/containerd.service\n2:cpu,cpuacct:/kubepods/pod{A}/{C1}\n",
                Want::Pod(A, Some(C1)),
            ),
            (
                "2:cpu:/kubepods/pod{A}\n0::/kubepods.slice/kubepods-pod{A_}.slice/crio-{C1}.scope\n",
                Want::Pod(A, Some(C1)),
            ),
            ("2:cpu:/kubepods/pod{A}/{C1}\n0::/kubepods/pod{B}/{C1}\n", Want::Disagree),
            ("0::/kubepods/pod{A}/{C1}\n2:cpu:/kubepods/pod{B}/{C2}\n", Want::Disagree),
            ("0::/kubepods/pod{A}/{C1}\n2:cpu:/kubepods/pod{A}/{C1}/pod{B}\n", Want::TwoPods),
        ],
    );
}

#[test]
fn a_configured_root_is_the_directory_that_holds_the_pods() {
    let systemd = [
        (
            "0::/x.slice/x-kubepods.slice/x-kubepods-burstable.slice/x-kubepods-burstable-pod{A_}.slice\n",
            Want::Pod(A, None),
        ),
        ("0::/kubepods/pod{B}/{C1}\n", Want::Pod(B, Some(C1))),
        ("0::/x.slice/pod{A}\n", Want::Elsewhere),
    ];
    check(Some("/x.slice/x-kubepods.slice"), HOST, &systemd);
    check(Some("/x.slice//x-kubepods.slice/"), HOST, &systemd);
    check(Some("/my/pods"), HOST, &[("0::/my/pods/besteffort/pod{A}/{C1}\n", Want::Pod(A, Some(C1)))]);
    for bad in ["", "/", "kubepods", "/a/../b", "/./a", "/.."] {
        let error = Roots::new(Some(bad), OwnDepth::default()).unwrap_err();
        assert!(matches!(error, SourceError::CgroupRoot(path) if path == bad));
    }
}

#[test]
fn a_reader_in_its_own_cgroup_namespace_sees_the_same_pods() {
    // Outside the kubepods root: the whole shape is visible behind the way up.
    check(
        None,
        "0::/../../init.scope\n",
        &[
            ("0::/../../kubepods/burstable/pod{A}/{C1}\n", Want::Pod(A, Some(C1))),
            ("0::/../../kubepods/burstable/pod{A}/{C1}/pod{B}\n", Want::TwoPods),
            ("0::/../../user.slice/kubepods/pod{A}/{C1}\n", Want::Elsewhere),
            ("0::/../../../kubepods/pod{A}/{C1}\n", Want::Elsewhere),
            // Made by the reader itself.
            ("0::/kubepods/pod{A}/{C1}\n", Want::Elsewhere),
            ("0::/pod{A}/{C1}\n", Want::Elsewhere),
            ("0::/burstable/pod{A}/{C1}\n", Want::Elsewhere),
            ("0::/\n", Want::Elsewhere),
        ],
    );
    // In a best-effort pod: root, class and pod are above the reader.
    check(
        None,
        "0::/../../../../init.scope\n",
        &[
            (
                "0::/../../../kubepods-burstable.slice/kubepods-burstable-pod{A_}.slice/cri-containerd-{C1}.scope\n",
                Want::Pod(A, Some(C1)),
            ),
            ("0::/../../../kubepods-pod{A_}.slice/cri-containerd-{C1}.scope\n", Want::Pod(A, Some(C1))),
            (
                "0::/../../kubepods-besteffort-pod{A_}.slice/cri-containerd-{C1}.scope\n",
                Want::Pod(A, Some(C1)),
            ),
            ("0::/../../../burstable/pod{A}/{C1}\n", Want::Pod(A, Some(C1))),
            ("0::/../../pod{A}/{C1}\n", Want::Pod(A, Some(C1))),
            ("0::/../cri-containerd-{C1}.scope\n", Want::Elsewhere), // the reader's own pod
            ("0::/../../../other/pod{A}/{C1}\n", Want::Elsewhere),
            ("0::/../../../../system.slice/pod{A}/{C1}\n", Want::Elsewhere),
            ("0::/../../../kubepods-pod{A_}.slice/cri-containerd-{C1}.scope/pod{B}\n", Want::TwoPods),
        ],
    );
    // In a pod of kind, whose root is two levels deep.
    check(
        None,
        "0::/../../../../../init.scope\n",
        &[
            (
                "0::/../../../kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod{A_}.slice\n",
                Want::Pod(A, None),
            ),
            (
                "0::/../../kubelet-kubepods-besteffort-pod{A_}.slice/cri-containerd-{C1}.scope\n",
                Want::Pod(A, Some(C1)),
            ),
        ],
    );
    // Namespaces differ in depth from one hierarchy to the other; kernel threads stand in the root itself.
    let own = OwnDepth::learn([&b"2:cpu:/..\n0::/\n"[..], b"2:cpu:/../..\n0::/..\n"]);
    let roots = Roots::new(None, own).unwrap();
    let placed =
        roots.place(text("2:cpu:/../../kubepods/pod{A}/{C1}\n0::/../kubepods/pod{A}/{C1}\n").as_bytes());
    assert_eq!(placed, Want::Pod(A, Some(C1)).into());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes_are_placed_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
        let roots = Roots::new(None, OwnDepth::learn([&bytes[..]])).unwrap();
        let _ = roots.place(&bytes);
    }

    /// Whatever a container appends to its own path, it stays in its pod or is refused.
    #[test]
    fn no_suffix_moves_a_process_to_another_pod(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("/".to_owned()), Just("pod".to_owned()), Just("kubepods".to_owned()), Just(".slice".to_owned()),
                Just("..".to_owned()), Just(":".to_owned()), Just(A.to_owned()), Just(B.to_owned()),
                Just(B.replace('-', "_")), Just(STATIC.to_owned()), Just(C2.to_owned()), "[ -~&&[^/]]{0,12}",
            ],
            0..12,
        ),
        systemd in any::<bool>(),
    ) {
        let own = if systemd {
            "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{A_}.slice/cri-containerd-{C1}.scope/"
        } else {
            "0::/kubepods/burstable/pod{A}/{C1}/"
        };
        let roots = Roots::new(None, OwnDepth::default()).unwrap();
        match roots.place(format!("{}{}\n", text(own), parts.concat()).as_bytes()) {
            Placement::Pod { uid, container } => {
                prop_assert_eq!(uid, A);
                prop_assert_eq!(container.as_deref(), Some(C1));
            }
            Placement::Refused(why) => {
                prop_assert_eq!(why, Refusal::TwoPodsInPath);
                let suffix = parts.concat();
                let other = [B, &B.replace('-', "_"), STATIC].into_iter().any(|uid| suffix.contains(uid));
                prop_assert!(other, "refused though no other pod is named");
            }
            Placement::Elsewhere => prop_assert!(false, "lost its pod"),
        }
    }
}
