//! What holds for any bytes. (Shapes one by one are in the table of the crate's `tests/shapes`.)

use proptest::prelude::*;

use super::*;

const A: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
const B: &str = "31e4e721-a5a0-4a3c-8a1b-93d3d1c4f0aa";
const STATIC: &str = "3d0bca2d1d1f6b35e4b1dcb5cc7b9a4e";
const C1: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const C2: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

#[test]
fn a_configured_root_is_an_absolute_path_below_the_mount() {
    for bad in ["", "/", "kubepods", "/a/../b", "/./a", "/.."] {
        let error = Roots::new(Some(bad), OwnDepth::default()).unwrap_err();
        assert!(matches!(error, SourceError::CgroupRoot(path) if path == bad));
    }
}

#[test]
fn the_directories_of_pods_are_known_by_their_paths() {
    let roots = Roots::new(Some("/own//pods/"), OwnDepth::default()).unwrap();
    let directories: Vec<String> = roots.directories().collect();
    let known =
        ["/kubepods.slice", "/kubepods", "/kubelet.slice/kubelet-kubepods.slice", "/kubelet/kubepods"];
    assert_eq!(directories, [&["/own/pods"][..], &known].concat());
}

#[test]
fn the_own_depth_is_the_most_that_the_first_processes_show_in_each_hierarchy() {
    // Kernel threads stand in the root itself.
    let own = OwnDepth::learn([&b"2:cpu:/..\n0::/\n"[..], b"2:cpu:/../..\n0::/..x\n3:pids:/../a/..\n"]);
    let depths = [&b"cpu"[..], b"", b"pids", b"memory"].map(|hierarchy| own.of(hierarchy));
    assert_eq!(depths, [2, 0, 1, 0]);
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
        let suffix = parts.concat();
        prop_assume!(suffix.split('/').all(|name| name != ".."));
        let own = if systemd {
            let qos = "/kubepods.slice/kubepods-burstable.slice";
            format!("0::{qos}/kubepods-burstable-pod{}.slice/cri-containerd-{C1}.scope/", A.replace('-', "_"))
        } else {
            format!("0::/kubepods/burstable/pod{A}/{C1}/")
        };
        let roots = Roots::new(None, OwnDepth::default()).unwrap();
        match roots.place(format!("{own}{suffix}\n").as_bytes()) {
            Placement::Pod { uid, container } => {
                prop_assert_eq!(uid, A);
                prop_assert_eq!(container.as_deref(), Some(C1));
            }
            Placement::Refused(why) => {
                prop_assert_eq!(why, Refusal::TwoPodsInPath);
                let other = [B, &B.replace('-', "_"), STATIC].into_iter().any(|uid| suffix.contains(uid));
                prop_assert!(other, "refused though no other pod is named");
            }
            Placement::Elsewhere => prop_assert!(false, "lost its pod"),
        }
    }
}
