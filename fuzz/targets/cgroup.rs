//! `/proc/PID/cgroup` to a pod.
//!
//! Property: no text makes it panic. A pod that is found is written in the text, after `pod`, in the form that the
//! Kubernetes API uses. And whatever a container appends to its own path, under either driver, seen from the host or
//! from a cgroup namespace, it stays in its own pod and container or is refused; it is never in another pod, and it
//! never gets away.
#![no_main]

use std::sync::LazyLock;

use gthulhu_lib::process::cgroup::{OwnDepth, Placement, Refusal, Roots};
use libfuzzer_sys::fuzz_target;

const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
const CONTAINER: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// The paths of one container, and what init shows to whoever looks.
const OWN: [(&str, &str); 4] = [
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{_}.slice/cri-containerd-{C}.scope",
        "/init.scope",
    ),
    ("/kubepods/besteffort/pod{-}/{C}", "/"),
    ("/kubelet/kubepods/pod{-}/{C}", "/init.scope"),
    (
        "/../../kubepods-besteffort.slice/kubepods-besteffort-pod{_}.slice/crio-{C}.scope",
        "/../../../init.scope",
    ),
];

fuzz_target!(|data: &[u8]| {
    any_text(data);
    if let Some((&first, suffix)) = data.split_first() {
        // The kernel allows no newline in a cgroup's name, and no cgroup named `..`.
        if !suffix.contains(&b'\n') && suffix.split(|&byte| byte == b'/').all(|name| name != b"..") {
            appended(&APPENDED[usize::from(first) % OWN.len()], suffix);
        }
    }
});

/// As seen from the host, and from four levels below it.
static HOST_AND_BELOW: LazyLock<[Roots; 2]> = LazyLock::new(|| ["/", "/../../../.."].map(roots));

/// For each of [`OWN`], its path and how the one who looks sees it.
static APPENDED: LazyLock<[(String, Roots); 4]> = LazyLock::new(|| {
    OWN.map(|(shape, init)| {
        let path = shape.replace("{_}", &POD.replace('-', "_")).replace("{-}", POD).replace("{C}", CONTAINER);
        (path, roots(init))
    })
});

/// As seen by one to whom init shows this path.
fn roots(init: &str) -> Roots {
    learnt(format!("0::{init}\n").as_bytes())
}

fn learnt(text: &[u8]) -> Roots {
    Roots::new(Some("/odd.slice/odd-pods.slice"), OwnDepth::learn([text])).expect("the root is a path")
}

fn any_text(text: &[u8]) {
    for roots in HOST_AND_BELOW.iter().chain([&learnt(text)]) {
        let Placement::Pod { uid, container } = roots.place(text) else { continue };
        let digits = uid.bytes().filter(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count();
        assert_eq!(digits, 32, "{uid}");
        assert!(
            uid.len() == 32 || uid.len() == 36 && uid.bytes().filter(|&byte| byte == b'-').count() == 4,
            "{uid}"
        );
        let written = text.iter().map(|&byte| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() });
        let written: Vec<u8> = written.collect();
        let named = format!("pod{uid}");
        assert!(
            written.windows(named.len()).any(|window| window == named.as_bytes()),
            "{uid} is not in the text"
        );
        if let Some(id) = container {
            assert!(id.len() == 64 && text.windows(64).any(|window| window == id.as_bytes()), "{id}");
        }
    }
}

fn appended((own, roots): &(String, Roots), suffix: &[u8]) {
    let text = [format!("0::{own}/").as_bytes(), suffix, b"\n"].concat();
    match roots.place(&text) {
        Placement::Pod { uid, container } => {
            assert_eq!((uid.as_str(), container.as_deref()), (POD, Some(CONTAINER)));
        }
        Placement::Refused(why) => assert_eq!(why, Refusal::TwoPodsInPath),
        Placement::Elsewhere => panic!("it got away from its pod"),
    }
}
