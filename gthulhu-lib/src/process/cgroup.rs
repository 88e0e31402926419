//! Which pod and container a process is in, from the text of its `/proc/PID/cgroup`.
//!
//! A container may make cgroups below its own and name them as it likes, so nothing is believed because it
//! "looks like a pod". The pod's uid is read at one place only: the fixed shape that the kubelet makes below a
//! known kubepods root. Whatever comes below that belongs to the same pod. As a second guard, a path in which
//! two different pod uids can be read is refused as a whole.
//!
//! ```text
//!  systemd   /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope/...
//!  cgroupfs  /kubepods/burstable/pod<uid>/<id>/...
//!            |------- root -----|-- QoS --|------------------ pod -------------------|-- container --|- its own -|
//! ```
//!
//! Guaranteed pods have no QoS level. A reader in a cgroup namespace of its own sees paths from its own place:
//! as many `/..` as it takes to reach the nearest common ancestor, then down from there. [`OwnDepth`] tells
//! how deep its place is, and with that how much of the shape's beginning is hidden behind the `/..`.

mod shape;

use super::SourceError;
use shape::Root;

/// Why a cgroup path that speaks of pods is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// One path names two different pods.
    TwoPodsInPath,
    /// The lines for different hierarchies name different pods.
    LinesDisagree,
}

/// What a cgroup text says about its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In no pod.
    Elsewhere,
    /// In this pod.
    Pod {
        /// Lower case, with `-` (or 32 hex digits for a static pod).
        uid: String,
        /// 64 hex digits; `None` if the container's cgroup has a name of no known form.
        container: Option<String>,
    },
    /// In what cannot be told apart from an attempt to pass for another pod.
    Refused(Refusal),
}

/// Where kubepods roots are, as seen by this process. Made once at start.
#[derive(Clone, Debug)]
pub struct Roots {
    roots: Vec<Root>,
    own: OwnDepth,
}

/// Where kubelets put pods unless told otherwise; the last two are kind's.
const KNOWN_ROOTS: [&str; 4] =
    ["/kubepods.slice", "/kubepods", "/kubelet.slice/kubelet-kubepods.slice", "/kubelet/kubepods"];

impl Roots {
    /// The known roots, preceded by the `configured` one if there is one.
    ///
    /// # Errors
    ///
    /// [`SourceError::CgroupRoot`] if the configured one is no absolute path below the cgroup mount, or has `.` or `..` in it.
    pub fn new(configured: Option<&str>, own: OwnDepth) -> Result<Self, SourceError> {
        let mut roots = Vec::with_capacity(KNOWN_ROOTS.len() + 1);
        if let Some(path) = configured {
            roots.push(Root::parse(path).ok_or_else(|| SourceError::CgroupRoot(path.to_owned()))?);
        }
        roots.extend(KNOWN_ROOTS.into_iter().filter_map(Root::parse));
        Ok(Self { roots, own })
    }

    /// The directories that hold pods, as paths from the root of the hierarchy; the configured one comes first.
    pub fn directories(&self) -> impl Iterator<Item = String> {
        self.roots.iter().map(Root::directory)
    }

    /// Reads the text of a `/proc/PID/cgroup`.
    ///
    /// Lines of version 1 hierarchies count as well: on hybrid hosts pods may be found only there. Lines that
    /// name no pod say nothing; those that do have to agree. Of hierarchies that hold no controllers only systemd's
    /// counts, since kubelets make pods in no other.
    pub fn place(&self, text: &[u8]) -> Placement {
        let mut placed = Placement::Elsewhere;
        for (hierarchy, path) in lines(text) {
            let found = self.place_path(hierarchy, path);
            placed = match (placed, found) {
                (_, Placement::Refused(why)) => return Placement::Refused(why),
                (placed, Placement::Elsewhere) => placed,
                (Placement::Elsewhere, found) => found,
                (Placement::Pod { uid, container }, Placement::Pod { uid: other, container: inner }) => {
                    if uid != other {
                        return Placement::Refused(Refusal::LinesDisagree);
                    }
                    Placement::Pod { uid, container: container.or(inner) }
                }
                (refused @ Placement::Refused(_), _) => return refused,
            };
        }
        placed
    }

    /// As [`place`](Self::place), for the hierarchy of version 2 alone.
    pub(super) fn place_unified(&self, text: &[u8]) -> Placement {
        let unified = lines(text).find(|(hierarchy, _)| hierarchy.is_empty());
        unified.map_or(Placement::Elsewhere, |(hierarchy, path)| self.place_path(hierarchy, path))
    }

    /// What one path says, in the hierarchy with these controllers (version 2: none).
    pub(super) fn place_path(&self, hierarchy: &[u8], path: &[u8]) -> Placement {
        if hierarchy.strip_prefix(b"name=").is_some_and(|name| name != b"systemd") {
            return Placement::Elsewhere;
        }
        let (ups, below) = split_ups(path);
        if shape::names_two_pods(below) {
            return Placement::Refused(Refusal::TwoPodsInPath);
        }
        let Some(hidden) = self.own.of(hierarchy).checked_sub(ups) else {
            return Placement::Elsewhere;
        };
        // Without `..` the path starts at this process's own place: its own cgroups, unless that is the root.
        if ups == 0 && hidden > 0 {
            return Placement::Elsewhere;
        }
        let pod = self.roots.iter().find_map(|root| root.pod_in(hidden, ups, below));
        // The kernel writes `..` only at the beginning. Anything else did not come from it, and leads elsewhere.
        pod.filter(|_| !shape::leads_up(below))
            .map_or(Placement::Elsewhere, |(uid, container)| Placement::Pod { uid, container })
    }
}

/// How deep below the host's cgroup root this process's cgroup namespace begins, per hierarchy.
///
/// No process shows more `/..` than that, and those right below the root, or in it, show as many. So the depth
/// is the most that the first processes of the host show: init and the parent of the kernel's threads. Where
/// the reader shares the host's namespace the depth is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnDepth(Vec<(Box<[u8]>, usize)>);

impl OwnDepth {
    /// Learns the depth from the texts of `/proc/1/cgroup` and `/proc/2/cgroup`, or of as many as there are.
    pub fn learn<'a>(cgroup_texts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut own = Self::default();
        for (hierarchy, path) in cgroup_texts.into_iter().flat_map(lines) {
            let depth = split_ups(path).0;
            if depth > own.of(hierarchy) {
                own.0.retain(|(name, _)| **name != *hierarchy);
                own.0.push((hierarchy.into(), depth));
            }
        }
        own
    }

    pub(super) fn of(&self, hierarchy: &[u8]) -> usize {
        self.0.iter().find(|(name, _)| **name == *hierarchy).map_or(0, |&(_, depth)| depth)
    }
}

/// Splits `id:controllers:path` lines; version 2 has one with empty controllers. The kernel allows no newline
/// in a cgroup's name, but colons.
fn lines(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|&byte| byte == b'\n').filter_map(|line| {
        let mut fields = line.splitn(3, |&byte| byte == b':');
        let (_, hierarchy, path) = (fields.next()?, fields.next()?, fields.next()?);
        Some((hierarchy, path))
    })
}

/// Counts the `/..` at the beginning of a path and gives the rest.
fn split_ups(mut path: &[u8]) -> (usize, &[u8]) {
    let mut ups = 0;
    while let Some(rest) = path.strip_prefix(b"/..").filter(|rest| rest.first().is_none_or(|&b| b == b'/')) {
        ups += 1;
        path = rest;
    }
    (ups, path)
}

#[cfg(test)]
mod tests;
