//! The names that kubelets and container runtimes give to cgroups.

/// A directory that holds pods, and the way in which cgroups below it are named.
#[derive(Clone, Debug)]
pub(super) struct Root {
    /// The path's components.
    path: Vec<Vec<u8>>,
    /// For the systemd driver the stem that every slice below repeats (`kubepods`, `kubelet-kubepods`);
    /// `None` for the cgroupfs driver.
    slice_stem: Option<Vec<u8>>,
}

const QOS: [&[u8]; 2] = [b"burstable", b"besteffort"];

impl Root {
    /// Takes an absolute path without `.` and `..`; anything else gives `None`.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let path: Vec<Vec<u8>> = components(path.strip_prefix('/')?.as_bytes()).map(<[u8]>::to_vec).collect();
        if path.iter().any(|name| name == b"." || name == b"..") {
            return None;
        }
        let slice_stem = path.last()?.strip_suffix(b".slice").map(<[u8]>::to_vec);
        Some(Self { path, slice_stem })
    }

    /// The path that [`Root::parse`] took.
    pub(super) fn directory(&self) -> String {
        // They were taken from a text at its slashes, so each is one.
        self.path.iter().flat_map(|name| ["/".into(), String::from_utf8_lossy(name)]).collect()
    }

    /// Reads pod uid and container id from a path whose first `hidden` levels are not shown because the reader
    /// lives below them and has to go `ups` levels up. Hidden levels are the reader's own ancestors, so nobody else
    /// chose them; a path that hides the pod's own level is inside the reader's pod and gives nothing.
    pub(super) fn pod_in(&self, hidden: usize, ups: usize, below: &[u8]) -> Option<(String, Option<String>)> {
        // Below a root lives a reader that is in a pod, and out of its container and its pod is two levels up.
        if hidden >= self.path.len() && ups < 2 {
            return None;
        }
        let mut names = components(below).peekable();
        for expected in self.path.iter().skip(hidden) {
            names.next().filter(|name| name == expected)?;
        }
        let qos_hidden = hidden > self.path.len();
        let uid = if qos_hidden {
            // One level below the root is a QoS directory, which the names below it repeat under systemd.
            let name = names.next().filter(|_| hidden == self.path.len() + 1)?;
            QOS.into_iter().find_map(|qos| self.pod_uid(name, Some(qos)))?
        } else {
            let qos = QOS.into_iter().find(|qos| names.peek().is_some_and(|name| self.is_qos(name, qos)));
            if qos.is_some() {
                names.next();
            }
            self.pod_uid(names.next()?, qos)?
        };
        Some((uid, names.next().and_then(container_id)))
    }

    fn is_qos(&self, name: &[u8], qos: &[u8]) -> bool {
        match &self.slice_stem {
            None => name == qos,
            Some(stem) => {
                (|| name.strip_prefix(&stem[..])?.strip_prefix(b"-")?.strip_suffix(b".slice"))() == Some(qos)
            }
        }
    }

    /// The uid in the name of a pod's own directory, in the QoS directory `qos` (`None`: right below the root).
    fn pod_uid(&self, name: &[u8], qos: Option<&[u8]>) -> Option<String> {
        let mut rest = name;
        if let Some(stem) = &self.slice_stem {
            rest = rest.strip_suffix(b".slice")?.strip_prefix(&stem[..])?.strip_prefix(b"-")?;
            if let Some(qos) = qos {
                rest = rest.strip_prefix(qos)?.strip_prefix(b"-")?;
            }
        }
        let rest = rest.strip_prefix(b"pod")?;
        (uid_len(rest) == Some(rest.len())).then(|| normalised(rest))
    }
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
}

/// Whether there is a `..` anywhere in the path.
pub(super) fn leads_up(path: &[u8]) -> bool {
    components(path).any(|name| name == b"..")
}

/// Whether two different pod uids can be read anywhere in the path, at whatever place.
pub(super) fn names_two_pods(path: &[u8]) -> bool {
    let mut first = None;
    let mut at = 0;
    while let Some(found) = path.get(at..).and_then(|rest| rest.windows(3).position(|w| w == b"pod")) {
        at += found + 3;
        let rest = &path[at..];
        let Some(len) = uid_len(rest) else { continue };
        let uid = &rest[..len];
        if normalised(first.get_or_insert(uid)) != normalised(uid) {
            return true;
        }
    }
    false
}

/// The length of the pod uid at the beginning of `text`: a UUID with `-` or (as systemd needs it) `_`, or the
/// 32 hex digits of a static pod. What goes on in hex digits is something else, such as a container id.
fn uid_len(text: &[u8]) -> Option<usize> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let hex_run = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if hex_run(0) == 32 {
        return Some(32);
    }
    let separator = *text.get(GROUPS[0]).filter(|&&byte| byte == b'-' || byte == b'_')?;
    let mut at = 0;
    for (index, digits) in GROUPS.into_iter().enumerate() {
        if index > 0 {
            if text.get(at) != Some(&separator) {
                return None;
            }
            at += 1;
        }
        if hex_run(at) != digits {
            return None;
        }
        at += digits;
    }
    Some(at)
}

/// A uid (hex digits and separators only) as the Kubernetes API writes it.
fn normalised(uid: &[u8]) -> String {
    uid.iter().map(|&byte| if byte == b'_' { '-' } else { char::from(byte.to_ascii_lowercase()) }).collect()
}

/// The id in the name of a container's directory: `<id>` or `<runtime>-<id>`, under systemd with `.scope`.
fn container_id(name: &[u8]) -> Option<String> {
    const RUNTIMES: [&[u8]; 3] = [b"cri-containerd-", b"crio-", b"docker-"];
    let name = name.strip_suffix(b".scope").unwrap_or(name);
    let id = RUNTIMES.into_iter().find_map(|runtime| name.strip_prefix(runtime)).unwrap_or(name);
    let is_id = id.len() == 64 && id.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| normalised(id))
}
